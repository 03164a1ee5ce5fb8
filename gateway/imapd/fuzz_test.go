package imapd_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/mailflow/store"
)

// pipes is a port of which both ends lie in this process.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { close(p.done); return nil }

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// dial connects, and tells when the server has closed its end.
func (p *pipes) dial() (ours net.Conn, gone <-chan struct{}) {
	ours, theirs := net.Pipe()
	c := &closing{Conn: theirs, gone: make(chan struct{})}
	p.conns <- c
	return ours, c.gone
}

// closing is a connection that tells when it was closed.
type closing struct {
	net.Conn
	once sync.Once
	gone chan struct{}
}

func (c *closing) Close() error {
	defer c.once.Do(func() { close(c.gone) })
	return c.Conn.Close()
}

// What a client was let do before it says anything (RFC 9051 section 3).
const (
	greeted uint8 = iota
	loggedIn
	selected
)

var prelude = [...]string{greeted: "", loggedIn: login, selected: login + "s SELECT Intake\r\n"}

const login = "l LOGIN ana \"" + password + "\"\r\n"

// changesOfOffice is how many clients that changed something one office serves: what
// they append and create stays in its store.
const changesOfOffice = 300

// fuzzed is an office whose clients send anything. It, its store and a session of TLS
// outlast them: what a client costs is its connection, its login and what it says.
type fuzzed struct {
	*office
	*judge
	port    *pipes
	trust   *tls.Config
	before  int    // goroutines
	kept    string // the records
	last    uint64 // serial
	changes int
	denied  atomic.Bool // the last client, when it tried to log in
}

func newFuzzed(t testing.TB, dir string) *fuzzed {
	j := &judge{TB: t, verdict: make(chan string, 1), temp: func() string { return dir }}
	f := &fuzzed{judge: j, port: newPipes()}
	f.office = openOffice(j)
	f.office.TB = j
	f.logins.Tried = func(result string) {
		if result != "good" {
			f.denied.Store(true)
		}
	}
	f.openAt(f.port)
	// It is what follows the handshake that is tried: one of TLS 1.2 that is resumed
	// needs no public key.
	f.trust = &tls.Config{RootCAs: f.roots, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(1), MaxVersion: tls.VersionTLS12}
	f.file("Intake", letters(3)...)
	f.file("Held", letters(2)...)
	f.talk(nil, selected)
	f.before, f.kept, f.last = runtime.NumGoroutine(), f.records(), f.serial()
	return f
}

func (f *fuzzed) end() {
	for _, c := range slices.Backward(f.cleanups) {
		c()
	}
}

// talk sends lines and hangs up, and returns what was answered. The server
// must be done with it in time.
func (f *fuzzed) talk(lines []byte, state uint8) string {
	ours, gone := f.port.dial()
	conn := tls.Client(ours, f.trust)
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	lines = append([]byte(prelude[state]), lines...)
	said := make(chan struct{})
	go func() {
		defer close(said)
		_, _ = conn.Write(lines) // the server may hang up before
		_ = conn.CloseWrite()
	}()
	heard, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		f.say(fmt.Sprintf("the server hangs after %q, it said %q", lines, heard))
	}
	_ = ours.Close() // who was sent away says no more
	<-said
	select {
	case <-gone:
	case <-time.After(patience):
		f.say(fmt.Sprintf("the server keeps the connection after %q", lines))
	}
	return string(heard)
}

// records is what no client may change: which messages the desk keeps, and
// what ben thinks of them.
func (f *fuzzed) records() (all string) {
	must(f.judge, f.View(func(tx *store.Tx) error {
		for _, name := range []string{"Intake", "Held", "Approvals", "Quarantine", "Status"} {
			m, err := tx.MailboxNamed("", name)
			if err != nil {
				return err
			}
			uids, err := tx.UIDs(m.Number, nil)
			if err != nil {
				return err
			}
			marks, err := tx.MarksOf(m.Number, "ben", uids)
			for i := range marks {
				marks[i] &^= store.MarkAnswered // which is everybody's
			}
			all += fmt.Sprintln(name, uids, marks, m.UIDValidity, err)
		}
		return nil
	}))
	return all
}

func (f *fuzzed) serial() (n uint64) {
	must(f.judge, f.View(func(tx *store.Tx) error { n = tx.Serial(); return nil }))
	return n
}

// showAgain gives ana back what she was made to hide.
func (f *fuzzed) showAgain() {
	box := f.box("", "Intake")
	f.update(func(tx *store.Tx) error { return tx.Mark(box.Number, "ana", []uint32{1, 2, 3}, ^store.Marks(0), 0) })
}

// try is one client.
func (f *fuzzed) try(t *testing.T, lines []byte, state uint8) {
	heard := f.talk(lines, state)
	if !strings.HasPrefix(heard, "* OK ") || state >= loggedIn && !strings.Contains(heard, "\r\nl OK ") || state == selected && !strings.Contains(heard, "\r\ns OK ") {
		t.Errorf("the server said %.200q", heard)
	}
	if log := f.log.take(); strings.Contains(log, "panic") || strings.Contains(log, "level=ERROR") {
		t.Errorf("the log says %s", log)
	}
	f.leavesNothing(t)
	if n := f.serial(); n != f.last { // something was committed
		f.changed(t, state)
	}
	if f.denied.Swap(false) {
		f.clock.Advance(11 * time.Minute) // for the next one it does not count
	}
	select {
	case wrong := <-f.verdict:
		t.Error(wrong)
	default:
	}
}

// leavesNothing waits for what served a client to end.
func (f *fuzzed) leavesNothing(t *testing.T) {
	begun := time.Now()
	for n := 0; runtime.NumGoroutine() > f.before+2; n++ {
		if n < 100 {
			runtime.Gosched()
			continue
		}
		if time.Sleep(100 * time.Microsecond); time.Since(begun) > patience {
			t.Errorf("%d goroutines are left, there were %d", runtime.NumGoroutine(), f.before)
			return
		}
	}
}

// changed looks what a client changed.
func (f *fuzzed) changed(t *testing.T, state uint8) {
	if state < loggedIn {
		t.Error("something was written before the login")
	}
	if got := f.records(); got != f.kept {
		t.Errorf("the records were\n%s and are\n%s", f.kept, got)
	}
	f.showAgain()
	f.last = f.serial()
	f.changes++
}

// FuzzLines sends anything to the server, before and after the login, with a mailbox
// selected or without: it must not panic, hang, leave anything behind, or change a record of the desk.
func FuzzLines(f *testing.F) {
	for _, lines := range []string{
		"a NOOP\r\nb CAPABILITY\r\nc LOGOUT\r\n", "a ID NIL\r\n", "a XLIST \"\" *\r\n", "GET / HTTP/1.1\r\n\r\n", "a LOGIN ana wrong\r\n",
		"a LOGIN {3+}\r\nana {5}\r\nwrong\r\n", "a AUTHENTICATE PLAIN AGFuYQB4\r\n", "a AUTHENTICATE PLAIN\r\n*\r\n",
		"a FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)\r\n", "a UID FETCH * BODY[1.MIME]<3.7>\r\n", "a FETCH 1 BINARY.PEEK[1]<0.10>\r\n",
		"a FETCH 2 (BODY.PEEK[HEADER.FIELDS (\"Sub\\\"ject\" {2+}\r\nTo)])\r\n", "a STORE 1:3 +FLAGS.SILENT (\\Deleted $x \\Seen)\r\nb EXPUNGE\r\nc CLOSE\r\n",
		"a SEARCH RETURN (MIN COUNT SAVE) OR (SMALLER 9 SINCE 1-Dec-2026) NOT TEXT {1+}\r\nx\r\nb FETCH $ FLAGS\r\n", "a UID SEARCH CHARSET UTF-8 HEADER X \"\" KEYWORD y\r\n",
		"a COPY 1 Trash\r\nb MOVE 2 \"Do/New case\"\r\nc UID MOVE 3 Intake\r\n", "a APPEND Drafts (\\Draft) \"01-Jan-2026 00:00:00 +0000\" {9+}\r\na: b\r\n\r\nc\r\n",
		"a APPEND \"Do/Approve\" {3}\r\nabc\r\n", "a APPEND Drafts {99999999999999999999+}\r\n", "a APPEND Drafts {52428801+}\r\nx DELETE Mine\r\n",
		"a IDLE\r\nDONE\r\n", "a IDLE\r\nb NOOP\r\n", "a ENABLE IMAP4rev2\r\nb LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (% Do/*) RETURN (STATUS (SIZE DELETED) CHILDREN)\r\n",
		"a CREATE &AOQ-x/y\r\nb RENAME &AOQ-x z\r\nc DELETE z/y\r\nd SUBSCRIBE z\r\ne UNSUBSCRIBE Held\r\nf LSUB \"\" *\r\n", "a NAMESPACE\r\nb STATUS Intake (MESSAGES UIDNEXT)\r\nc EXAMINE Held\r\n",
		"a UNAUTHENTICATE\r\nb LOGIN ana x\r\n", "a STARTTLS\r\n", "\x00\xff{5+}\r\n", "a " + strings.Repeat("x", 60000) + "\r\n", "a FETCH " + strings.Repeat("1,", 2000) + "1 UID\r\n",
	} {
		for state := range uint8(3) {
			f.Add([]byte(lines), state)
		}
	}
	var now *fuzzed
	dir := f.TempDir()
	f.Cleanup(func() {
		if now != nil {
			now.end()
		}
	})
	f.Fuzz(func(t *testing.T, lines []byte, state uint8) {
		if now != nil && now.changes >= changesOfOffice {
			now.end()
			now = nil
			must(t, os.RemoveAll(dir+"/state"))
		}
		if now == nil {
			now = newFuzzed(t, dir)
		}
		now.try(t, lines, state%3)
	})
}

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

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// fuzzedOffices is how many clients one office serves: what they append and
// create stays in its store.
const fuzzedOffices = 300

// fuzzed is an office whose clients send anything.
type fuzzed struct {
	*office
	*judge
	port   *pipes
	trust  *tls.Config
	before int // goroutines
	served int
}

func newFuzzed(t testing.TB, dir string) *fuzzed {
	j := &judge{TB: t, verdict: make(chan string, 1), temp: func() string { return dir }}
	f := &fuzzed{judge: j, port: newPipes()}
	f.office = openOffice(j)
	f.office.TB = j
	f.openAt(f.port)
	// It is what follows the handshake that is tried.
	f.trust = &tls.Config{RootCAs: f.roots, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(1), CurvePreferences: []tls.CurveID{tls.X25519}}
	f.file("Intake", letters(3)...)
	f.file("Held", letters(2)...)
	f.talk(nil, true)
	f.before = runtime.NumGoroutine()
	return f
}

func (f *fuzzed) end() {
	for _, c := range slices.Backward(f.cleanups) {
		c()
	}
}

// talk sends lines and hangs up, and returns what was answered. The server
// must be done with it in time.
func (f *fuzzed) talk(lines []byte, login bool) string {
	conn := tls.Client(f.port.dial(), f.trust)
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if login {
		lines = slices.Concat([]byte("l LOGIN ana \""+password+"\"\r\ns SELECT Intake\r\n"), lines)
	}
	go func() {
		_, _ = conn.Write(lines) // the server may hang up before
		_ = conn.CloseWrite()
	}()
	heard, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		f.say(fmt.Sprintf("the server hangs after %q, it said %q", lines, heard))
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
func (f *fuzzed) try(t *testing.T, lines []byte, login bool) {
	before, serial := f.records(), f.serial()
	heard := f.talk(lines, login)
	if !strings.HasPrefix(heard, "* OK ") || login && !strings.Contains(heard, "\r\nl OK ") {
		t.Errorf("the server said %.200q", heard)
	}
	if got := f.records(); got != before {
		t.Errorf("the records were\n%s and are\n%s", before, got)
	}
	if f.serial() != serial && !login {
		t.Error("something was written before the login")
	}
	if log := f.log.text(); strings.Contains(log, "panic") || strings.Contains(log, "level=ERROR") {
		t.Errorf("the log says %s", log)
	}
	for begun := time.Now(); runtime.NumGoroutine() > f.before+2; time.Sleep(time.Millisecond) {
		if time.Since(begun) > patience {
			t.Errorf("%d goroutines are left, there were %d", runtime.NumGoroutine(), f.before)
			break
		}
	}
	select {
	case wrong := <-f.verdict:
		t.Error(wrong)
	default:
	}
	f.log.mu.Lock()
	f.log.Reset()
	f.log.mu.Unlock()
	if login && f.serial() != serial {
		f.showAgain()
	}
}

// FuzzLines sends anything to the server, before and after the login: it must
// not panic, hang, leave anything behind, or change a record of the desk.
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
		"a UNAUTHENTICATE\r\nb LOGIN ana x\r\n", "a STARTTLS\r\n", "\x00\xff{5+}\r\n", "a " + strings.Repeat("x", 60000) + "\r\n", "a FETCH " + strings.Repeat("1,", 20000) + "1 UID\r\n",
	} {
		f.Add([]byte(lines), true)
		f.Add([]byte(lines), false)
	}
	var now *fuzzed
	dir := f.TempDir()
	f.Cleanup(func() {
		if now != nil {
			now.end()
		}
	})
	f.Fuzz(func(t *testing.T, lines []byte, login bool) {
		if now != nil && now.served >= fuzzedOffices {
			now.end()
			now = nil
			must(t, os.RemoveAll(dir+"/state"))
		}
		if now == nil {
			now = newFuzzed(t, dir)
		}
		now.served++
		now.try(t, lines, login)
	})
}

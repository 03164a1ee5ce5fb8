package imapd_test

import (
	"bufio"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"parley/mailflow/store"
)

// bare is a client of the library's server without our conn beneath it and
// with the library's own session: the control of each trap.
func bare(t testing.TB) *client {
	t.Helper()
	user := imapmemserver.NewUser("ana", "x")
	for _, name := range []string{"INBOX", "Foo"} {
		must(t, user.Create(name, nil))
	}
	mem := imapmemserver.New()
	mem.AddUser(user)
	s := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return mem.NewSession(), nil, nil
		},
		InsecureAuth: true, Caps: imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {}}, Logger: stdlog.New(io.Discard, "", 0),
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() { must(t, s.Close()) })
	conn, err := net.Dial("tcp", ln.Addr().String())
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	c := &client{t, conn, bufio.NewReader(conn)}
	c.want("* OK ...")
	return c
}

func bareIn(t testing.TB) *client {
	t.Helper()
	c := bare(t)
	c.talk(`
		C: l LOGIN ana x
		S: l OK ...`)
	return c
}

// nest is n messages inside each other.
func nest(n int) string {
	return "Subject: deep\r\n" + strings.Repeat("Content-Type: message/rfc822\r\n\r\n", n) + "\r\ntext\r\n"
}

func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Trap 1: the library's structure of nested messages costs their square, and has
// no limit. Ours was computed within limits when the message came.
func TestTrap1_DeepNesting(t *testing.T) {
	if cost := allocated(func() { imapserver.ExtractBodyStructure(strings.NewReader(nest(1200))) }); cost < 1000*uint64(len(nest(1200))) {
		t.Errorf("control: the library takes only %d octets for %d", cost, len(nest(1200)))
	}
	o := newOffice(t)
	deep := nest(5000)
	c := o.as("ana")
	cost := allocated(func() {
		c.write(fmt.Sprintf("a APPEND Drafts {%d}\r\n", len(deep)))
		c.want("+ ...")
		c.send(deep)
		c.want("a OK [APPENDUID ...")
		c.ask("SELECT Drafts")
		c.talk(`
			C: b FETCH 1 BODYSTRUCTURE
			S: * 1 FETCH (BODYSTRUCTURE ("application" "octet-stream" ...))
			S: b OK ...`)
	})
	if cost > 64<<20 {
		t.Errorf("%d MB for a message of %d kB", cost>>20, len(deep)>>10)
	}
	if got := c.ask("FETCH 1 BODY.PEEK[]"); len(got) != 1 || !strings.HasSuffix(got[0], deep+")") {
		t.Error("other bytes")
	}
}

// Trap 2: a multipart without parts panics.
func TestTrap2_MultipartWithoutParts(t *testing.T) {
	t.Parallel()
	const raw = "Subject: empty\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nnothing\r\n"
	fetch := `
		C: f FETCH 1 (BODY BODYSTRUCTURE)
		S: `
	control := bareIn(t)
	control.write(fmt.Sprintf("a APPEND INBOX {%d}\r\n", len(raw)))
	control.want("+ ...")
	control.send(raw)
	control.want("a OK ...")
	control.send("s SELECT INBOX")
	control.until("s OK")
	control.talk(fetch + "...EOF")

	o := newOffice(t)
	o.file("Intake", mail{raw: raw})
	o.in("ana", "Intake").talk(fetch + `* 1 FETCH (BODY (("text" "plain" ...) "mixed") BODYSTRUCTURE (("text" "plain" ...) "mixed" ("boundary" "b") NIL NIL NIL))
		S: f OK ...`)
}

// Trap 3: what happens between the last command and IDLE is told at once; so
// is what happens while the client waits (trap 9: gathering must not hold
// that back).
func TestTrap3_UpdateBeforeIdle(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.in("ana", "Intake")
	c.ask("NOOP")
	o.file("Intake", letter(1))
	c.talk(`
		C: i IDLE
		S: + idling
		S: * 1 EXISTS`)
	o.file("Intake", letter(2))
	c.want("* 2 EXISTS")
	o.update(func(tx *store.Tx) error {
		return tx.Mark(o.box("", "Intake").Number, "ana", []uint32{2}, 0, store.MarkSeen)
	})
	c.want(`* 2 FETCH (UID 2 FLAGS (\Seen))`)
	o.update(func(tx *store.Tx) error { return tx.Unfile(o.box("", "Intake").Number, 1) })
	c.want("* 1 EXPUNGE")
	c.talk(`
		C: DONE
		S: i OK ...
		C: j UID SEARCH ALL
		S: * SEARCH 2
		S: j OK ...`)
}

// Trap 4: nothing changes in a mailbox that was opened by EXAMINE.
func TestTrap4_ExamineIsReadOnly(t *testing.T) {
	t.Parallel()
	control := bareIn(t)
	control.talk(`
		C: a APPEND INBOX {4+}
		C: a: b
		S: a OK ...
		C: b EXAMINE INBOX`)
	control.until("b OK [READ-ONLY]")
	control.talk(`
		C: c STORE 1 +FLAGS (\Deleted)
		S: * 1 FETCH (...\deleted...)`)

	o := newOffice(t)
	o.file("Intake", letters(2)...)
	o.in("ana", "Intake").ask(`STORE 2 +FLAGS (\Deleted)`)
	c := o.as("ana")
	c.send("a EXAMINE Intake")
	all := c.until("a OK [READ-ONLY]")
	if !slices.ContainsFunc(all, func(l string) bool { return strings.Contains(l, "[PERMANENTFLAGS ()]") }) {
		t.Errorf("%q", all)
	}
	c.talk(`
		C: b STORE 1 +FLAGS (\Deleted)
		S: b NO [READ-ONLY] ...
		C: c EXPUNGE
		S: c NO [READ-ONLY] ...
		C: d MOVE 1 Trash
		S: d NO [READ-ONLY] ...
		C: e FETCH 1 BODY[TEXT]
		S: * 1 FETCH (BODY[TEXT] ...)
		S: e OK ...
		C: f COPY 1 Trash
		S: f OK [COPYUID ...
		C: g CLOSE
		S: g OK ...`)
	if got := o.in("ana", "Intake").ask("FETCH 1:* FLAGS"); !slices.Equal(got, []string{`* 1 FETCH (FLAGS ())`, `* 2 FETCH (FLAGS (\Deleted))`}) {
		t.Errorf("after CLOSE: %q", got)
	}
}

// Trap 5: the octets of a literal that is refused are never commands.
func TestTrap5_RefusedLiteralIsNoCommand(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("x DELETE Foo\r\n", 2000)
	for name, command := range map[string]string{
		"too large":         "a APPEND Drafts {%d+}\r\n",
		"unknown command":   "a FROBNICATE {%d+}\r\n",
		"not there":         "a APPEND Nowhere {%d+}\r\n",
		"in a list command": "a LIST \"\" {%d+}\r\n",
		"in LOGIN":          "a LOGIN ana {%d+}\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			control := bareIn(t)
			control.write(fmt.Sprintf(strings.Replace(command, "Drafts", "INBOX", 1), len(body)) + body + "\r\n")
			control.send(`y LIST "" Foo`)
			deleted := false
			for {
				got := control.response()
				deleted = deleted || strings.HasPrefix(got, "x OK")
				if strings.HasPrefix(got, "y ") || strings.HasSuffix(got, "EOF") {
					break
				}
			}
			if !deleted {
				t.Error("control: the library alone did not delete Foo")
			}

			o := openOffice(t)
			o.base.Limits.Size = 10_000
			o.open()
			c := o.as("ana")
			c.ask("CREATE Foo")
			c.write(fmt.Sprintf(command, len(body)) + body + "\r\n")
			c.send(`y LIST "" Foo`)
			if got := c.response(); !strings.HasPrefix(got, "a NO") && !strings.HasPrefix(got, "a BAD") {
				t.Errorf("answer %q", got)
			}
			c.talk(`
				S: * LIST (\HasNoChildren) "/" "Foo"
				S: y OK ...`)
		})
	}
	// A client that waits is refused and goes on.
	o := openOffice(t)
	o.base.Limits.Size = 10_000
	o.open()
	o.as("ana").talk(`
		C: a APPEND Drafts {10001}
		S: a NO [TOOBIG] ...
		C: b APPEND Drafts {4}
		S: + ...
		C: a: b
		S: b OK ...
		C: c APPEND Drafts {4+}
		C: a: b
		S: c OK ...
		C: d APPEND Drafts {99999999999999999999999+}
		S: * BYE [TOOBIG] ...
		S: EOF`)
}

// Trap 6: an empty result is an empty set.
func TestTrap6_EmptySets(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.in("ana", "Intake")
	for _, filled := range []bool{false, true} {
		if filled {
			o.file("Intake", letter(1))
			c.ask("NOOP")
		}
		c.talk(`
			C: a SEARCH SUBJECT nothing
			S: * SEARCH
			S: a OK ...
			C: b UID SEARCH UID 77
			S: * SEARCH
			S: b OK ...
			C: c SEARCH RETURN (ALL MIN MAX COUNT SAVE) SUBJECT nothing
			S: * ESEARCH (TAG "c") COUNT 0
			S: c OK ...
			C: d UID SEARCH RETURN (ALL) SUBJECT nothing
			S: * ESEARCH (TAG "d") UID
			S: d OK ...
			C: e FETCH $ UID
			S: e OK ...
			C: f COPY $ Trash
			S: f OK COPY completed
			C: g UID EXPUNGE 9
			S: g OK ...
			C: h UID MOVE 9 Trash
			S: h OK ...`)
	}
}

// Trap 7: numbers stay right however changes, commands and clients that vanish
// fall together. Each client believes what it is told, and must know the same
// messages as the store in the end.
func TestTrap7_CountsStayRight(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	box := o.box("", "Intake")
	o.file("Intake", letters(20)...)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(stop)
		for i := range 60 {
			o.file("Intake", letter(100+i))
			o.update(func(tx *store.Tx) error { return tx.Unfile(box.Number, uint32(i+1)) })
		}
	})
	for range 4 {
		wg.Go(func() { // clients that come and vanish, in IDLE and out of it
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				c := o.in("ana", "Intake")
				if i%2 == 0 {
					c.send("i IDLE")
					c.until("+ idling")
				}
				if i%3 == 0 {
					c.send("WRONG") // breaks IDLE off; the old one may still run
					c.send("n NOOP")
				}
				_ = c.conn.Close()
			}
		})
		wg.Go(func() {
			c := o.in("ben", "Intake")
			known := c.numbers()
			for going := true; going; {
				select {
				case <-stop:
					going = false
				default:
				}
				c.send("n NOOP")
				for _, line := range c.until("n OK") {
					known.take(t, line)
				}
			}
			known.fill(c)
			var want []string
			for uid := 61; uid <= 80; uid++ {
				want = append(want, itoa(uid))
			}
			if !slices.Equal(known.uids, want) {
				t.Errorf("a client knows %v, want %v", known.uids, want)
			}
		})
	}
	wg.Wait()
}

// numbers is what a client knows: the UID of each sequence number, or "".
type numbers struct{ uids []string }

func (c *client) numbers() *numbers {
	c.Helper()
	n := &numbers{}
	for _, line := range c.ask("UID FETCH 1:* UID") {
		n.take(c, line)
	}
	return n
}

func (n *numbers) take(t testing.TB, line string) {
	var at int
	switch {
	case like(line, "* ... EXPUNGE"):
		_, _ = fmt.Sscanf(line, "* %d EXPUNGE", &at)
		if at < 1 || at > len(n.uids) {
			t.Errorf("%s of %d", line, len(n.uids))
			return
		}
		n.uids = slices.Delete(n.uids, at-1, at)
	case like(line, "* ... EXISTS"):
		_, _ = fmt.Sscanf(line, "* %d EXISTS", &at)
		if at < len(n.uids) {
			t.Errorf("%s, but %d are known", line, len(n.uids))
		}
		n.grow(at)
	case like(line, "* ... FETCH (UID ...)"):
		var uid int
		_, _ = fmt.Sscanf(line, "* %d FETCH (UID %d", &at, &uid)
		n.grow(at)
		if was := n.uids[at-1]; was != "" && was != itoa(uid) {
			t.Errorf("message %d was UID %s and is %d", at, was, uid)
		}
		n.uids[at-1] = itoa(uid)
	}
}

func (n *numbers) grow(to int) {
	for len(n.uids) < to {
		n.uids = append(n.uids, "")
	}
}

// fill learns the UIDs that are still unknown.
func (n *numbers) fill(c *client) {
	c.Helper()
	for _, line := range c.ask("NOOP") {
		n.take(c, line)
	}
	for _, line := range c.ask("FETCH 1:* UID") {
		n.take(c, line)
	}
}

// Trap 8: what the library does not know before the login does not end the
// connection.
func TestTrap8_UnknownCommandBeforeLogin(t *testing.T) {
	t.Parallel()
	bare(t).talk(`
		C: a ID NIL
		S: a BAD ...
		S: * BYE ...
		S: EOF`)
	o := newOffice(t)
	c := o.dial()
	c.talk(`
		C: a ID ("name" "Thunderbird" "version" "128.0")
		S: * ID NIL
		S: a OK ...
		C: b XLIST "" *
		S: b BAD Unknown command; nothing was done, ...
		C: c ID ("name" {4}
		S: + ...
		C: mutt)
		S: * ID NIL
		S: c OK ...
		C: d ID ("name" {4+}
		C: mutt)
		S: * ID NIL
		S: d OK ...
		C: e LOGIN ana "correct horse battery"
		S: e OK ...
		C: f ID NIL
		S: * ID NIL
		S: f OK ...
		C: g GETQUOTAROOT INBOX
		S: g BAD ...
		C: h NOOP
		S: h OK ...`)
	// There is an end to it, and none of it for what is no IMAP at all.
	many := o.dial()
	for range 5 {
		many.send("a XYZZY")
		many.want("a BAD ...")
	}
	many.talk(`
		C: a XYZZY
		S: * BYE ...
		S: EOF`)
	o.dial().talk(`
		C: POST / HTTP/1.1
		S: POST BAD ...
		S: * BYE ...
		S: EOF`)
}

// counted counts what is written to a client.
type counted struct {
	net.Listener
	writes atomic.Int64
}

func (l *counted) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return countedConn{conn, l}, err
}

type countedConn struct {
	net.Conn
	l *counted
}

func (c countedConn) Write(b []byte) (int, error) {
	c.l.writes.Add(1)
	return c.Conn.Write(b)
}

// watched tells when a connection was closed by the server.
type watched struct {
	net.Listener
	closed chan struct{}
	once   sync.Once
}

func (l *watched) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return watchedConn{conn, l}, err
}

type watchedConn struct {
	net.Conn
	l *watched
}

func (c watchedConn) Close() error {
	c.l.once.Do(func() { close(c.l.closed) })
	return c.Conn.Close()
}

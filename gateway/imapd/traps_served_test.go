package imapd_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/gateway/auth"
	"parley/gateway/imapd"
)

// Trap 9: lines are gathered before they are encrypted. The library flushes
// each, a record of TLS for every message.
func TestTrap9_LinesAreGathered(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := &counted{Listener: ln}
	cert, roots := certificate(t)
	o.roots, o.addr = roots, ln.Addr().String()
	o.serve(imapd.New(imapd.Config{TLS: tlsWith(cert), Seats: o.seats, Logins: o.logins, Limiter: auth.NewLimiter(9, 9), Log: o.base.Log}), l)
	o.file("Intake", letters(2000)...)
	c := o.in("ana", "Intake")
	for _, items := range []string{"FLAGS", "(FLAGS ENVELOPE)", "BODYSTRUCTURE", "BODY.PEEK[]"} {
		before := l.writes.Load()
		if n := len(c.ask("UID FETCH 1:* " + items)); n != 2000 {
			t.Errorf("%s: %d lines", items, n)
		}
		if n := l.writes.Load() - before; n > 100 {
			t.Errorf("%s: 2000 lines went out in %d writes", items, n)
		}
	}
	// Pipelined commands are answered together, too.
	before := l.writes.Load()
	c.write(strings.Repeat("n NOOP\r\n", 100))
	for range 100 {
		c.want("n OK ...")
	}
	if n := l.writes.Load() - before; n > 10 {
		t.Errorf("100 answers went out in %d writes", n)
	}
}

// Trap 10: what the library has is there, in both revisions, and what it has
// not is not promised.
func TestTrap10_Extensions(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", letters(2)...)
	c := o.as("ana")
	caps := strings.Fields(c.ask("CAPABILITY")[0])
	for _, want := range strings.Fields("IMAP4rev1 IMAP4rev2 UIDPLUS MOVE NAMESPACE SPECIAL-USE ESEARCH SEARCHRES LIST-EXTENDED LIST-STATUS STATUS=SIZE IDLE BINARY APPENDLIMIT=52428800") {
		if !slices.Contains(caps, want) {
			t.Errorf("no %s in %q", want, caps)
		}
	}
	for _, no := range []string{"LITERAL+", "CONDSTORE", "SORT", "THREAD=REFERENCES", "QUOTA", "COMPRESS=DEFLATE", "STARTTLS", "LOGINDISABLED"} {
		if slices.Contains(caps, no) {
			t.Errorf("%s is promised", no)
		}
	}
	c.talk(`
		C: a ENABLE IMAP4rev2
		S: * ENABLED IMAP4rev2
		S: a OK ...
		C: b SELECT Intake
		S: * 2 EXISTS
		S: * OK [UIDVALIDITY ...] ...
		S: * OK [UIDNEXT 3] ...
		S: * FLAGS (...)
		S: * OK [PERMANENTFLAGS (... \*)] ...
		S: * LIST () "/" "Intake"
		S: b OK [READ-WRITE] ...
		C: c SEARCH SUBJECT letter
		S: * ESEARCH (TAG "c") ALL 1:2
		S: c OK ...
		C: d STATUS Intake (SIZE DELETED)
		S: * STATUS "Intake" (DELETED 0 SIZE 342)
		S: d OK ...
		C: e MOVE 1 Trash
		S: * OK [COPYUID ... 1 1] ...
		S: * 1 EXPUNGE
		S: e OK ...
		C: f COPY 1 Held
		S: f NO [ALERT] nothing can be put into Held by hand; ...
		C: g UNSELECT
		S: g OK ...`)
}

// Trap 11: Thunderbird lists only what is subscribed, so everything is from the
// start, with folders of cases that come later.
func TestTrap11_AllFoldersSubscribed(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.opened("Overflow")
	c := o.as("ben")
	names := func(lines []string) (all []string) {
		for _, l := range lines {
			all = append(all, l[strings.Index(l, ` "/" `):])
		}
		return all
	}
	all := names(c.ask(`LIST "" *`))
	for _, command := range []string{`LIST (SUBSCRIBED) "" *`, `LSUB "" *`, `LIST (SUBSCRIBED) "" * RETURN (SPECIAL-USE)`} {
		if got := names(c.ask(command)); !slices.Equal(got, all) || len(all) < 20 {
			t.Errorf("%s: %d of %d folders", command, len(got), len(all))
		}
	}
}

// A client that does not read is let go.
func TestM8_ClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := &watched{Listener: ln, closed: make(chan struct{})}
	cert, roots := certificate(t)
	o.roots, o.addr = roots, ln.Addr().String()
	o.serve(imapd.New(imapd.Config{TLS: tlsWith(cert), Seats: o.seats, Logins: o.logins, Limiter: auth.NewLimiter(9, 9), Log: o.base.Log,
		Write: 100 * time.Millisecond}), l)
	o.file("Intake", mail{raw: "Subject: large\r\n\r\n" + strings.Repeat("filler\r\n", 1<<20)})
	slow := o.in("ana", "Intake")
	for range 4 {
		slow.send("a FETCH 1 BODY.PEEK[]")
	}
	select {
	case <-l.closed:
	case <-time.After(patience):
		t.Error("the server still waits for it")
	}
}

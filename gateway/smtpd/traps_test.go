package smtpd_test

import (
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// naive is the library as its examples use it: the control of each test here,
// which must do what our port must not.
type naive struct {
	flow   *flow
	from   string
	to     []string
	refuse error
}

func (n *naive) Reset()                                      { n.from, n.to = "", nil }
func (n *naive) Logout() error                               { return nil }
func (n *naive) Mail(from string, _ *smtp.MailOptions) error { n.from = from; return nil }
func (n *naive) Rcpt(to string, _ *smtp.RcptOptions) error {
	n.to = append(n.to, to)
	return n.refuse
}
func (n *naive) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	n.flow.mu.Lock()
	defer n.flow.mu.Unlock()
	n.flow.mails = append(n.flow.mails, mail{Text: string(b)})
	n.flow.mails[len(n.flow.mails)-1].From, n.flow.mails[len(n.flow.mails)-1].To = n.from, n.to
	return nil
}

// control runs the library with a naive session.
func control(t *testing.T, f *flow, set func(*smtp.Server, *naive)) string {
	t.Helper()
	n := &naive{flow: f}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return n, nil }))
	s.Domain, s.ErrorLog = domain, log.New(io.Discard, "", 0)
	if set != nil {
		set(s, n)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		_ = s.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

const toData = greet + `
	C: MAIL FROM:<a@peer.example>
	C: RCPT TO:<report@vdp.example.org>
	C: DATA
	S: 250 *
	S: 250 *
	S: 354 *
`

const forged = `
	C: MAIL FROM:<forged@peer.example>
	C: RCPT TO:<report@vdp.example.org>
	C: DATA
	C: Subject: forged
	C: .
`

func senders(f *flow) string {
	var all []string
	for _, m := range f.got() {
		all = append(all, m.From)
	}
	return strings.Join(all, " ")
}

// A client that is silent inside DATA loses the line: what it sends later is
// text of that message, and no command.
func TestM5_TimeoutInDataClosesTheLine(t *testing.T) {
	t.Parallel()
	half := toData + "C: half of a message\n"
	wild := &flow{}
	p := dial(t, control(t, wild, func(s *smtp.Server, _ *naive) { s.ReadTimeout = time.Second }))
	p.talk(half + "S: 554 *" + strings.ReplaceAll(forged, "C: DATA\n", "C: DATA\n\tS: 250 *\n\tS: 250 *\n\tS: 354 *\n") + "S: 250 *")
	if senders(wild) != "forged@peer.example" {
		t.Errorf("control kept: %s", senders(wild))
	}

	f := &flow{}
	c := config(f)
	c.Limits.Data = time.Second
	addr, _ := serve(t, c)
	p = dial(t, addr)
	p.talk(half + "S: 421 4.4.2 Timeout" + forged + "S: EOF")
	honest(t, addr, "127.0.0.1")
	if senders(f) != "finder@peer.example" {
		t.Errorf("kept: %s", senders(f))
	}
}

// BDAT whose connection ends early looks to a session like a whole message.
func TestM5_BdatIsNotOffered(t *testing.T) {
	t.Parallel()
	wild := &flow{}
	p := dial(t, control(t, wild, nil))
	p.talk(greet + `
	C: MAIL FROM:<a@peer.example>
	S: 250 *
	C: RCPT TO:<report@vdp.example.org>
	S: 250 *
	C: BDAT 1000 LAST
	C: Subject: cut`)
	must(t, p.Conn.(*net.TCPConn).CloseWrite())
	p.expect("250 *")
	if got := wild.got(); len(got) != 1 || got[0].Text != "Subject: cut\r\n" {
		t.Errorf("control kept %+v", got)
	}

	for _, bdat := range []string{"BDAT 1000 LAST", "BDAT 10", "bdat 0 LAST", "BDAT", "BDAT x"} {
		f := &flow{}
		addr, _ := serve(t, config(f))
		dial(t, addr).talk(greet + `
	C: MAIL FROM:<a@peer.example>
	S: 250 *
	C: RCPT TO:<report@vdp.example.org>
	S: 250 *
	C: ` + bdat + `
	C: Subject: cut
	S: 502 5.5.1 BDAT is not offered
	S: EOF`)
		if len(f.got()) != 0 {
			t.Errorf("%s: kept %+v", bdat, f.got())
		}
	}
}

// With a bad argument the library runs the chunk as commands.
func TestM5_BadBdatRunsNothing(t *testing.T) {
	t.Parallel()
	bad := greet + `
	C: MAIL FROM:<a@peer.example>
	S: 250 *
	C: BDAT 100 LOST
	C: RSET
	C: MAIL FROM:<forged@peer.example>
`
	wild := dial(t, control(t, &flow{}, nil))
	wild.talk(bad + "S: 501 *\nS: 250 *\nS: 250 2.0.0 Roger, accepting mail from <forged@peer.example>")

	addr, _ := serve(t, config(&flow{}))
	dial(t, addr).talk(bad + "S: 502 *\nS: EOF")
}

func TestM5_SecondMailIsRefused(t *testing.T) {
	t.Parallel()
	second := greet + `
	C: MAIL FROM:<a@peer.example>
	S: 250 *
	C: RCPT TO:<report@vdp.example.org>
	S: 250 *
	C: MAIL FROM:<forged@peer.example>
`
	rest := `
	C: DATA
	S: 354 *
	C: text
	C: .
	S: 250 *`
	wild := &flow{}
	dial(t, control(t, wild, nil)).talk(second + "S: 250 *" + rest)
	if senders(wild) != "forged@peer.example" {
		t.Errorf("control kept: %s", senders(wild))
	}

	f := &flow{}
	addr, _ := serve(t, config(f))
	dial(t, addr).talk(second + "S: 503 5.5.1 *" + rest)
	if senders(f) != "a@peer.example" {
		t.Errorf("kept: %s", senders(f))
	}
}

// Octets that two servers may read as different line ends smuggle mail from
// one into the other. (The library takes them all, and waits for more where
// CR CR LF stands before the dot.)
func TestM5_BareLineEndsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, text string
		wild       bool // the library takes the text
	}{
		{"bare LF", `one\ntwo\r\n.\r\n`, true},
		{"bare CR", `one\rtwo\r\n.\r\n`, true},
		{"NUL", `one\x00two\r\n.\r\n`, true},
		{"LF dot CRLF", `one\r\n\n.\r\n.\r\n`, true},
		{"LF dot LF, smuggling", `one\n.\nMAIL FROM:<forged@peer.example>\r\n.\r\n`, true},
		{"CR dot CR", `one\r.\r\r\n.\r\n`, false},
		{"CR CR LF before the dot", `one\r\r\n.\r\n`, false},
		{"LF first", `\none\r\n.\r\n`, true},
		{"dot LF", `one\r\n.\n\r\n.\r\n`, true},
		{"dot CR x", `one\r\n.\rx\r\n.\r\n`, true},
	} {
		if c.wild {
			wild := &flow{}
			dial(t, control(t, wild, nil)).talk(toData + "R: " + c.text + "\nS: 250 *")
		}
		f := &flow{}
		addr, _ := serve(t, config(f))
		dial(t, addr).talk(toData + "R: " + c.text + "\nC: NOOP\nS: 554 5.6.0 *\nS: EOF")
		if len(f.got()) != 0 {
			t.Errorf("%s: kept %+v", c.what, f.got())
		}
	}
}

// A text that breaks off is not kept, and the client can tell.
func TestM5_BrokenDataIsNotKept(t *testing.T) {
	t.Parallel()
	for _, end := range []string{`half`, `half\r\n`, `half\r\n.`, `half\r\n.\r`, `.`} {
		f := &flow{}
		addr, _ := serve(t, config(f))
		p := dial(t, addr)
		p.talk(toData)
		p.talk("R: " + end)
		must(t, p.Conn.(*net.TCPConn).CloseWrite())
		p.expect("421 *")
		p.expect("EOF")
		if len(f.got()) != 0 {
			t.Errorf("after %q: kept %+v", end, f.got())
		}
	}
}

// The same for commands: one that breaks off is not run.
func TestM5_BrokenCommandsAreNotRun(t *testing.T) {
	t.Parallel()
	half := greet + `
	R: MAIL FROM:<a@peer.example>`
	wild := dial(t, control(t, &flow{}, nil))
	wild.talk(half)
	must(t, wild.Conn.(*net.TCPConn).CloseWrite())
	wild.expect("250 *")

	addr, _ := serve(t, config(&flow{}))
	p := dial(t, addr)
	p.talk(half)
	must(t, p.Conn.(*net.TCPConn).CloseWrite())
	p.expect("EOF")
}

func TestM2_PlainErrorsStayInside(t *testing.T) {
	t.Parallel()
	rcpt := greet + `
	C: MAIL FROM:<a@peer.example>
	S: 250 *
	C: RCPT TO:<broken@vdp.example.org>
`
	wild := dial(t, control(t, &flow{}, func(_ *smtp.Server, n *naive) { n.refuse = io.ErrNoProgress }))
	wild.talk(rcpt + "S: 451 4.0.0 multiple Read calls return no data or error")

	addr, _ := serve(t, config(&flow{}))
	dial(t, addr).talk(rcpt + "S: 451 4.3.0 Not possible now, try again later")
}

// RFC 5321 section 4.1.1.3.
func TestBarePostmaster(t *testing.T) {
	t.Parallel()
	const mail = greet + "C: MAIL FROM:<a@peer.example>\nS: 250 *\n"
	dial(t, control(t, &flow{}, nil)).talk(mail + "C: RCPT TO:<postmaster>\nS: 501 *")

	f := &flow{}
	addr, _ := serve(t, config(f))
	dial(t, addr).talk(mail + `
	C: RCPT TO:<postmaster>
	S: 250 *
	C: rcpt to:<Postmaster>
	S: 250 *
	C: RCPT TO: <POSTMASTER> NOTIFY=NEVER
	S: 504 *
	C: RCPT TO:<abuse>
	S: 501 *
	C: DATA
	S: 354 *
	C: .
	S: 250 *`)
	if got := f.got(); len(got) != 1 || got[0].To[0] != "postmaster@vdp.example.org" {
		t.Errorf("kept %+v", got)
	}
}

// The library takes the quotes off, so that one address reads as another.
func TestQuotedLocalParts(t *testing.T) {
	t.Parallel()
	quoted := greet + `
	C: MAIL FROM:<"a b\"c\\d"@peer.example>
	S: 250 *
	C: RCPT TO:<"report"@vdp.example.org>
	S: 250 *
	C: RCPT TO:<"case+live x"@vdp.example.org>
	S: 250 *
	C: DATA
	S: 354 *
	C: .
	S: 250 *`
	wild := &flow{}
	dial(t, control(t, wild, nil)).talk(quoted)
	if got := wild.got(); len(got) != 1 || got[0].From != `a b"c\d@peer.example` {
		t.Errorf("control kept %+v", got)
	}

	f := &flow{}
	addr, _ := serve(t, config(f))
	dial(t, addr).talk(strings.Replace(quoted, `"case+live x"`, `case+live.x`, 1) + `
	C: MAIL FROM:<>
	S: 250 *
	C: RCPT TO:<"case+live x"@vdp.example.org>
	S: 550 *
	C: RCPT TO:<"report@vdp.example.org,x"@vdp.example.org>
	S: 550 *`)
	got := f.got()
	if len(got) != 1 || got[0].From != `"a b\"c\\d"@peer.example` || got[0].To[0] != "report@vdp.example.org" {
		t.Errorf("kept %+v", got)
	}
}

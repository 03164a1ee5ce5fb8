package smtpd_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"parley/gateway/auth"
	"parley/gateway/smtpd"
)

// sized is a message of exactly n octets as it travels, without dots at line
// starts, n ≥ 2.
func sized(n int) string {
	const line = "0123456789012345678901234567890123456789012345678901234567890123\r\n"
	text := strings.Repeat(line, n/len(line))
	if rest := n - len(text); rest >= 2 {
		return text + strings.Repeat("x", rest-2) + "\r\n"
	} else if rest == 1 {
		return "x" + text
	}
	return text
}

// The library refuses the message that just fits; ours takes it, dots aside,
// and not one octet more.
func TestP3_SizeAtTheEdge(t *testing.T) {
	t.Parallel()
	const most = 100_000
	send := func(p *peer, text, want string) {
		p.talk(`
	C: MAIL FROM:<a@peer.example>
	C: RCPT TO:<report@vdp.example.org>
	C: DATA
	S: 250 *
	S: 250 *
	S: 354 *`)
		_, err := p.Write([]byte(text + ".\r\n"))
		must(t, err)
		p.expect(want)
	}
	wild := dial(t, control(t, &flow{}, func(s *smtp.Server, _ *naive) { s.MaxMessageBytes = most }))
	wild.talk(greet)
	send(wild, sized(most), "552 *")

	f := &flow{}
	c := config(f)
	c.Limits.Size = most
	addr, _ := serve(t, c)
	p := dial(t, addr)
	p.talk(greet)
	send(p, sized(most), "250 2.0.0 kept")
	send(p, sized(most+1), "552 5.3.4 Message too large")
	send(p, sized(3*most), "552 5.3.4 Message too large")
	send(p, ".."+sized(most)[1:], "250 2.0.0 kept") // one dot more on the wire
	send(p, "small\r\n", "250 2.0.0 kept")
	if got := f.got(); len(got) != 3 || len(got[0].Text) != most || len(got[1].Text) != most || got[1].Text[0] != '.' {
		t.Errorf("kept %d mails", len(got))
	}
}

func TestP3_SizeParameter(t *testing.T) {
	t.Parallel()
	c := config(&flow{})
	c.Limits.Size = 100_000
	addr, _ := serve(t, c)
	dial(t, addr).talk(greet + `
	C: MAIL FROM:<a@peer.example> SIZE=100001
	S: 552 5.3.4 *
	C: MAIL FROM:<a@peer.example> SIZE=4000000000
	S: 552 5.3.4 *
	C: MAIL FROM:<a@peer.example> SIZE=x
	S: 501 *
	C: MAIL FROM:<a@peer.example> SIZE=100000
	S: 250 *`)
}

func TestM8_Recipients(t *testing.T) {
	t.Parallel()
	f := &flow{}
	c := config(f)
	c.Limits.Recipients = 3
	addr, _ := serve(t, c)
	dial(t, addr).talk(greet + `
	C: MAIL FROM:<a@peer.example>
	C: RCPT TO:<case+live1@vdp.example.org>
	C: RCPT TO:<nobody@vdp.example.org>
	C: RCPT TO:<case+live2@vdp.example.org>
	C: RCPT TO:<case+live3@vdp.example.org>
	C: RCPT TO:<case+live4@vdp.example.org>
	C: DATA
	S: 250 *
	S: 250 *
	S: 550 *
	S: 250 *
	S: 250 *
	S: 452 4.5.3 *
	S: 354 *
	C: .
	S: 250 *`)
	if got := f.got(); len(got) != 1 || len(got[0].To) != 3 {
		t.Errorf("kept %+v", got)
	}
}

func TestM8_Lines(t *testing.T) {
	t.Parallel()
	f := &flow{}
	addr, _ := serve(t, config(f))
	command := func(n int) string { return "NOOP " + strings.Repeat("x", n-7) }
	p := dial(t, addr)
	p.talk(greet + "C: " + command(2048) + "\nS: 250 *\nC: " + command(2049) + "\nS: 500 5.5.2 Line too long\nS: EOF")
	p = dial(t, addr)
	p.talk(greet + "C: " + command(1<<20) + "\nS: 500 5.5.2 Line too long\nS: EOF")

	// The library refuses lines of more than 2,000 octets in messages too.
	line := func(n int) string { return "C: " + strings.Repeat("x", n-2) + "\n" }
	dial(t, control(t, &flow{}, nil)).talk(toData + line(2100) + "C: .\nS: 554 *")
	p = dial(t, addr)
	p.talk(toData + line(8192) + "C: .\nS: 250 *")
	p = dial(t, addr)
	p.talk(toData + line(8193) + "C: .\nS: 554 5.6.0 Line too long\nS: EOF")
	p = dial(t, addr)
	p.talk(toData + line(1<<20) + "C: .\nS: 554 5.6.0 Line too long\nS: EOF")
	if got := f.got(); len(got) != 1 || len(got[0].Text) != 8192 {
		t.Errorf("kept %d mails", len(got))
	}
}

func TestM5_CommandsAreWellFormed(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{`NOOP\n`, `NOOP\rQUIT\r\n`, `NOOP \x00\r\n`, `NOOP \x1b[0m\r\n`, `NOOP\r\r\n`, `\n`} {
		addr, _ := serve(t, config(&flow{}))
		dial(t, addr).talk(greet + "R: " + raw + "\nS: 500 5.5.2 Lines are text and end in CR LF\nS: EOF")
	}
}

func TestM8_Commands(t *testing.T) {
	t.Parallel()
	c := config(&flow{})
	c.Limits.Commands = 5
	addr, _ := serve(t, c)
	p := dial(t, addr)
	p.talk(greet + strings.Repeat("C: NOOP\nS: 250 *\n", 4) + "C: NOOP\nS: 421 4.7.0 Too many commands\nS: EOF")

	// A message starts the count again.
	p = dial(t, addr)
	p.talk(toData + "C: .\nS: 250 *\n" + strings.Repeat("C: NOOP\nS: 250 *\n", 5) + "C: NOOP\nS: 421 *\nS: EOF")
}

func TestM8_BadCommands(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, config(&flow{}))
	dial(t, addr).talk(greet + strings.Repeat("C: MAKE TEA\nS: 500 *\n", 3) + "C: MAKE TEA\nS: 500 *\nS: 500 *\nS: EOF")
}

// M8: complete commands at a slow pace do not keep a connection either.
func TestM8_SessionTime(t *testing.T) {
	t.Parallel()
	c := config(&flow{})
	c.Limits.Session = 300 * time.Millisecond
	addr, _ := serve(t, c)
	p := dial(t, addr)
	p.talk(greet)
	go drip(p, "NOOP\r\n")
	for {
		switch got := p.reply(); {
		case strings.HasPrefix(got, "250 "):
			continue
		case got != "421 4.4.2 Timeout":
			t.Errorf("S: %s", got)
		}
		return
	}
}

// A client that reads no replies is cut off.
func TestM8_DeafClient(t *testing.T) {
	t.Parallel()
	c := config(&flow{})
	c.Limits.Command, c.Limits.Commands = 300*time.Millisecond, 1<<30
	c.Limiter = auth.NewLimiter(1, 1)
	addr, _ := serve(t, c)
	p := dial(t, addr)
	must(t, p.Conn.(*net.TCPConn).SetReadBuffer(4096))
	p.talk(greet)
	noops := []byte(strings.Repeat("NOOP\r\n", 10_000))
	var err error
	for err == nil {
		_, err = p.Write(noops)
	}
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Error("still connected")
	}
}

func TestM8_ConnectionsPerAddress(t *testing.T) {
	t.Parallel()
	c := config(&flow{})
	c.Limiter = auth.NewLimiter(3, 2)
	addr, _ := serve(t, c)
	first, second := dial(t, addr), dial(t, addr)
	first.talk(greet)
	second.talk(greet)
	dial(t, addr).talk("S: 421 4.7.0 too many connections, try again later\nS: EOF")
	honest(t, addr, "127.0.0.2") // another address still gets in
	third := dialFrom(t, addr, "127.0.0.3")
	third.talk(greet)
	dialFrom(t, addr, "127.0.0.2").talk("S: 421 4.7.0 *\nS: EOF") // full for everybody
	first.talk("C: QUIT\nS: 221 *\nS: EOF")
	honest(t, addr, "127.0.0.1")
}

// comesIn waits until there is room: the server sees the end of a connection
// some time after its client.
func comesIn(t *testing.T, addr string) {
	t.Helper()
	for range 1000 {
		p := dial(t, addr)
		got := p.reply()
		_ = p.Close()
		if strings.HasPrefix(got, "220 ") {
			return
		}
	}
	t.Error("no room")
}

// Every way of ending gives its place back.
func TestM8_PlacesComeBack(t *testing.T) {
	t.Parallel()
	c := config(&flow{})
	c.Limiter = auth.NewLimiter(1, 1)
	c.TLS, _ = certificate(t)
	addr, _ := serve(t, c)
	for i, end := range []func(*peer){
		func(p *peer) { _ = p.Close() },
		func(p *peer) { p.talk(greet + "C: QUIT\nS: 221 *\nS: EOF") },
		func(p *peer) { p.talk(greet + "C: BDAT 1\nS: 502 *\nS: EOF") },
		func(p *peer) { p.talk(toData + "R: \\n\nS: 554 *\nS: EOF") },
		func(p *peer) { p.talk(greet + "C: STARTTLS\nS: 220 *\nC: no handshake\nS: *EOF") },
		func(p *peer) { p.talk(toData); _ = p.Close() },
	} {
		comesIn(t, addr)
		p := &peer{}
		for p.Conn == nil {
			p = dial(t, addr)
			if b, _ := p.in.Peek(3); string(b) != "220" {
				p = &peer{}
			}
		}
		end(p)
		_ = p.Close()
		if t.Failed() {
			t.Fatal(fmt.Sprint("ending ", i))
		}
	}
	comesIn(t, addr)
}

// New insists on bounds: the library's defaults are none.
func TestM8_NothingIsUnlimited(t *testing.T) {
	t.Parallel()
	for i, unset := range []func(*smtpd.Limits){
		func(l *smtpd.Limits) { l.Size = 0 }, func(l *smtpd.Limits) { l.Recipients = 0 }, func(l *smtpd.Limits) { l.Commands = 0 },
		func(l *smtpd.Limits) { l.Command = 0 }, func(l *smtpd.Limits) { l.Data = 0 }, func(l *smtpd.Limits) { l.Session = 0 },
		func(l *smtpd.Limits) { l.Logins = 0 },
	} {
		c := config(&flow{})
		unset(&c.Limits)
		if _, err := smtpd.New(c); err == nil {
			t.Errorf("limit %d may be unset", i)
		}
	}
}

package smtpd_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/gateway/auth"
	"parley/gateway/smtpd"
	"parley/mailflow"
)

// script is a client that has said everything already, and listens at the end. Its
// packets are lines, or pieces of so many octets.
type script struct {
	net.Conn // nil: what is called must stand below
	left     []byte
	packet   int // 0: a line
	heard    bytes.Buffer
	from     net.Addr
	closed   chan struct{}
	once     sync.Once
}

func (s *script) Read(p []byte) (int, error) {
	switch {
	case s.heard.Len() == 0:
		return 0, os.ErrDeadlineExceeded // it waits for the greeting
	case len(s.left) == 0:
		return 0, io.EOF
	}
	n := min(s.packet, len(s.left))
	if s.packet == 0 {
		n = bytes.IndexByte(s.left, '\n') + 1
		if n == 0 {
			n = len(s.left)
		}
	}
	n = copy(p, s.left[:n])
	s.left = s.left[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error)      { return s.heard.Write(p) }
func (s *script) Close() error                     { s.once.Do(func() { close(s.closed) }); return nil }
func (s *script) LocalAddr() net.Addr              { return s.from }
func (s *script) RemoteAddr() net.Addr             { return s.from }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// given is a port of which both ends lie in this process.
type given struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newGiven() *given { return &given{conns: make(chan net.Conn), done: make(chan struct{})} }

func (g *given) Accept() (net.Conn, error) {
	select {
	case c := <-g.conns:
		return c, nil
	case <-g.done:
		return nil, net.ErrClosed
	}
}

func (g *given) Close() error   { g.once.Do(func() { close(g.done) }); return nil }
func (g *given) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// words is a log that can be read while it is written.
type words struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *words) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.b.Reset()
	return w.b.String()
}

func (f *flow) take() []mail {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.mails
	f.mails = nil
	return all
}

// fuzzedPort is a port with narrow limits, so that a short dialogue meets them.
type fuzzedPort struct {
	*given
	smtpd.Config
	said words
}

func newFuzzedPort(t testing.TB, c smtpd.Config) *fuzzedPort {
	p := &fuzzedPort{given: newGiven()}
	c.Limits.Size, c.Limits.Recipients, c.Limits.Commands = 500, 3, 40
	c.Log = slog.New(slog.NewTextHandler(&p.said, nil))
	p.Config = c
	serveOn(t, c, p.given)
	return p
}

// hear plays a client to its end and returns what it heard.
func (p *fuzzedPort) hear(t *testing.T, said []byte, packet int) string {
	s := &script{left: said, packet: packet, closed: make(chan struct{}), from: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 25}}
	p.conns <- s
	select {
	case <-s.closed:
	case <-time.After(time.Minute):
		t.Fatalf("the server hangs after %q", said)
	}
	return s.heard.String()
}

// calm fails what no client may bring about.
func (p *fuzzedPort) calm(t *testing.T, said []byte, heard string) {
	t.Helper()
	if log := p.said.take(); strings.Contains(log, "panic") || strings.Contains(log, "level=ERROR") {
		t.Errorf("%q: the log says %s", said, log)
	}
	if n := p.Limiter.Open(); n != 0 {
		t.Errorf("%q: %d connections are left", said, n)
	}
	if !strings.HasPrefix(heard, "220") {
		t.Errorf("%q: greeted with %.100q", said, heard)
	}
	checkReplies(t, heard)
}

// yesses are the replies that promise to keep a mail, in LMTP for one recipient.
var yesses = regexp.MustCompile(`(?m)^250 2\.0\.0 (<.*> )?kept\r$`)

var replyLine = regexp.MustCompile(`^[2-5]\d\d[ -][ -~]*$`)

// checkReplies wants whole replies (RFC 5321 section 4.2): lines of ASCII of at most
// 512 octets, those of one reply with one code.
func checkReplies(t *testing.T, heard string) {
	t.Helper()
	code := ""
	for line := range strings.SplitSeq(strings.TrimSuffix(heard, "\r\n"), "\r\n") {
		if !replyLine.MatchString(line) || len(line) > 510 || code != "" && line[:3] != code {
			t.Fatalf("%.600q is no line of a reply, in %.3000q", line, heard)
		}
		if code = ""; line[3] == '-' {
			code = line[:3]
		}
	}
	if code != "" || !strings.HasSuffix(heard, "\r\n") {
		t.Fatalf("a reply breaks off: %.3000q", heard)
	}
}

// dictated is a text that stands in a dialogue, after a line DATA.
type dictated struct {
	begin, end int
	text       string
}

// dictation is every text that could be meant, read in the plainest way.
func dictation(said []byte) (all []dictated) {
	for at := 0; at < len(said); {
		i := bytes.IndexByte(said[at:], '\n')
		if i < 0 {
			break
		}
		line := said[at : at+i+1]
		at += i + 1
		if !strings.EqualFold(strings.TrimSpace(string(line)), "DATA") {
			continue
		}
		d := dictated{begin: at, end: at}
		for d.end < len(said) {
			i := bytes.IndexByte(said[d.end:], '\n')
			if i < 0 {
				break
			}
			row := said[d.end : d.end+i+1]
			d.end += i + 1
			if string(row) == ".\r\n" {
				all = append(all, d)
				break
			}
			d.text += strings.TrimPrefix(string(row), ".")
		}
	}
	return all
}

// checkKept: each mail that was kept was dictated, one after the other, and its
// recipients were said after the mail before it.
func checkKept(t *testing.T, said []byte, kept []mail) {
	t.Helper()
	could, at := dictation(said), 0
	for _, m := range kept {
		for len(could) > 0 && (could[0].begin < at || could[0].text != m.Text || !couldBeTo(said[at:could[0].begin], len(m.To))) {
			could = could[1:]
		}
		if len(could) == 0 || len(m.To) == 0 || len(m.To) > 3 {
			t.Fatalf("nobody dictated %q to %d recipients in %q", m.Text, len(m.To), said)
		}
		if at = could[0].end; len(m.Text) > 500 || bytes.ContainsAny([]byte(m.From+m.Hello+strings.Join(m.To, "")), "\r\n\x00") {
			t.Fatalf("%d octets from %q, %q to %q", len(m.Text), m.From, m.Hello, m.To)
		}
	}
}

// couldBeTo says whether so many recipients of a mail could have been said there. The
// same text may stand before it, where it was none of a mail.
func couldBeTo(said []byte, recipients int) bool {
	lines := strings.ToUpper("\n" + string(said))
	return strings.Count(lines, "\nRCPT") >= recipients && strings.Contains(lines, "\nMAIL")
}

const greets = "EHLO mx.acme.example\r\nMAIL FROM:<a@acme.example>\r\nRCPT TO:<report@vdp.example.org>\r\n"

var dialogues = []string{
	"", "QUIT\r\n", "NOOP\r\nHELP\r\nVRFY x\r\nEXPN y\r\n", "HELO x\r\nHELO y\r\n", "LHLO mx\r\nMAIL FROM:<>\r\nRCPT TO:<report@vdp.example.org>\r\nRCPT TO:<postmaster>\r\nDATA\r\na\r\n.\r\nQUIT\r\n",
	greets + "DATA\r\nSubject: x\r\n\r\n..a\r\n.\r\n" + greets + "DATA\r\nb\r\n.\r\nQUIT\r\n", greets + "RSET\r\nDATA\r\nx\r\n.\r\n", greets + "DATA\r\na\n.\nMAIL FROM:<b@b.example>\r\n.\r\n",
	greets + "DATA\r\na\r\n.\r\r\n.\r\n", greets + "BDAT 3 LAST\r\nabc", greets + "DATA\r\n" + strings.Repeat("0123456789\r\n", 60) + ".\r\nNOOP\r\n", greets + "MAIL FROM:<c@d.example>\r\n",
	greets + "RCPT TO:<case+live@vdp.example.org>\r\nRCPT TO:<nobody@vdp.example.org>\r\nRCPT TO:<postmaster>\r\nRCPT TO:<POSTMASTER@VDP.EXAMPLE.ORG>\r\nDATA\r\n.\r\n",
	"EHLO x\r\nMAIL FROM:<a@b> SIZE=501\r\nMAIL FROM:<a@b> SIZE=5 BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<\"a b\\\"\"@vdp.example.org>\r\nRCPT TO:<\xc3\xa9@vdp.example.org>\r\n",
	"STARTTLS\r\nEHLO x\r\nSTARTTLS x\r\nAUTH PLAIN AGFuYQB4\r\nAUTH\r\n", "EHLO x\r\n" + strings.Repeat("NOOP\r\n", 50), "EHLO \x00\r\n", "EHLO x\n", "EHLO " + strings.Repeat("x", 1500) + "\r\n", strings.Repeat("x", 3000) + "\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"EHLO x\r\nMAIL FROM:<" + strings.Repeat("a", 300) + "@b.example>\r\nRCPT TO:<broken@vdp.example.org>\r\nRCPT TO:<wrapped@vdp.example.org>\r\nRCPT TO:<@a,@b:report@vdp.example.org>\r\n", greets + "DATA\r\nhalf",
	"EHLO x\r\nMAIL FROM:<> RET=HDRS ENVID=x AUTH=<>\r\nRCPT TO:<report@vdp.example.org> NOTIFY=NEVER ORCPT=rfc822;x\r\n", "XCLIENT ADDR=1.2.3.4\r\nXFORWARD NAME=x\r\n", greets + "DATA x\r\nDATA \r\nx\r\n.\r\n",
}

// FuzzDialogue plays anything to the public port, over TCP and, behind a mail server
// of ours, LMTP: pipelined, line by line or in pieces. No client ends the server or
// leaves anything behind, hears what is not for it, or brings a mail about that it
// did not dictate.
func FuzzDialogue(f *testing.F) {
	for i, d := range dialogues {
		f.Add([]byte(d), uint16(0), i%2 == 1)
		f.Add([]byte(d), uint16(i*i), i%2 == 0)
	}
	fl := &flow{}
	ports := map[bool]*fuzzedPort{}
	for _, lmtp := range []bool{false, true} {
		c := config(fl)
		c.LMTP, c.Limiter = lmtp, auth.NewLimiter(1, 1)
		c.Intake = noPanic{fl}
		ports[lmtp] = newFuzzedPort(f, c)
	}
	f.Fuzz(func(t *testing.T, said []byte, packet uint16, lmtp bool) {
		p := ports[lmtp]
		heard := p.hear(t, said, int(packet))
		p.calm(t, said, heard)
		kept, yes := fl.take(), len(yesses.FindAllString(heard, -1))
		promised := len(kept)
		if lmtp {
			promised = 0
			for _, m := range kept {
				promised += len(m.To) // an answer for each (RFC 2033 section 4.2)
			}
		}
		if yes != promised {
			t.Errorf("%d mails were kept, and %d replies say so: %q hears %q", promised, yes, said, heard)
		}
		checkKept(t, said, kept)
		for _, secret := range []string{"the case of acme", "\n235", "250-AUTH", "250-CHUNKING"} {
			if strings.Contains(heard, secret) && !bytes.Contains(said, []byte(secret)) {
				t.Errorf("%q: it hears %q", said, heard)
			}
		}
	})
}

// noPanic is a flow that never fails by itself, so that the log tells of the server.
type noPanic struct{ *flow }

func (n noPanic) CheckRcpt(ctx context.Context, env mailflow.Envelope, rcpt string) error {
	if local, _, _ := strings.Cut(strings.ToLower(rcpt), "@"); local == "panic" || local == "broken" {
		return noMailbox
	}
	if !strings.Contains(rcpt, "@") {
		return noMailbox
	}
	return n.flow.CheckRcpt(ctx, env, rcpt)
}

package smtpd_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/gateway/auth"
)

// addressed is the server's end of a pipe, as if the client had an address.
type addressed struct {
	net.Conn
	from  net.Addr
	close func() error // once
}

func (a addressed) Close() error { return a.close() }

func (a addressed) RemoteAddr() net.Addr { return a.from }

// fuzzedSubmission is a submission port to which each client comes from an address of
// its own, eleven minutes after one whose login failed: that does not count for the next.
// A password that was right is remembered for those minutes, and not hashed again.
type fuzzedSubmission struct {
	fuzzedPort
	desk   *desk
	trust  *tls.Config
	client uint32
	denied atomic.Bool
	breaks atomic.Int32 // of eleven minutes
}

func newFuzzedSubmission(t testing.TB) *fuzzedSubmission {
	t.Helper()
	p := &fuzzedSubmission{fuzzedPort: fuzzedPort{given: newGiven()}, desk: &desk{}}
	c := submission(t, p.desk)
	c.Limiter = auth.NewLimiter(1, 1)
	c.Limits.Size, c.Limits.Recipients, c.Limits.Commands = 500, 3, 40
	c.Log = slog.New(slog.NewTextHandler(&p.said, nil))
	begun := time.Now()
	c.Logins.Now = func() time.Time { return begun.Add(time.Duration(p.breaks.Load()) * 11 * time.Minute) }
	c.Logins.Tried = func(result string) {
		if result != "good" {
			p.denied.Store(true)
		}
	}
	// It is the dialogue that is tried, and not the handshake: one of TLS 1.2 that is
	// resumed needs no public key.
	p.trust = &tls.Config{InsecureSkipVerify: true, ServerName: domain, ClientSessionCache: tls.NewLRUClientSessionCache(1), MaxVersion: tls.VersionTLS12}
	p.Config = c
	serveOn(t, c, p.given)
	return p
}

// hear plays a client over TLS to its end and returns what it heard. Its packets are
// lines, or pieces of so many octets.
func (p *fuzzedSubmission) hear(t *testing.T, said []byte, packet int) string {
	if p.denied.Swap(false) {
		p.breaks.Add(1)
	}
	p.client++
	n := p.client
	ours, theirs := net.Pipe()
	defer func() { _ = ours.Close() }()
	_ = ours.SetDeadline(time.Now().Add(time.Minute)) // a pipe takes any
	closed := make(chan struct{})
	p.conns <- addressed{theirs, &net.TCPAddr{IP: net.IPv4(10, byte(n>>16), byte(n>>8), byte(n)), Port: 465},
		sync.OnceValue(func() error { defer close(closed); return theirs.Close() })}
	c := tls.Client(ours, p.trust)
	done := make(chan error, 1)
	go func() { done <- speak(c, said, packet) }()
	heard, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Fatalf("after %q: %v, heard %q", said, err, heard)
	}
	_ = ours.Close()
	<-done // who is sent away has not said all
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Fatalf("the server hangs after %q", said)
	}
	return string(heard)
}

// speak says all, and that it is over.
func speak(c *tls.Conn, said []byte, packet int) error {
	for len(said) > 0 {
		n := min(packet, len(said))
		if packet == 0 {
			if n = bytes.IndexByte(said, '\n') + 1; n == 0 {
				n = len(said)
			}
		}
		if _, err := c.Write(said[:n]); err != nil {
			return err
		}
		said = said[n:]
	}
	if err := c.Handshake(); err != nil { // of who says nothing
		return err
	}
	return c.CloseWrite()
}

// loginsGood says whether a login and its password were dictated, in either mechanism
// and by nobody for somebody else.
func loginsGood(said []byte) bool {
	text := string(said)
	for _, word := range base64Word.FindAllString(text, -1) {
		plain := string(unb64(word))
		as := strings.Split(plain, "\x00")
		if plain == password || len(as) == 3 && (as[0] == "" || as[0] == as[1]) && as[2] == password {
			return true
		}
	}
	return false
}

// toSome says whether a mail was kept after one of its recipients was refused: each
// transaction begins with the reply to MAIL.
func toSome(heard string) bool {
	refused := false
	for line := range strings.Lines(heard) {
		switch {
		case strings.Contains(line, "accepting mail"):
			refused = false
		case strings.Contains(line, "in one mail: "):
			refused = true
		case refused && yesses.MatchString(line):
			return true
		}
	}
	return false
}

// unb64 decodes as the server may, with or without what fills the end.
func unb64(s string) []byte {
	b, _ := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "=")) // what can be read of it
	return b
}

var base64Word = regexp.MustCompile(`[A-Za-z0-9+/]+={0,2}`)

const (
	says     = "EHLO laptop.example\r\n"
	writes   = "MAIL FROM:<ana@desk.example.org>\r\nRCPT TO:<acme.par-2026-0007@desk.example.org>\r\n"
	dictates = "DATA\r\nSubject: x\r\n\r\n..a\r\n.\r\n"
)

var submissions = []string{
	"", "QUIT\r\n", says + writes + dictates, "AUTH PLAIN " + plainOK + "\r\n", says + "AUTH\r\nAUTH PLAIN\r\n*\r\nAUTH PLAIN\r\n" + plainOK + "\r\n" + writes + dictates + "QUIT\r\n",
	says + "AUTH LOGIN\r\n" + b64("ana") + "\r\n" + b64(password) + "\r\n" + writes + dictates, says + "AUTH LOGIN " + b64("ana@desk.example.org") + "\r\n" + b64(password) + "\r\n" + writes + "RSET\r\n" + dictates,
	says + "AUTH PLAIN " + b64("ben\x00ana\x00"+password) + "\r\n" + writes + dictates, says + "AUTH PLAIN " + b64("ana\x00ana\x00"+password) + "\r\n" + writes + dictates,
	says + strings.Repeat("AUTH PLAIN "+b64("\x00ana\x00wrong")+"\r\n", 4), says + "AUTH PLAIN =\r\nAUTH LOGIN =\r\n\r\n\r\nAUTH CRAM-MD5\r\nAUTH PLAIN !!!\r\n",
	says + "AUTH PLAIN " + plainOK + "\r\nAUTH PLAIN " + plainOK + "\r\n" + writes + "RCPT TO:<ben@desk.example.org>\r\n" + dictates + writes + dictates,
	says + "AUTH PLAIN " + plainOK + "\r\nMAIL FROM:<ben@desk.example.org>\r\nMAIL FROM:<>\r\n" + writes + "DATA\r\na\n.\nMAIL FROM:<x@x>\r\n.\r\n",
	says + "AUTH PLAIN " + plainOK + "\r\n" + says + writes + dictates + "STARTTLS\r\n" + writes + "DATA\r\nhalf", "LHLO x\r\nSTARTTLS\r\nEHLO \x00\r\n" + strings.Repeat("NOOP\r\n", 50),
	says + "AUTH LOGIN\r\n" + strings.Repeat("QUJD", 600) + "\r\nDATA\r\nMAIL FROM:<ana@desk.example.org> AUTH=<> SIZE=501\r\n", says + "BDAT 3 LAST\r\nabcVRFY ana\r\nEXPN ana\r\nHELP\r\n",
}

// FuzzSubmission plays anything to the submission port, over TLS, before or after a
// good login. No client ends the server or leaves anything behind; none comes in
// without a password that is right; and no mail is kept but one that was dictated by
// who came in, from its own address, and whose every recipient was taken.
func FuzzSubmission(f *testing.F) {
	for i, d := range submissions {
		f.Add([]byte(d), uint16(0), i%2 == 0)
		f.Add([]byte(d), uint16(i*i), i%2 == 1)
	}
	p := newFuzzedSubmission(f)
	f.Fuzz(func(t *testing.T, said []byte, packet uint16, in bool) {
		if in {
			said = append([]byte(says+"AUTH PLAIN "+plainOK+"\r\n"), said...)
		}
		heard := p.hear(t, said, int(packet))
		kept := p.desk.take()
		if heard == "" && len(kept) == 0 {
			return // it went before the greeting
		}
		p.calm(t, said, heard)
		if in := strings.Contains(heard, "\n235 "); in && !loginsGood(said) || !in && len(kept) > 0 {
			t.Fatalf("%q: it hears %q, and %d mails are kept", said, heard, len(kept))
		}
		if yes := len(yesses.FindAllString(heard, -1)); yes != len(kept) {
			t.Errorf("%d mails were kept, and %d replies say so: %q hears %q", len(kept), yes, said, heard)
		}
		if toSome(heard) {
			t.Errorf("%q: a mail was kept of which one recipient was refused: it hears %q", said, heard)
		}
		for _, m := range kept {
			if m.Login != "ana" || m.From != "ana@desk.example.org" || !m.TLS || len(m.To) != 1 {
				t.Errorf("%q: %q from %q to %q", said, m.Login, m.From, m.To)
			}
		}
		checkKept(t, said, kept)
	})
}

package smtpd_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// peer is a client that says what a test wants, right or wrong.
type peer struct {
	t testing.TB
	net.Conn
	in *bufio.Reader
}

// patience is how long a peer waits for a reply before the test fails.
const patience = 20 * time.Second

func dial(t testing.TB, addr string) *peer { return dialFrom(t, addr, "127.0.0.1") }

// dialFrom dials from any address of the loopback network.
func dialFrom(t testing.TB, addr, from string) *peer {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	c, err := d.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetDeadline(time.Now().Add(patience)))
	return &peer{t, c, bufio.NewReader(c)}
}

// dialTLS dials a port with implicit TLS.
func dialTLS(t testing.TB, addr string) *peer {
	t.Helper()
	p := dial(t, addr)
	p.secure()
	return p
}

func (p *peer) secure() {
	p.t.Helper()
	tc := tls.Client(p.Conn, &tls.Config{InsecureSkipVerify: true})
	must(p.t, tc.Handshake())
	p.Conn, p.in = tc, bufio.NewReader(tc)
}

// talk plays a dialogue. "C: " lines are sent with CR LF, those that stand
// together in one packet; "R: " is sent raw, with Go's escapes; "S: " is the
// reply, its lines joined by "|", "*" for any text; "S: EOF" the server's
// end of the connection; "TLS" a handshake.
func (p *peer) talk(script string) {
	p.t.Helper()
	var send strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(script), "\n") {
		line = strings.TrimLeft(line, "\t")
		if line == "" {
			continue
		}
		if text, ok := strings.CutPrefix(line, "C: "); ok {
			send.WriteString(text + "\r\n")
			continue
		}
		if text, ok := strings.CutPrefix(line, "R: "); ok {
			raw, err := strconv.Unquote(`"` + text + `"`)
			must(p.t, err)
			send.WriteString(raw)
			continue
		}
		_, _ = io.WriteString(p, send.String()) // the server may have closed: the replies tell
		send.Reset()
		if line == "TLS" {
			p.secure()
			continue
		}
		p.expect(strings.TrimPrefix(line, "S: "))
	}
	_, _ = io.WriteString(p, send.String())
}

// expect reads one reply and compares.
func (p *peer) expect(want string) {
	p.t.Helper()
	got := p.reply()
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(want), `\*`, ".*") + "$"
	if !regexp.MustCompile(pattern).MatchString(got) {
		p.t.Fatalf("S: %s\nwant: %s", got, want)
	}
}

// reply reads one reply, its lines joined by "|"; "EOF" at the end.
func (p *peer) reply() string {
	var lines []string
	for {
		line, err := p.in.ReadString('\n')
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			return "(nothing)"
		}
		if err != nil {
			return strings.Join(append(lines, "EOF"), "|")
		}
		lines = append(lines, strings.TrimSuffix(line, "\r\n"))
		if len(line) < 4 || line[3] != '-' {
			return strings.Join(lines, "|")
		}
	}
}

// greet is the opening of most dialogues.
const greet = `
	S: 220 *
	C: EHLO peer.example
	S: 250-*
`

// honest sends one mail as a client should, and must be served.
func honest(t testing.TB, addr, from string) {
	t.Helper()
	p := dialFrom(t, addr, from)
	p.talk(greet + `
	C: MAIL FROM:<finder@peer.example>
	C: RCPT TO:<report@vdp.example.org>
	C: DATA
	S: 250 *
	S: 250 *
	S: 354 *
	C: Subject: honest
	C: 
	C: Hello.
	C: .
	S: 250 2.0.0 kept
	C: QUIT
	S: 221 *
	S: EOF`)
}

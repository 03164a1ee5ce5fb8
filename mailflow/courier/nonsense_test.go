package courier

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"parley/mailflow/mailtest"
)

// Answers that no server gives: lines whose codes differ, none at all, an empty one, a line without an end. Before the final dot the
// mail waits, after it nobody knows; no word of theirs is repeated.
func TestM6_Nonsense(t *testing.T) {
	t.Parallel()
	places := []struct {
		name, until string
		outcome     Outcome
		step        Step
	}{
		{"greeting", "", Later, Hello}, {"MAIL", untilMail, Later, MailFrom}, {"RCPT", untilRcpt, Later, RcptTo},
		{"DATA", untilData, Later, Data}, {"dot", untilDot, Unknown, Answer},
	}
	for kind, nonsense := range map[string]string{
		"codes differ": `S: 250-canary\r\n550 canary\r\n354 canary`, "no end": `S: 250-canary\r\n250-canary`, "no code": "S: canary", "empty": "S: ",
		"a page": `S: HTTP/1.1 200 canary\r\n\r\n<html>`, "long line": "S: 250 " + strings.Repeat("canary", 1000), "negative": "S: -50 canary",
	} {
		for _, p := range places {
			t.Run(kind+" at "+p.name, func(t *testing.T) {
				t.Parallel()
				s := speaks(t, p.until+"\n"+nonsense+"\nX")
				r := to(t, s.addr).Deliver(t.Context(), mailOf(testMessage))
				want(t, r, p.outcome, p.step)
				if r.Code/100 == 2 || strings.Contains(r.Text+r.String(), "canary") {
					t.Errorf("it was taken for an answer: %+v", r)
				}
			})
		}
	}
}

// endless greets and then gives the same line for ever, and says how much was taken of it.
func endless(t *testing.T, before func(net.Conn) (io.ReadWriter, error)) (addr string, taken chan int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	taken = make(chan int64, 1)
	go func() {
		n := int64(0)
		defer func() { taken <- n }()
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		rw, err := before(c)
		if err != nil {
			return
		}
		if _, err := io.WriteString(rw, "220 relay.example.org\r\n"); err != nil {
			return
		}
		line := bytes.Repeat([]byte("250-and one more\r\n"), 1000)
		for end := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(end); {
			var k int
			k, err = rw.Write(line)
			n += int64(k)
		}
	}()
	return l.Addr().String(), taken
}

// An answer of lines without end is given up after 256 KiB, and not read until the time is over or the memory is.
func TestM6_EndlessAnswer(t *testing.T) {
	t.Parallel()
	ca, err := mailtest.NewAuthority()
	must(t, err)
	config, err := ca.Server(time.Now(), "127.0.0.1")
	must(t, err)
	for name, c := range map[string]struct {
		how    Security
		before func(net.Conn) (io.ReadWriter, error)
	}{
		"in clear": {Loopback, func(c net.Conn) (io.ReadWriter, error) { return c, nil }},
		"in TLS": {ImplicitTLS, func(c net.Conn) (io.ReadWriter, error) {
			conn := tls.Server(c, config)
			return conn, conn.Handshake()
		}},
		"before STARTTLS": {StartTLS, func(c net.Conn) (io.ReadWriter, error) { return c, nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, taken := endless(t, c.before)
			courier := to(t, addr)
			courier.Security, courier.TLS, courier.Timeout = c.how, ca.Roots(), 8*time.Second
			begun := time.Now()
			r := courier.Deliver(t.Context(), mailOf(testMessage))
			want(t, r, Later, Hello)
			if c.how != StartTLS && !errors.Is(r.Err, errEndless) {
				t.Errorf("it ended with %v", r.Err)
			}
			if d := time.Since(begun); d > 6*time.Second {
				t.Errorf("it took %s", d)
			}
			if n := <-taken; n > 16<<20 { // what the kernel's buffers hold is in it
				t.Errorf("%d bytes of the answer were taken", n)
			}
		})
	}
}

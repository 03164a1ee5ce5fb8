package courier

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// oracle is a server that has written all its answers before it was asked.
type oracle struct {
	net.Conn // nil: what is called must stand below
	says     *bytes.Reader
	heard    bytes.Buffer
}

func (o *oracle) Read(p []byte) (int, error)       { return o.says.Read(p) }
func (o *oracle) Write(p []byte) (int, error)      { return o.heard.Write(p) }
func (o *oracle) Close() error                     { return nil }
func (o *oracle) SetDeadline(time.Time) error      { return nil }
func (o *oracle) SetReadDeadline(time.Time) error  { return nil }
func (o *oracle) SetWriteDeadline(time.Time) error { return nil }

// FuzzReplies answers a whole mail with anything. It is sent only where the whole
// left and a server said yes at the end; what may have been taken is never called
// refused without a code; and no word of the server reaches a log.
func FuzzReplies(f *testing.F) {
	const ok = "220 mx\r\n250-mx\r\n250 8BITMIME\r\n250 2.1.0 ok\r\n250 ok\r\n354 go\r\n"
	for _, s := range []string{
		"", ok, ok + "250 2.0.0 kept\r\n", ok + "550 5.7.1 no\r\n", ok + "451 later\r\n", ok + "354 again\r\n", ok + "250", ok + "250-a\r\n250-b\r\n250 c\r\n", ok + "250-a\r\n550 b\r\n", ok + "999 x\r\n", ok + "25\r\n",
		"220 mx\r\n502 no\r\n250 mx\r\n550 5.1.1 <jo@acme.example> unknown\r\n", "554 go away\r\n", "220 mx\r\n250 mx\r\n250 a\r\n421 4.3.2 bye\r\n", "220-a\r\n220-b\r\n", "HTTP/1.1 400 Bad\r\n", "220 " + strings.Repeat("x", 5000) + "\r\n",
		ok + "250 \x00\x1b[31m\xff\r\n", ok + "\r\n", ok + "250 2.0.0 a\n", "220 mx\r\n250 mx\r\n250 a\r\n250 b\r\n554 5.5.1 no data\r\n250 2.0.0 kept\r\n",
	} {
		f.Add([]byte(s))
	}
	const text = "Subject: x\r\n\r\n.dot\r\n"
	f.Fuzz(func(t *testing.T, says []byte) {
		o := &oracle{says: bytes.NewReader(says)}
		l := &line{Conn: o, step: time.Minute}
		client := smtp.NewClient(l)
		defer func() { _ = client.Close() }()
		if client.Hello("vdp.example.org") != nil {
			return
		}
		c := &Courier{}
		defer c.Close()
		r := c.over(context.Background(), &session{client: client, line: l}, Mail{From: "", To: "jo@acme.example", Size: int64(len(text)),
			Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }})
		left := strings.HasSuffix(strings.TrimSuffix(o.heard.String(), "QUIT\r\n"), "\r\n..dot\r\n.\r\n")
		switch r.Outcome {
		case Sent:
			if !left || r.Step != Answer || r.Err != nil || r.Code/100 != 2 { // the first digit says yes (RFC 5321 section 4.2.1)
				t.Errorf("%q: sent, and %+v after %q", says, r, o.heard.String())
			}
		case Unknown:
			if !left || r.Err == nil {
				t.Errorf("%q: unknown, and %+v after %q", says, r, o.heard.String())
			}
		case Failed, Later:
			if r.Err == nil || left && (r.Code/100 != 4 && r.Code/100 != 5) || r.Outcome == Failed && r.Code/100 != 5 {
				t.Errorf("%q: %+v after %q", says, r, o.heard.String())
			}
		default:
			t.Errorf("%q: %+v", says, r)
		}
		if len(r.Text) > maxText || r.Enhanced != "" && !isEnhanced(r.Enhanced) || strings.ContainsFunc(r.Text+r.String(), func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("%q is told as %+v", says, r)
		}
		if r.Err != nil && strings.Contains(r.Err.Error(), "jo@acme") {
			t.Errorf("the log would say %v", r.Err)
		}
	})
}

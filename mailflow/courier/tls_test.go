package courier

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"parley/mailflow/mailtest"
)

// secured makes a sink with a certificate for hosts, and a courier that trusts its authority.
func secured(t testing.TB, how Security, o mailtest.SinkOptions, at time.Time, hosts ...string) (*mailtest.Sink, *Courier) {
	t.Helper()
	ca, err := mailtest.NewAuthority()
	must(t, err)
	if o.Config, err = ca.Server(at, hosts...); err != nil {
		t.Fatal(err)
	}
	o.Implicit = how == ImplicitTLS
	s := newSink(t, o)
	c := to(t, s.Addr)
	c.Security, c.TLS = how, ca.Roots()
	return s, c
}

// The certificate is verified for the name in the configuration, the version is 1.2 or more, and what does not hold up waits.
func TestM6_TLSIsVerified(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, how := range []Security{ImplicitTLS, StartTLS} {
		for _, c := range []struct {
			name   string
			host   string
			at     time.Time
			change func(*mailtest.Sink, *Courier)
			fails  string // "" means it must be sent
		}{
			{"good", "127.0.0.1", now, nil, ""},
			{"other name", "relay.example.org", now, nil, "is for another name"},
			{"expired", "127.0.0.1", now.Add(-72 * time.Hour), nil, "has expired"},
			{"not yet", "127.0.0.1", now.Add(72 * time.Hour), nil, "not valid yet"},
			{"unknown authority", "127.0.0.1", now, func(_ *mailtest.Sink, c *Courier) { c.TLS = nil }, "nobody we trust"},
			{"verification off, name wrong", "127.0.0.1", now, func(_ *mailtest.Sink, c *Courier) {
				c.TLS.InsecureSkipVerify, c.TLS.ServerName, c.TLS.RootCAs = true, "elsewhere", nil
			}, "nobody we trust"},
			{"localhost for an address", "127.0.0.1", now, func(_ *mailtest.Sink, c *Courier) { c.Host = "localhost" }, "is for another name"},
		} {
			t.Run(fmt.Sprintf("%s %s", how, c.name), func(t *testing.T) {
				t.Parallel()
				s, courier := secured(t, how, mailtest.SinkOptions{}, c.at, c.host)
				if c.change != nil {
					c.change(s, courier)
				}
				r := courier.Deliver(t.Context(), mailOf(testMessage))
				if c.fails == "" {
					want(t, r, Sent, Answer)
					if got := s.Mails(); len(got) != 1 || !got[0].TLS || got[0].Hello != "vdp.example.org" {
						t.Errorf("got %+v", got)
					}
					return
				}
				want(t, r, Later, Connect)
				if r.Err != nil && !strings.Contains(r.Err.Error(), c.fails) {
					t.Errorf("error %q does not say %q", r.Err, c.fails)
				}
				if len(s.Mails()) != 0 {
					t.Error("it was sent all the same")
				}
			})
		}
	}
}

func TestM6_TLSVersion(t *testing.T) {
	t.Parallel()
	ca, err := mailtest.NewAuthority()
	must(t, err)
	config, err := ca.Server(time.Now(), "127.0.0.1")
	must(t, err)
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	s := newSink(t, mailtest.SinkOptions{Config: config, Implicit: true})
	c := to(t, s.Addr)
	c.Security, c.TLS = ImplicitTLS, ca.Roots()
	c.TLS.MinVersion = tls.VersionTLS10
	want(t, c.Deliver(t.Context(), mailOf(testMessage)), Later, Connect)
	if len(s.Mails()) != 0 {
		t.Error("sent over TLS 1.1")
	}
}

// Somebody on the wire takes STARTTLS out of the dialogue, refuses it, or puts something behind it. No mail and no login goes out
// in clear: the dialogues end where they end.
func TestM6_StrippedStartTLS(t *testing.T) {
	t.Parallel()
	const begin = "S: 220 relay.example.org\nC: EHLO vdp.example.org\n"
	for name, dialogue := range map[string]string{
		"stripped":   begin + "S: 250-relay.example.org\nS: 250 AUTH PLAIN",
		"renamed":    begin + "S: 250-STARTTLS relay\nS: 250 XSTARTTLS",
		"refused":    begin + "S: 250-relay.example.org\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 4.7.0 not now",
		"refused 5":  begin + "S: 250-relay.example.org\nS: 250 STARTTLS\nC: STARTTLS\nS: 502 what",
		"injected":   begin + `S: 250-relay.example.org` + "\n" + `S: 250 STARTTLS` + "\nC: STARTTLS\n" + `S: 220 go\r\n250 injected`,
		"no TLS":     begin + "S: 250-relay.example.org\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nS: 250 still in clear",
		"EHLO fails": begin + "S: 502 what",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := speaks(t, dialogue+"\nN")
			c := to(t, s.addr)
			c.Security, c.User, c.Timeout = StartTLS, "user", 2*time.Second
			c.Password = func() (string, error) { return "canary", nil }
			r := c.Deliver(t.Context(), mailOf(testMessage))
			if r.Outcome != Later || r.Err == nil {
				t.Errorf("got %s at %s: %v", r.Outcome, r.Step, r.Err)
			}
			if why := map[string]error{"stripped": errNoStartTLS, "renamed": errNoStartTLS, "injected": errInjected}[name]; why != nil && !errors.Is(r.Err, why) {
				t.Errorf("it was not refused for what it is: %v", r.Err)
			}
			s.ended(t, 1)
		})
	}
}

// EHLO has our name before STARTTLS too, where the library says "localhost".
func TestTrap7_HelloBeforeStartTLS(t *testing.T) {
	t.Parallel()
	s := speaks(t, "S: 220 relay.example.org\nC: EHLO vdp.example.org\nX")
	c := to(t, s.addr)
	c.Security = StartTLS
	want(t, c.Deliver(t.Context(), mailOf(testMessage)), Later, Hello)
	s.ended(t, 1)
}

// Plain SMTP stays on this machine, whatever a name resolves to.
func TestM6_LoopbackOnly(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{"127.0.0.1:25": true, "127.9.9.9:25": true, "[::1]:25": true, "[::ffff:127.0.0.1]:25": true,
		"192.0.2.1:25": false, "[2001:db8::1]:25": false, "0.0.0.0:25": false, "relay.example.org:25": false, "": false} {
		if err := onlyLoopback(address); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
	c := &Courier{Smarthost: Smarthost{Security: Loopback, Host: "192.0.2.1", Port: "25"}, Hello: "vdp.example.org", Timeout: 5 * time.Second}
	r := c.Deliver(t.Context(), mailOf(testMessage))
	want(t, r, Later, Connect)
	if !errors.Is(r.Err, errNotLoopback) {
		t.Errorf("dialled: %v", r.Err)
	}
	c.Security = "opportunistic"
	c.Host = "127.0.0.1"
	want(t, c.Deliver(t.Context(), mailOf(testMessage)), Later, Connect)
}

func TestLogin(t *testing.T) {
	t.Parallel()
	for _, how := range []Security{ImplicitTLS, StartTLS} {
		s, c := secured(t, how, mailtest.SinkOptions{User: "user", Password: "right"}, time.Now(), "127.0.0.1")
		password := "wrong"
		c.User, c.Password = "user", func() (string, error) { return password, nil }
		r := c.Deliver(t.Context(), mailOf(testMessage))
		want(t, r, Later, Auth)
		if r.Code != 535 {
			t.Errorf("code %d", r.Code)
		}
		password = "right"
		want(t, c.Deliver(t.Context(), mailOf(testMessage)), Sent, Answer)
		if got := s.Mails(); len(got) != 1 || got[0].Login != "user" {
			t.Errorf("got %+v", got)
		}
		c.Close()
		c.Password = func() (string, error) { return "", errDisk }
		want(t, c.Deliver(t.Context(), mailOf(testMessage)), Later, Auth)
		c.Password = nil
		want(t, c.Deliver(t.Context(), mailOf(testMessage)), Later, Auth)
	}
	s := speaks(t, "S: 220 x\nC: EHLO vdp.example.org\nS: 250-x\nS: 250 AUTH LOGIN\nC: AUTH LOGIN dXNlcg==\nS: 334 UGFzc3dvcmQ6\nC: cGFzcw==\nS: 235 ok\n"+
		strings.SplitN(untilDot, "relay.example.org", 3)[2]+"\nS: 250 ok", "S: 220 x\nC: EHLO vdp.example.org\nS: 250-x\nS: 250 AUTH CRAM-MD5\nN")
	c := to(t, s.addr)
	c.User, c.Password = "user", func() (string, error) { return "pass", nil }
	want(t, c.Deliver(t.Context(), mailOf(testMessage)), Sent, Answer)
	c.Close()
	want(t, c.Deliver(t.Context(), mailOf(testMessage)), Later, Auth)
	s.ended(t, 2)
}

// A shortConn takes so many octets and then breaks.
type shortConn struct {
	net.Conn
	left int
}

func (c *shortConn) Write(b []byte) (int, error) {
	n := min(c.left, len(b))
	c.left -= n
	if n < len(b) {
		return n, io.ErrClosedPipe
	}
	return n, nil
}

func (c *shortConn) Read([]byte) (int, error)    { return 0, io.EOF }
func (c *shortConn) SetDeadline(time.Time) error { return nil }
func (c *shortConn) Close() error                { return nil }

// Whether the dot left whole decides between Later and Unknown; what TLS fails to write afterwards does not.
func TestT3_ShortWriteOfTheDot(t *testing.T) {
	t.Parallel()
	end := []byte("text\r\n.\r\n")
	for left := range len(end) + 1 {
		l := &line{Conn: &shortConn{left: left}}
		l.begin()
		if !l.dot() {
			t.Fatal("no dot")
		}
		_, _ = l.Write(end)
		if got, short := l.unfinished(), left < len(end); got != short {
			t.Errorf("%d octets left: unfinished %v", left, got)
		}
		_, _ = l.Read(make([]byte, 1))
		_, _ = l.Write([]byte("an alert that does not leave"))
		if got, short := l.unfinished(), left < len(end); got != short {
			t.Errorf("%d octets left, after an alert: unfinished %v", left, got)
		}
	}
	l := &line{Conn: &shortConn{left: 100}}
	l.interrupt()
	if l.dot() {
		t.Error("a dot is written on an interrupted line")
	}
}

// The same over a whole transaction, on a line where a write ends when the other side has read it: a server that closes before it has
// the last octet of the dot cannot have taken the message, one that closes after it may have.
func TestT3_ClosedAroundTheDot(t *testing.T) {
	t.Parallel()
	end := int64(len(testMessage) + len("...\r\n.\r\n") - len("\r\n")) // three dots stuffed, then the final one
	for _, c := range []struct {
		read    int64
		outcome Outcome
		step    Step
	}{{end - 1, Later, Message}, {end, Unknown, Answer}} {
		ours, theirs := net.Pipe()
		go func() {
			s := &scripted{}
			_ = s.speak(keepOpen{theirs}, untilData+"\nS: 354 go on")
			_, _ = io.CopyN(io.Discard, theirs, c.read)
			_ = theirs.Close()
		}()
		l := &line{Conn: ours, step: 20 * time.Second}
		client := smtp.NewClient(l)
		must(t, client.Hello("vdp.example.org"))
		want(t, (&session{client: client, line: l}).send(mailOf(testMessage)), c.outcome, c.step)
	}
}

// keepOpen is a connection that is not closed.
type keepOpen struct{ net.Conn }

func (keepOpen) Close() error { return nil }

package courier

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

// Security says how the line to the smarthost is protected.
type Security string

// Securities. Plain exists to loopback addresses only; there is no
// opportunistic TLS, so that a stripped STARTTLS defers and never sends.
const (
	ImplicitTLS Security = "smtps"
	StartTLS    Security = "smtp+starttls"
	Plain       Security = "smtp"
)

// Smarthost is where mail goes.
type Smarthost struct {
	Security Security
	Host     string
	Port     string
	User     string // empty: no AUTH
}

// ParseSmarthost reads smtps://user@host:465, smtp+starttls://user@host:587,
// or smtp://127.0.0.1:25, which is for loopback addresses only. A password
// does not belong into a configuration, and is refused.
func ParseSmarthost(s string) (Smarthost, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Smarthost{}, fmt.Errorf("smarthost %q is not a URL", s)
	}
	h := Smarthost{Security: Security(u.Scheme), Host: u.Hostname(), Port: u.Port(), User: u.User.Username()}
	standard := map[Security]string{ImplicitTLS: "465", StartTLS: "587", Plain: "25"}
	port, known := standard[h.Security]
	_, withPassword := u.User.Password()
	switch {
	case !known:
		return h, fmt.Errorf("smarthost %q: use smtps://, smtp+starttls:// or, to a loopback address, smtp://", u.Redacted())
	case h.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
		return h, fmt.Errorf("smarthost %q: expected scheme://user@host:port", u.Redacted())
	case withPassword:
		return h, fmt.Errorf("smarthost %q: the password does not belong here", u.Redacted())
	case h.Security == Plain && !loopback(h.Host):
		return h, fmt.Errorf("smarthost %q: without TLS only to a loopback address", u.Redacted())
	}
	if h.Port == "" {
		h.Port = port
	}
	return h, nil
}

// loopback wants a literal address: a name could come to mean something else.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// dial opens a line: TLS verified against the smarthost's name, our own name
// in EHLO before and after STARTTLS, login where there is one.
func (c *Courier) dial(ctx context.Context) (*line, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", net.JoinHostPort(c.Smarthost.Host, c.Smarthost.Port))
	if err != nil {
		return nil, err
	}
	_ = raw.SetDeadline(time.Now().Add(c.timeout()))
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	l, err := c.greet(raw)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return l, nil
}

func (c *Courier) greet(raw net.Conn) (*line, error) {
	conn := raw
	switch c.Smarthost.Security {
	case ImplicitTLS:
		conn = tls.Client(raw, c.tlsConfig())
	case StartTLS:
		if err := startTLS(raw, c.Hello); err != nil {
			return nil, err
		}
		conn = tls.Client(raw, c.tlsConfig())
	case Plain:
		if !loopback(c.Smarthost.Host) {
			return nil, errors.New("no TLS to an address that is not loopback")
		}
	default:
		return nil, fmt.Errorf("unknown security %q", c.Smarthost.Security)
	}
	l := &line{conn: conn}
	if c.Smarthost.Security == StartTLS {
		// The greeting came before TLS; the client is given one more.
		l.client = smtp.NewClient(&greeted{Conn: conn})
	} else {
		l.client = smtp.NewClient(conn)
	}
	l.client.CommandTimeout, l.client.SubmissionTimeout = c.timeout(), c.timeout()
	if err := l.client.Hello(c.Hello); err != nil {
		return nil, err
	}
	return l, c.login(l)
}

func (c *Courier) tlsConfig() *tls.Config {
	cfg := &tls.Config{}
	if c.TLS != nil {
		cfg = c.TLS.Clone()
	}
	cfg.ServerName = c.Smarthost.Host
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	return cfg
}

// greeted is a connection whose first bytes read are a greeting, which the
// server gave before STARTTLS (RFC 3207 section 4.2: none comes after it).
type greeted struct {
	net.Conn
	said int
}

const greeting = "220 ready\r\n"

func (g *greeted) Read(p []byte) (int, error) {
	if g.said < len(greeting) {
		n := copy(p, greeting[g.said:])
		g.said += n
		return n, nil
	}
	return g.Conn.Read(p)
}

package courier

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

var (
	errNotLoopback = errors.New("the address is not a loopback address and there is no TLS")
	errNoStartTLS  = errors.New("the smarthost does not offer STARTTLS")
	errInjected    = errors.New("something was sent behind the answer to STARTTLS")
	errNoAuth      = errors.New("the smarthost offers no AUTH mechanism that we know")
	errNoPassword  = errors.New("the smarthost has a login and no password is set")
)

// A stepError says at which step a connection was not made.
type stepError struct {
	step Step
	err  error
}

func (e *stepError) Error() string { return fmt.Sprintf("%s: %v", e.step, e.err) }
func (e *stepError) Unwrap() error { return e.err }

// unconnected makes the Result of a connection that was not made.
func unconnected(err error) Result {
	var at *stepError
	if errors.As(err, &at) {
		return ended(at.step, at.err)
	}
	return ended(Connect, err)
}

// connect dials, secures, greets and logs in.
func (c *Courier) connect(ctx context.Context) (*session, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	l := &line{Conn: conn, step: c.timeout()}
	stop := context.AfterFunc(ctx, l.interrupt)
	s, err := c.open(ctx, l)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return s, nil
}

func (c *Courier) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: c.timeout()}
	if c.Security == Loopback {
		// "localhost" is what the resolver says it is: look at the address itself.
		d.Control = func(_, address string, _ syscall.RawConn) error { return onlyLoopback(address) }
	}
	return d.DialContext(ctx, "tcp", c.Address())
}

func onlyLoopback(address string) error {
	if host, _, err := net.SplitHostPort(address); err != nil || !isLoopback(host) {
		return errNotLoopback
	}
	return nil
}

// open makes a session of a fresh line.
func (c *Courier) open(ctx context.Context, l *line) (*session, error) {
	if err := l.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	secure, err := c.secure(ctx, l)
	if err != nil {
		return nil, err
	}
	client := smtp.NewClient(secure)
	client.CommandTimeout, client.SubmissionTimeout = c.timeout(), c.answer()
	if err := client.Hello(c.Hello); err != nil {
		return nil, &stepError{Hello, err}
	}
	if err := c.login(client); err != nil {
		return nil, &stepError{Auth, err}
	}
	eight, _ := client.Extension("8BITMIME")
	_, most := client.Extension("SIZE")
	limit, _ := strconv.ParseInt(most, 10, 64) // without a number no limit is named (RFC 1870 section 4)
	return &session{client: client, line: l, eightBit: eight, most: limit}, nil
}

// secure brings the line to where EHLO may be said on the connection it returns.
func (c *Courier) secure(ctx context.Context, l *line) (net.Conn, error) {
	switch c.Security {
	case Loopback:
		return l, nil
	case ImplicitTLS:
		return c.handshake(ctx, l)
	case StartTLS:
		if err := askTLS(l, c.Hello); err != nil {
			return nil, err
		}
		secure, err := c.handshake(ctx, l)
		if err != nil {
			return nil, err
		}
		// The client expects a greeting, which does not come again after STARTTLS (RFC 3207 section 4.2).
		return &greeted{secure, strings.NewReader("220 ready\r\n")}, nil
	}
	return nil, fmt.Errorf("unknown security %q", c.Security)
}

func (c *Courier) handshake(ctx context.Context, l *line) (net.Conn, error) {
	config := &tls.Config{}
	if c.TLS != nil {
		config = c.TLS.Clone()
	}
	config.ServerName = cmp.Or(c.TLSName, c.Host)
	config.InsecureSkipVerify = false
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	conn := tls.Client(l, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return conn, nil
}

// maxPlain bounds what is read before TLS.
const maxPlain = 64 << 10

// askTLS holds the dialogue up to the answer to STARTTLS. The library's own says EHLO with the name "localhost" there.
func askTLS(l *line, hello string) error {
	in := textproto.NewReader(bufio.NewReader(io.LimitReader(l, maxPlain)))
	if _, _, err := in.ReadResponse(220); err != nil {
		return &stepError{Greeting, err}
	}
	offered, err := ask(l, in, "EHLO "+hello, 250)
	if err != nil {
		return &stepError{Hello, err}
	}
	if !offers(offered, "STARTTLS") {
		return &stepError{StartedTLS, errNoStartTLS}
	}
	if _, err := ask(l, in, "STARTTLS", 220); err != nil {
		return &stepError{StartedTLS, err}
	}
	if in.R.Buffered() > 0 {
		return &stepError{StartedTLS, errInjected}
	}
	return nil
}

// ask sends one command and reads its answer, with the time of one step for both.
func ask(l *line, in *textproto.Reader, command string, want int) (string, error) {
	if err := l.SetDeadline(time.Time{}); err != nil {
		return "", err
	}
	if _, err := io.WriteString(l, command+"\r\n"); err != nil {
		return "", err
	}
	_, text, err := in.ReadResponse(want)
	return text, err
}

// offers looks for a keyword among the lines of an EHLO answer.
func offers(answer, keyword string) bool {
	lines := strings.Split(answer, "\n")
	for _, l := range lines[1:] {
		if word, _, _ := strings.Cut(l, " "); strings.EqualFold(word, keyword) {
			return true
		}
	}
	return false
}

// A greeted connection gives first what stands in front of it.
type greeted struct {
	net.Conn
	front *strings.Reader
}

func (g *greeted) Read(b []byte) (int, error) {
	if g.front.Len() > 0 {
		return g.front.Read(b)
	}
	return g.Conn.Read(b)
}

// login authenticates where the smarthost has a login. The connection is verified TLS by now, or does not leave the machine.
func (c *Courier) login(client *smtp.Client) error {
	if c.User == "" {
		return nil
	}
	if c.Password == nil {
		return errNoPassword
	}
	password, err := c.Password()
	if err != nil {
		return fmt.Errorf("read password: %w", err)
	}
	switch {
	case client.SupportsAuth(sasl.Plain):
		return client.Auth(sasl.NewPlainClient("", c.User, password))
	case client.SupportsAuth(sasl.Login):
		return client.Auth(sasl.NewLoginClient(c.User, password))
	}
	return errNoAuth
}

package imapd_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is how long a client waits for a line before the test fails.
const patience = 20 * time.Second

// client says what a test wants, right or wrong.
type client struct {
	testing.TB
	conn net.Conn
	in   *bufio.Reader
}

// dial connects and takes the greeting.
func (o *office) dial() *client {
	o.Helper()
	c := o.dialTo(o.addr)
	c.want("* OK [CAPABILITY ...")
	return c
}

func (o *office) dialTo(addr string) *client {
	o.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: o.roots, ServerName: "localhost"})
	must(o, err)
	o.Cleanup(func() { _ = conn.Close() })
	return &client{o.TB, conn, bufio.NewReaderSize(conn, 1<<20)}
}

// as connects and logs in.
func (o *office) as(name string) *client {
	o.Helper()
	c := o.dial()
	c.talk(`C: l LOGIN ` + name + ` "` + password + `"
		S: l OK [CAPABILITY ...] Logged in`)
	return c
}

// in is as, with a mailbox selected.
func (o *office) in(name, folder string) *client {
	o.Helper()
	c := o.as(name)
	c.send(`s SELECT "` + folder + `"`)
	c.until("s OK [READ-WRITE]")
	return c
}

// talk plays a dialogue. "C: " lines are sent with CR LF; "R: " is sent raw,
// with Go's escapes; "S: " is one response, in which "..." stands for any text
// and a literal continues the line; "S: EOF" is the end of the connection.
func (c *client) talk(script string) {
	c.Helper()
	for line := range strings.SplitSeq(script, "\n") {
		line = strings.TrimLeft(line, "\t ")
		switch {
		case line == "":
		case strings.HasPrefix(line, "C: "):
			c.send(line[3:])
		case strings.HasPrefix(line, "R: "):
			raw, err := strconv.Unquote(`"` + line[3:] + `"`)
			must(c, err)
			c.write(raw)
		case strings.HasPrefix(line, "S: "):
			c.want(line[3:])
		default:
			c.Fatalf("what is %q?", line)
		}
	}
}

func (c *client) send(line string) { c.write(line + "\r\n") }

func (c *client) write(raw string) {
	_, _ = io.WriteString(c.conn, raw) // the server may have closed: what it says tells
}

func (c *client) want(pattern string) {
	c.Helper()
	got := c.response()
	if !like(got, pattern) {
		c.Fatalf("S: %s\nwant: %s", got, pattern)
	}
}

func like(got, pattern string) bool {
	re := strings.ReplaceAll(regexp.QuoteMeta(pattern), regexp.QuoteMeta("..."), "(?s:.*)")
	return regexp.MustCompile(`^` + re + `$`).MatchString(got)
}

var literalEnd = regexp.MustCompile(`\{([0-9]+)\}\r\n$`)

// response reads one response with its literals; "EOF" at the end.
func (c *client) response() string {
	c.Helper()
	must(c, c.conn.SetReadDeadline(time.Now().Add(patience)))
	var all strings.Builder
	for {
		line, err := c.in.ReadString('\n')
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.Fatalf("nothing came after %q", all.String())
		}
		if err != nil {
			return all.String() + line + "EOF"
		}
		all.WriteString(line)
		m := literalEnd.FindStringSubmatch(line)
		if m == nil {
			return strings.TrimSuffix(all.String(), "\r\n")
		}
		n, err := strconv.Atoi(m[1])
		must(c, err)
		lit := make([]byte, n)
		if _, err := io.ReadFull(c.in, lit); err != nil {
			return all.String() + "EOF"
		}
		all.Write(lit)
	}
}

// until reads up to the response that begins so, and returns all of them.
func (c *client) until(prefix string) []string {
	c.Helper()
	var all []string
	for {
		got := c.response()
		all = append(all, got)
		if strings.HasPrefix(got, prefix) {
			return all
		}
		if strings.HasSuffix(got, "EOF") || strings.HasPrefix(got, strings.SplitN(prefix, " ", 2)[0]+" ") {
			c.Fatalf("S: %s\nwant: %s", strings.Join(all, "\n"), prefix)
		}
	}
}

// ask sends a command and returns what came before its OK.
func (c *client) ask(command string) []string {
	c.Helper()
	c.send("x " + command)
	all := c.until("x OK")
	return all[:len(all)-1]
}

func itoa(n int) string { return strconv.Itoa(n) }

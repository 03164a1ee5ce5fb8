package courier

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// errNoStartTLS is a smarthost that does not offer what was agreed: nothing
// is sent (rule M6).
var errNoStartTLS = errors.New("the smarthost does not offer STARTTLS")

// maxReply bounds a reply before TLS, in octets.
const maxReply = 64 << 10

// startTLS speaks the few lines before TLS (RFC 3207) under our own name;
// go-smtp's client says "localhost" there. Bytes behind the go-ahead would
// have come in clear and are refused.
func startTLS(conn net.Conn, hello string) error {
	if err := checkName(hello); err != nil {
		return err
	}
	if _, err := expect(conn, 220); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(conn, "EHLO %s\r\n", hello); err != nil {
		return err
	}
	lines, err := expect(conn, 250)
	if err != nil {
		return err
	}
	offered := false
	for _, l := range lines[1:] {
		offered = offered || strings.EqualFold(strings.TrimSpace(l), "STARTTLS")
	}
	if !offered {
		return errNoStartTLS
	}
	if _, err := io.WriteString(conn, "STARTTLS\r\n"); err != nil {
		return err
	}
	_, err = expect(conn, 220)
	return err
}

// expect reads one reply octet by octet, so that nothing behind it is
// consumed, and gives its texts.
func expect(conn net.Conn, want int) ([]string, error) {
	var texts []string
	for total := 0; ; {
		line, err := readLine(conn)
		if err != nil {
			return nil, err
		}
		if total += len(line); total > maxReply || len(line) < 3 {
			return nil, errors.New("the smarthost's answer is no SMTP reply")
		}
		code, err := strconv.Atoi(line[:3])
		if err != nil {
			return nil, errors.New("the smarthost's answer is no SMTP reply")
		}
		if code != want {
			return nil, fmt.Errorf("the smarthost answers %d", code)
		}
		texts = append(texts, strings.TrimLeft(line[3:], " -"))
		if len(line) == 3 || line[3] == ' ' {
			return texts, nil
		}
	}
}

func readLine(conn net.Conn) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for len(line) < 2000 {
		if _, err := io.ReadFull(conn, one); err != nil {
			return "", err
		}
		if line = append(line, one[0]); bytes.HasSuffix(line, []byte("\r\n")) {
			return string(line[:len(line)-2]), nil
		}
	}
	return "", errors.New("the smarthost's line is too long")
}

func checkName(s string) error {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%q cannot stand in EHLO", s)
	}
	return nil
}

// checkPath validates an address once more before it goes on the wire (RFC
// 5321 section 4.1.2): no control characters, no brackets, no spaces.
func checkPath(addr string, mayBeNull bool) error {
	if addr == "" && mayBeNull {
		return nil
	}
	i := strings.LastIndexByte(addr, '@')
	if i <= 0 || i == len(addr)-1 || len(addr) > 254 ||
		strings.ContainsFunc(addr, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' }) {
		return fmt.Errorf("%q is not an address that can be sent to", addr)
	}
	return nil
}

package smtpd

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

const (
	maxPath  = 254 // octets of an address without its brackets (RFC 5321 section 4.5.3.1.3)
	maxHello = 255 // octets of what a client calls itself (section 4.5.3.1.2)
	maxText  = 480 // octets of a reply's text, so that its line has 512 at most (section 4.5.3.1.5)
)

// mailbox writes an address as RFC 5321 section 4.1.2 does. go-smtp takes the
// quotes off a local part; without them what was one local part could be read
// as another one and a domain.
func mailbox(path string) string {
	i := strings.LastIndexByte(path, '@')
	if i < 0 || isDotString(path[:i]) {
		return path
	}
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path[:i])
	return `"` + quoted + `"` + path[i:]
}

// isDotString tells whether a local part needs no quotes. Octets above ASCII
// are left as they are.
func isDotString(local string) bool {
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" || strings.ContainsAny(atom, " \t\"\\()<>[]:;,@") {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > '~' }) < 0
}

// isPlain tells whether all of a text is printable ASCII.
func isPlain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// plain makes a text fit for one line of ASCII of at most so many octets.
func plain(text string, most int) string {
	s := strings.Map(func(r rune) rune {
		switch {
		case r < ' ':
			return ' '
		case r > '~':
			return '?'
		}
		return r
	}, text)
	if len(s) > most {
		s = s[:most-3] + "..."
	}
	return s
}

// kind names an error without its text, which may hold what no log may
// (rule H6): the type of the innermost one.
func kind(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return fmt.Sprintf("%T", err)
		}
		err = inner
	}
}

// newID names a connection in the log.
func newID() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails (package crypto/rand)
	return hex.EncodeToString(b[:])
}

// quiet is the library's way to the log. It passes on what happened, and where
// for a panic, but no value: those are addresses and worse.
type quiet struct{ log *slog.Logger }

func (q quiet) Printf(format string, v ...any) {
	if strings.HasPrefix(format, "panic") && len(v) > 0 {
		q.log.Error("session panicked", "stack", fmt.Sprintf("%s", v[len(v)-1]))
		return
	}
	event, _, _ := strings.Cut(format, "%")
	q.log.Warn("smtp server", "event", strings.TrimSpace(event))
}

func (q quiet) Println(...any) { q.log.Warn("smtp server") }

package faults

import (
	"bufio"
	"fmt"
	"net"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// A point is where a dialogue with the sink stands.
type point int

const (
	connected point = iota // before the greeting
	atMail                 // before MAIL is answered
	atRcpt                 // before RCPT is answered
	inData                 // DATA was answered, and half of the mail is read
	atDot                  // all of the mail is here and kept, and not answered
	answered               // 250 was written
)

var points = []point{connected, atMail, atRcpt, inData, atDot, answered}

func (p point) String() string {
	return [...]string{"connected", "at MAIL", "at RCPT", "in DATA", "after the dot", "after 250"}[p]
}

// An action is what the sink does at a point: a reply in place of 250, or a broken line. At the dot a mail that is refused is not
// kept, and one whose line is broken is.
type action struct {
	reply int
	drop  bool
}

// taken is a mail that the sink kept.
type taken struct {
	to  string
	id  string // Message-ID
	raw []byte
	at  time.Time
}

// sink is a mail server that fails where it is told to.
type sink struct {
	addr string
	ln   net.Listener
	mu   sync.Mutex
	got  []taken
	does func(at point, to string) action // nil: nothing wrong; it may take its time
}

func newSink(t testing.TB) *sink {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &sink{addr: ln.Addr().String(), ln: ln}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

// misbehaves says what it does from now on.
func (s *sink) misbehaves(does func(at point, to string) action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.does = does
}

func (s *sink) at(p point, to string) action {
	s.mu.Lock()
	does := s.does
	s.mu.Unlock()
	if does == nil {
		return action{}
	}
	return does(p, to)
}

// mails are those that it kept for an address, or for all.
func (s *sink) mails(to string) (out []taken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.got {
		if to == "" || m.to == to {
			out = append(out, m)
		}
	}
	return out
}

var angle = regexp.MustCompile(`<([^>]*)>`)

// dialogue is one connection.
type dialogue struct {
	*sink
	c  net.Conn
	r  *textproto.Reader
	br *bufio.Reader
	to string
}

func (s *sink) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	br := bufio.NewReader(c)
	d := &dialogue{sink: s, c: c, br: br, r: textproto.NewReader(br)}
	if !d.answers(connected, "220 sink.example") {
		return
	}
	for {
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		line, err := d.r.ReadLine()
		if err != nil || !d.command(line) {
			return
		}
	}
}

// answers writes a line, or what the sink does in its place; false ends the connection.
func (d *dialogue) answers(p point, line string) bool {
	a := d.at(p, d.to)
	if a.drop {
		return false
	}
	if a.reply != 0 {
		line = fmt.Sprintf("%d as the test wants it", a.reply)
	}
	return d.says(line)
}

func (d *dialogue) says(line string) bool {
	_, err := fmt.Fprintf(d.c, "%s\r\n", line)
	return err == nil
}

func (d *dialogue) command(line string) bool {
	verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
	switch verb {
	case "EHLO":
		return d.says("250-sink.example\r\n250 8BITMIME")
	case "MAIL":
		return d.answers(atMail, "250 ok")
	case "RCPT":
		if m := angle.FindStringSubmatch(line); m != nil {
			d.to = m[1]
		}
		return d.answers(atRcpt, "250 ok")
	case "DATA":
		return d.says("354 go on") && d.data()
	case "QUIT":
		d.says("221 bye")
		return false
	}
	return d.says("250 ok")
}

// data reads a mail. Its first octets are looked at before the rest: a mail is longer than them.
func (d *dialogue) data() bool {
	if _, err := d.br.Peek(300); err != nil {
		return false
	}
	if d.at(inData, d.to).drop {
		return false
	}
	raw, err := d.r.ReadDotBytes()
	if err != nil {
		return false
	}
	a := action{}
	m := taken{to: d.to, raw: raw, at: time.Now(), id: messageID(raw)}
	d.keep(m)
	if a = d.at(atDot, d.to); a.reply != 0 {
		d.forget(m)
		return d.says(fmt.Sprintf("%d as the test wants it", a.reply))
	}
	if a.drop || !d.says("250 kept") {
		return false
	}
	return !d.at(answered, d.to).drop
}

func (d *dialogue) keep(m taken) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.got = append(d.got, m)
}

func (d *dialogue) forget(m taken) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.got) - 1; i >= 0; i-- {
		if d.got[i].id == m.id {
			d.got = append(d.got[:i], d.got[i+1:]...)
			return
		}
	}
}

func messageID(raw []byte) string {
	m, err := mail.ReadMessage(strings.NewReader(string(raw)))
	if err != nil {
		return ""
	}
	return strings.Trim(m.Header.Get("Message-Id"), "<> ")
}

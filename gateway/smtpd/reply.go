package smtpd

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"time"
)

// Write takes the replies of go-smtp, line by line, and corrects them. They
// are sent when the client's next command is waited for, so that a group of
// pipelined commands gets one packet (RFC 2920 section 3.2).
func (g *gate) Write(p []byte) (int, error) {
	if !g.begun {
		if err := g.begin(); err != nil {
			g.state = atEnd
			return 0, err
		}
	}
	g.reply = append(g.reply, p...)
	for {
		i := bytes.IndexByte(g.reply, '\n')
		if i < 0 {
			return len(p), nil
		}
		g.replied(g.reply[:i+1])
		g.reply = g.reply[:copy(g.reply, g.reply[i+1:])]
	}
}

// replied looks at one line of a reply: what to change of it, and what it says
// of the client's next octets.
func (g *gate) replied(line []byte) {
	if g.state == atEnd || len(line) < 4 {
		return
	}
	line = g.correct(line)
	if len(line) == 0 {
		return
	}
	g.out = append(g.out, fitting(line)...)
	if line[3] != ' ' {
		return
	}
	code, _ := strconv.Atoi(string(line[:3]))
	g.note(code)
	switch {
	case code == 334:
		g.state = atAnswer
	case code == 354:
		g.state = atText
	case g.hangup || code == 421:
		g.finish()
	case g.state == atText:
		g.state, g.text = atCommand, nil
		g.flush()
	default:
		g.state = atCommand
		g.greeted = g.greeted || (code == 250 && isHello(g.verb))
	}
}

// note logs a reply: what became of messages and logins for the operator, the
// rest for whoever looks for a fault.
func (g *gate) note(code int) {
	level := slog.LevelDebug
	if code >= 400 || (code == 250 && g.state == atText) || code == 235 {
		level = slog.LevelInfo
	}
	if g.log.Enabled(g.ctx, level) { // for most replies it is not, and they are many
		g.log.Log(g.ctx, level, "reply", "verb", g.verb, "status", code)
	}
}

// correct changes what go-smtp says wrongly. It offers CHUNKING whatever its
// caller wants, which is where STARTTLS is put; and it answers 502 to verbs
// that come out of order, which is 503, and to AUTH without a mechanism, which
// is 501 (RFC 5321 section 4.2.4).
func (g *gate) correct(line []byte) []byte {
	switch {
	case isHello(g.verb) && string(line) == "250-CHUNKING\r\n":
		if g.server.TLS == nil || g.secure {
			return nil
		}
		return []byte("250-STARTTLS\r\n")
	case string(line[:3]) != "502":
		return line
	case g.verb == "AUTH":
		return append([]byte("501"), line[3:]...)
	case inTransaction(g.verb):
		return append([]byte("503"), line[3:]...)
	}
	return line
}

// maxReply is the longest line of a reply in octets, with its code and without CR LF
// (RFC 5321 section 4.5.3.1.5).
const maxReply = 510

// fitting makes a line of a reply ASCII of at most 512 octets (RFC 5321 section 4.2):
// go-smtp repeats what a client calls itself or says wrongly as it came.
func fitting(line []byte) []byte {
	text, whole := bytes.CutSuffix(line, []byte("\r\n"))
	if whole && len(text) <= maxReply && isPlain(text) {
		return line
	}
	return append(append(text[:4:4], plain(string(text[4:]), maxReply-4)...), "\r\n"...)
}

// say is a reply of the gate's own.
func (g *gate) say(code int, enhanced, text string) {
	g.replied(fmt.Appendf(nil, "%d %s %s\r\n", code, enhanced, text))
}

// end is the gate's last reply, to a client that may still be sending.
func (g *gate) end(code int, enhanced, text string) {
	g.linger = true
	g.bye(code, enhanced, text)
}

// bye is the gate's last reply.
func (g *gate) bye(code int, enhanced, text string) {
	g.hangup = true
	g.say(code, enhanced, text)
}

// flush sends the replies that wait. A client that takes none for the time of
// a command is gone.
func (g *gate) flush() {
	if len(g.out) == 0 {
		return
	}
	_ = g.raw.SetWriteDeadline(time.Now().Add(g.limits.Command))
	if _, err := g.conn.Write(g.out); err != nil {
		g.state = atEnd
	}
	g.out = g.out[:0]
}

// lingering is how long a client that is still sending may take to see the
// last reply. Closing at once would make its side drop the reply unread
// (RFC 9293 section 3.6.1), and it would try the same again for days.
const lingering = 3 * time.Second

// finish sends the last reply and closes our side.
func (g *gate) finish() {
	g.flush()
	g.state = atEnd
	if tc, ok := g.conn.(*tls.Conn); ok {
		_ = tc.CloseWrite() // its alert only
	}
	tcp, ok := g.raw.(*net.TCPConn)
	if !g.linger || !ok {
		return
	}
	_ = tcp.CloseWrite()
	_ = tcp.SetReadDeadline(time.Now().Add(lingering))
	_, _ = io.Copy(io.Discard, tcp)
}

// Close ends the connection. Its place is free before the client can see the
// end, so that one that comes again at once finds room.
func (g *gate) Close() error {
	ended := g.state == atEnd
	if !ended {
		g.flush()
		g.state = atEnd
	}
	g.leave()
	if !ended {
		_ = g.conn.Close() // with TLS, its alert
	}
	return g.raw.Close()
}

// hangUp makes the next reply the last, to a client that may still be sending.
func (g *gate) hangUp() { g.hangup, g.linger = true, true }

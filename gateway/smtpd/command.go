package smtpd

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"time"
)

// begin is what comes before the greeting: TLS on the submission port, and on
// the public one a moment in which a client that does not wait for the
// greeting shows itself (rule M5).
func (g *gate) begin() error {
	g.begun = true
	if g.server.Submission != nil {
		return g.handshake()
	}
	_ = g.raw.SetReadDeadline(time.Now().Add(early))
	if _, err := g.in.Peek(1); err == nil {
		g.end(554, "5.5.1", "Wait for the greeting")
		return errEarly
	}
	return nil
}

// early is long enough for what a client sends in one go with the last packet
// of its connection's opening. Every new connection stands in it, so that it is
// short; where nothing else runs, the runtime rounds it up to a millisecond.
const early = 200 * time.Microsecond

var errEarly = errors.New("client spoke before the greeting")

// admit looks at one command before go-smtp does. It returns the line that
// go-smtp is to see, or false where the gate has answered it.
func (g *gate) admit(line string) (string, bool) {
	verb, arg, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	g.verb = known(verb)
	g.count++
	switch {
	case g.count > g.limits.Commands:
		g.end(421, "4.7.0", "Too many commands")
	case lastInGroup(verb) && g.in.Buffered() > 0:
		// RFC 2920 section 3.1. What follows may be anything, such as the
		// text of a message whose DATA will be refused.
		g.end(554, "5.5.0", verb+" must be the last command of a group")
	case verb == "BDAT":
		g.end(502, "5.5.1", "BDAT is not offered")
	case verb == "STARTTLS":
		g.startTLS(arg)
	case !g.greeted && inTransaction(verb):
		g.say(503, "5.5.1", "EHLO first")
	case verb == "RCPT":
		return g.complete(line), true
	default:
		return line, true
	}
	return "", false
}

// barePostmaster is a RCPT to the one recipient without a domain (RFC 5321 section
// 4.1.1.3).
var barePostmaster = regexp.MustCompile(`(?i)^(RCPT +TO: *<postmaster)(>.*)$`)

// complete gives it its domain, which go-smtp insists on.
func (g *gate) complete(line string) string {
	if m := barePostmaster.FindStringSubmatch(line); m != nil {
		return m[1] + "@" + g.server.Domain + m[2]
	}
	return line
}

// lastInGroup are those after which a client must wait. NOOP, QUIT and the
// others of RFC 2920 do no harm.
func lastInGroup(verb string) bool { return isHello(verb) || verb == "DATA" }

func isHello(verb string) bool { return verb == "EHLO" || verb == "HELO" || verb == "LHLO" }

// inTransaction are the verbs that need a greeted client.
func inTransaction(verb string) bool {
	return verb == "MAIL" || verb == "RCPT" || verb == "DATA" || verb == "AUTH"
}

// known gives the verb where it is one, for the log.
func known(verb string) string {
	switch verb {
	case "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "QUIT", "VRFY", "EXPN", "HELP", "AUTH", "STARTTLS":
		return verb
	}
	return "other"
}

// startTLS is RFC 3207. After it, the client is as one that just came: go-smtp
// drops what it knows at the EHLO that must follow.
func (g *gate) startTLS(arg string) {
	switch {
	case g.server.TLS == nil:
		g.say(502, "5.5.1", "STARTTLS is not offered")
	case g.secure:
		g.say(503, "5.5.1", "TLS is on")
	case arg != "":
		g.say(501, "5.5.4", "STARTTLS takes no argument")
	default:
		g.say(220, "2.0.0", "Go ahead")
		g.flush()
		if err := g.handshake(); err != nil {
			g.log.Info("no TLS", "verb", "STARTTLS")
			g.state = atEnd
		}
	}
}

// wellFormed tells whether a line ends in CR LF and holds no other control
// octet but tabs (RFC 5321 sections 2.3.8 and 4.1.2).
func wellFormed(line []byte) bool {
	text, ok := bytes.CutSuffix(line, []byte("\r\n"))
	return ok && bytes.IndexFunc(text, func(r rune) bool { return (r < ' ' && r != '\t') || r == 0x7f }) < 0
}

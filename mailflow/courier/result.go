package courier

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/textproto"
	"strings"

	"github.com/emersion/go-smtp"
)

// Outcome is what is known of a mail after an attempt.
type Outcome string

const (
	// Sent: the smarthost answered the whole message with success.
	Sent Outcome = "sent"
	// Later: it was certainly not accepted, and another attempt may succeed.
	Later Outcome = "later"
	// Failed: it was certainly not accepted, and the same bytes to the same address will not be.
	Failed Outcome = "failed"
	// Unknown: the message was handed over to its final dot and no answer came. It may have been accepted.
	Unknown Outcome = "unknown"
)

// Step is where an attempt ended.
type Step string

const (
	Envelope   Step = "envelope"  // our own check of the addresses; nobody was asked
	Connect    Step = "connect"   // dialling and the TLS handshake
	Greeting   Step = "greeting"  // the server's first line, where STARTTLS follows
	Hello      Step = "EHLO"      // with the server's first line, where it is not before STARTTLS
	StartedTLS Step = "STARTTLS"  // offered and agreed
	Auth       Step = "AUTH"      // the login, with reading its password
	MailFrom   Step = "MAIL"      // the reverse-path
	RcptTo     Step = "RCPT"      // the forward-path
	Open       Step = "open"      // of the message, by the caller
	Data       Step = "DATA"      // before a message may be written
	Message    Step = "message"   // after DATA, up to the final dot
	Answer     Step = "final dot" // the answer to all of it
)

// steps are in the order in which they come.
var steps = []Step{Envelope, Connect, Greeting, StartedTLS, Hello, Auth, MailFrom, RcptTo, Open, Data, Message, Answer}

// A Result is what an attempt came to.
type Result struct {
	Outcome  Outcome
	Step     Step
	Code     int    // reply code (RFC 5321 section 4.2); 0 if none was given
	Enhanced string // "5.1.1" (RFC 3463), or ""
	// Text is what the server said beside its codes: at most 200 printable ASCII characters. It often repeats the address,
	// so it is for sealed records and people of the case, never for a log (H6).
	Text string
	// Err is nil only for Sent. Its text holds no address and nothing that a server wrote.
	Err error
	// Via is the number of the smarthost from 1 where there are several, else 0.
	Via int

	ours bool // the fault is the message's or its reader's: no other server would do better
}

// String says step and codes in a form that may stand in a log: "RCPT answered 550 5.1.1", and where there are several
// smarthosts at which: "smarthost 2: RCPT answered 550 5.1.1".
func (r Result) String() string {
	if r.Via > 0 {
		return fmt.Sprintf("smarthost %d: %s", r.Via, r.atStep())
	}
	return r.atStep()
}

func (r Result) atStep() string {
	switch {
	case r.Code != 0:
		return strings.TrimSpace(fmt.Sprintf("%s answered %d %s", r.Step, r.Code, r.Enhanced))
	case r.Err != nil:
		return fmt.Sprintf("%s: %v", r.Step, r.Err)
	default:
		return string(r.Outcome)
	}
}

// LogValue leaves out what the server wrote.
func (r Result) LogValue() slog.Value {
	return slog.GroupValue(slog.String("outcome", string(r.Outcome)), slog.String("step", string(r.Step)),
		slog.Int("code", r.Code), slog.String("enhanced", r.Enhanced), slog.Int("smarthost", max(r.Via, 1)))
}

// answered makes a Result of a reply code. A refusal says something about the recipient only where the recipient was named in
// the question: what comes before is between the smarthost and us, and is put right by an operator while the mail waits. Codes
// are judged by their first digit (RFC 5321 section 4.3.2).
func answered(step Step, code int, text string) Result {
	r := Result{Outcome: Later, Step: step, Code: code}
	r.Enhanced, r.Text = splitText(text)
	about := step == RcptTo || step == Data || step == Answer
	switch class := code / 100; {
	case step == Answer && class == 2:
		r.Outcome = Sent
		return r
	case step == Answer && class != 4 && class != 5:
		r.Outcome = Unknown
	case about && class == 5, step == MailFrom && code == 552: // 552: larger than the server takes (RFC 1870 section 6.1)
		r.Outcome = Failed
	}
	r.Err = errors.New(r.String())
	return r
}

// ended makes a Result of an error at a step before the final dot.
func ended(step Step, err error) Result {
	var reply *smtp.SMTPError
	if errors.As(err, &reply) {
		text := reply.Message
		if e := reply.EnhancedCode; e != (smtp.EnhancedCode{}) {
			text = fmt.Sprintf("%d.%d.%d %s", e[0], e[1], e[2], text)
		}
		return answered(step, reply.Code, text)
	}
	var plain *textproto.Error
	if errors.As(err, &plain) {
		return answered(step, plain.Code, plain.Msg)
	}
	return Result{Outcome: Later, Step: step, Err: silent(err)}
}

// silent replaces errors that quote the peer, or name our own ends of the line, by words of ours.
func silent(err error) error {
	var protocol textproto.ProtocolError
	var cert *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case errors.As(err, &protocol), errors.Is(err, smtp.ErrTooLongLine):
		return errors.New("the answer was not SMTP")
	case errors.As(err, &cert):
		return fmt.Errorf("the smarthost's certificate %s", fault(cert.Err))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection broke")
	case errors.As(err, &op):
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	return err
}

// fault says what is wrong with a certificate, without a word of it.
func fault(err error) string {
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &name):
		return "is for another name"
	case errors.As(err, &unknown):
		return "is signed by nobody we trust"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "has expired or is not valid yet"
	}
	return "is not valid"
}

const maxText = 200

// splitText takes the enhanced code from the front of a reply text and makes the rest harmless.
func splitText(s string) (enhanced, text string) {
	if first, rest, _ := strings.Cut(s, " "); isEnhanced(first) {
		enhanced, s = first, rest
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, s)
	return enhanced, strings.TrimSpace(s[:min(len(s), maxText)])
}

// isEnhanced: class, subject and detail of RFC 3463 section 2.
func isEnhanced(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || !strings.Contains("245", parts[0]) || len(parts[0]) != 1 {
		return false
	}
	for _, p := range parts[1:] {
		if p == "" || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}

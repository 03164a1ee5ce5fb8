package message

import (
	"regexp"
	"strings"
)

// A Fate is what a mail to the sender of the envelope says of the mail that was
// sent from there.
type Fate string

const (
	// Bounced: a server gives it back and tries no more.
	Bounced Fate = "bounced"
	// Delayed: a server still tries.
	Delayed Fate = "delayed"
	// Delivered: a server says that it came to a mailbox, or left for a system that
	// says nothing of it.
	Delivered Fate = "delivered"
	// Replied: a program of its reader answered, or it is a report about something
	// else: nothing is known of its fate.
	Replied Fate = "replied"
)

// A Bounce is what such a mail says.
type Bounce struct {
	Fate   Fate
	Status string // RFC 3463, "5.1.1", or a reply code, "550"; empty: none is said
	Said   string // the words of their server, one line; empty: none
	// EnvelopeID is what the report says that the mail was sent under (RFC 3464
	// section 2.2.1); empty: nothing. Whoever wrote the report can write anything.
	EnvelopeID string
}

// ReadBounce reads a mail to the envelope sender of a delivery. A report says
// itself what happened (RFC 3464 section 2.3.3); of one that is about several
// recipients the worst counts, since each of our mails goes to one. Servers that
// write no report write anything: what is not known to be something else is
// Bounced, also what is no message at all (a nil Part), since a person then looks.
func ReadBounce(p *Part) Bounce {
	if p == nil {
		return Bounce{Fate: Bounced}
	}
	if b, ok := p.deliveryReport(); ok {
		return b
	}
	text := p.bounceText()
	b := Bounce{Fate: Bounced, Status: statusIn(text), Said: saidIn(text)}
	switch {
	case p.Header.Has("X-Failed-Recipients"):
	case p.isOtherReport():
		b = Bounce{Fate: Replied}
	case delayWords.MatchString(p.Header.Text("Subject")), delayWords.MatchString(text) && !failWords.MatchString(text):
		b.Fate = Delayed
	case failWords.MatchString(text):
	case isAutoReplied(p.Header), automaticSubject(p.Header.Text("Subject")) != "":
		b = Bounce{Fate: Replied}
	}
	return b
}

// isAutoReplied knows the answers of people's programs (RFC 3834 section 5).
func isAutoReplied(h Header) bool {
	return strings.HasPrefix(strings.ToLower(h.Get("Auto-Submitted")), "auto-replied")
}

// isOtherReport knows read receipts (RFC 8098) and complaints (RFC 5965).
func (p *Part) isOtherReport() bool {
	other := false
	p.Walk(func(c *Part) bool {
		switch c.MediaType {
		case "message/disposition-notification", "message/feedback-report":
			other = true
		}
		return !other && c.isMultipart()
	})
	return other
}

// deliveryReport reads the machine's part of a report (RFC 3464, RFC 6533).
func (p *Part) deliveryReport() (b Bounce, ok bool) {
	p.Walk(func(c *Part) bool {
		if c.MediaType != "message/delivery-status" && c.MediaType != "message/global-delivery-status" {
			return c == p || c.isMultipart()
		}
		text, err := c.Body()
		if err != nil {
			b, ok = worse(b, Bounce{Fate: Bounced}), true // it cannot be read, and a person looks
			return true
		}
		id := b.EnvelopeID
		for _, r := range recipientReports(string(text)) {
			b, ok = worse(b, r), true
		}
		if b.EnvelopeID = id; id == "" {
			b.EnvelopeID = envelopeIDIn(string(text))
		}
		if !ok {
			b, ok = Bounce{Fate: Bounced}, true // a report about nobody
		}
		return true
	})
	return b, ok
}

// mostEnvelopeID is the longest ENVID (RFC 3461 section 4.4), in characters; servers
// may write it in xtext, three for each.
const mostEnvelopeID = 300

// envelopeIDIn reads the field of the first group, where it belongs, or of another,
// where servers that leave the first one out put it.
func envelopeIDIn(text string) string {
	for group := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if id := statusFields(group)["original-envelope-id"]; id != "" && len(id) <= mostEnvelopeID {
			return id
		}
	}
	return ""
}

// worse is the one of two that needs a person more.
func worse(a, b Bounce) Bounce {
	rank := map[Fate]int{Replied: 1, Delivered: 2, Delayed: 3, Bounced: 4}
	if rank[b.Fate] > rank[a.Fate] {
		return b
	}
	return a
}

// recipientReports reads the groups of fields after the first one, which is about
// the message (RFC 3464 section 2.1). Some servers leave the first one out.
func recipientReports(text string) (all []Bounce) {
	for group := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		fields := statusFields(group)
		var b Bounce
		switch strings.ToLower(fields["action"]) {
		case "failed":
			b.Fate = Bounced
		case "delayed":
			b.Fate = Delayed
		case "delivered", "relayed", "expanded":
			b.Fate = Delivered
		case "":
			continue
		default:
			b.Fate = Bounced // nobody knows what it means, and a person looks
		}
		b.Status = statusPattern.FindString(fields["status"])
		_, said, typed := strings.Cut(fields["diagnostic-code"], ";")
		if !typed {
			said = fields["diagnostic-code"]
		}
		b.Said = shortLine(said)
		all = append(all, b)
	}
	return all
}

// mostStatusField bounds what is read of one field of a report, in bytes: a report
// may be as long as a mail, and one field of it a million lines.
const mostStatusField = 4 << 10

// statusFields reads fields with folded lines; of one that comes twice the first.
func statusFields(group string) map[string]string {
	fields := map[string]string{}
	last := ""
	for line := range strings.SplitSeq(group, "\n") {
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			if last != "" && len(fields[last]) < mostStatusField {
				fields[last] = shortened(strings.TrimSpace(fields[last] + " " + strings.TrimSpace(line)))
			}
			continue
		}
		name, value, found := strings.Cut(line, ":")
		last = strings.ToLower(strings.TrimSpace(name))
		if _, twice := fields[last]; !found || twice {
			last = ""
			continue
		}
		fields[last] = shortened(strings.TrimSpace(stripComments(value)))
	}
	return fields
}

// shortened is the beginning of a field; a character that it cuts in two is shown as
// one that is not known.
func shortened(value string) string { return value[:min(len(value), mostStatusField)] }

// mostBounceText bounds what is read of a bounce in words, in bytes: below it stands
// the mail that came back.
const mostBounceText = 8 << 10

// bounceText are the words of a bounce that is no report, up to where the mail that
// came back begins.
func (p *Part) bounceText() string {
	part := p.FirstText()
	if part == nil {
		return ""
	}
	text, err := part.Text()
	if err != nil {
		return ""
	}
	text = strings.ReplaceAll(text[:min(len(text), mostBounceText)], "\r\n", "\n")
	if at := returnedMail.FindStringIndex(text); at != nil {
		text = text[:at[0]]
	}
	return text
}

var (
	// returnedMail begins a mail that was put below the words about it.
	returnedMail = regexp.MustCompile(`(?mi)^-+ ?(this is a copy of (the|your) message|below this line is a copy|original message|returned message|the header of the original|transcript of session follows).*$|^(Return-Path|Received): `)
	// delayWords are how servers say that they go on trying.
	delayWords = regexp.MustCompile(`(?i)\b(delay(ed)?|will (be retried|keep trying|continue to try|try again|retry)|still being retried|not yet been delivered|has not been delivered yet|could not send message for past|no action is required|you do not need to (resend|take any action)|warning: could not send|verz(ö|oe)gert|wird weiterhin versucht|retard(é|ee)|en attente)\b`)
	// failWords are how they say that they gave up.
	failWords = regexp.MustCompile(`(?i)\b(permanent (error|failure|fatal errors)|failed permanently|giving up|given up|could not be delivered to one or more|undeliverable|unknown user|user unknown|no such (user|recipient|address)|mailbox (unavailable|full|not found)|was not delivered|konnte nicht zugestellt werden|n'a pas (é|e)t(é|e) (remis|distribu(é|e)))\b`)
	// statusPattern is a code of RFC 3463 or a reply code of RFC 5321.
	statusPattern = regexp.MustCompile(`\b[245]\.\d{1,3}\.\d{1,3}\b`)
	replyPattern  = regexp.MustCompile(`\b[45]\d\d[ -]`)
)

func statusIn(text string) string {
	if s := statusPattern.FindString(text); s != "" {
		return s
	}
	return strings.TrimRight(replyPattern.FindString(text), " -")
}

// saidIn is the line that holds the code.
func saidIn(text string) string {
	for line := range strings.Lines(text) {
		if statusIn(line) != "" {
			return shortLine(line)
		}
	}
	return ""
}

// longestSaid is how much of their words is kept, in characters.
const longestSaid = 200

// shortLine makes one line of visible text that people can be shown.
func shortLine(s string) string {
	r := []rune(strings.Join(strings.Fields(clean(s)), " "))
	if len(r) > longestSaid {
		r = append(r[:longestSaid-1], '…')
	}
	return string(r)
}

package message

import (
	"strings"
	"time"
)

// Envelope is what IMAP calls by this name (RFC 9051 section 7.5.2), decoded
// and fit to be shown. A field that cannot be read is empty.
type Envelope struct {
	Date      time.Time // zero if unknown
	Subject   string
	From      []Address
	Sender    []Address // From where the field is missing
	ReplyTo   []Address // likewise
	To        []Address
	Cc        []Address
	Bcc       []Address
	InReplyTo []string // without angle brackets
	MessageID string   // likewise
}

// Envelope reads the header of the part as that of a message.
func (p *Part) Envelope() Envelope {
	h := p.Header
	list := func(name string, fallback []Address) []Address {
		found, err := h.Addresses(name)
		if err != nil || len(found) == 0 {
			return fallback
		}
		return found
	}
	date, err := h.Date()
	if err != nil {
		date = time.Time{}
	}
	from := list("From", nil)
	return Envelope{
		Date:      date,
		Subject:   h.Text("Subject"),
		From:      from,
		Sender:    list("Sender", from),
		ReplyTo:   list("Reply-To", from),
		To:        list("To", nil),
		Cc:        list("Cc", nil),
		Bcc:       list("Bcc", nil),
		InReplyTo: h.InReplyTo(),
		MessageID: h.MessageID(),
	}
}

// MessageID is the identifier of the message without its angle brackets, ""
// if there is none.
func (h Header) MessageID() string {
	v := h.Get("Message-ID")
	if ids := messageIDs(v); len(ids) > 0 {
		return ids[0]
	}
	if v != "" && !strings.ContainsAny(v, " \t<>") && checkPlain(v) == nil {
		return v // some programs leave the brackets out
	}
	return ""
}

// InReplyTo lists the messages this one answers, without angle brackets.
func (h Header) InReplyTo() []string { return messageIDs(h.Get("In-Reply-To")) }

// References lists the thread so far, oldest first, without angle brackets.
func (h Header) References() []string { return messageIDs(h.Get("References")) }

// messageIDs finds what stands in angle brackets (RFC 5322 section 3.6.4).
// White space inside comes from folding by old servers and is removed.
func messageIDs(s string) []string {
	var ids []string
	for {
		_, after, ok := strings.Cut(s, "<")
		if !ok {
			return ids
		}
		id, rest, ok := strings.Cut(after, ">")
		if !ok {
			return ids
		}
		id = id[strings.LastIndexByte(id, '<')+1:]
		if id = strings.Join(strings.Fields(id), ""); id != "" && checkPlain(id) == nil {
			ids = append(ids, id)
		}
		s = rest
	}
}

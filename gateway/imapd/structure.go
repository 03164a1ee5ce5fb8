package imapd

import (
	"mime"

	"github.com/emersion/go-imap/v2"

	"parley/mailflow/message"
)

// structure gives a stored structure to the library. It always has the
// extended form: the library panics if it is asked for and missing.
func (f *fetch) structure(s *message.Structure) imap.BodyStructure {
	return tell{f.utf8()}.structure(s)
}

// utf8 says whether the client takes UTF-8 in strings.
func (s *session) utf8() bool {
	caps := s.conn.EnabledCaps()
	return caps.Has(imap.CapIMAP4rev2) || caps.Has(imap.CapUTF8Accept)
}

// tell writes structures for one client.
type tell struct{ utf8 bool } // the client takes UTF-8 in strings

func (t tell) structure(s *message.Structure) imap.BodyStructure {
	if s.Type == "multipart" {
		return t.multipart(s)
	}
	b := &imap.BodyStructureSinglePart{
		Type: s.Type, Subtype: s.Subtype, Params: t.params(s.Params), ID: s.ID, Description: t.text(s.Description),
		Encoding: s.Encoding, Size: s.Size,
		Extended: &imap.BodyStructureSinglePartExt{Disposition: t.disposition(s), Language: s.Language, Location: s.Location},
	}
	switch {
	case embeds(s):
		b.MessageRFC822 = &imap.BodyStructureMessageRFC822{Envelope: envelope(s.Envelope), BodyStructure: t.structure(s.Children[0]), NumLines: s.Lines}
	case s.Type == "text":
		b.Text = &imap.BodyStructureText{NumLines: s.Lines}
	}
	return b
}

func (t tell) multipart(s *message.Structure) imap.BodyStructure {
	b := &imap.BodyStructureMultiPart{
		Subtype:  s.Subtype,
		Extended: &imap.BodyStructureMultiPartExt{Params: t.params(s.Params), Disposition: t.disposition(s), Language: s.Language, Location: s.Location},
	}
	for _, c := range s.Children {
		b.Children = append(b.Children, t.structure(c))
	}
	return b
}

func (t tell) disposition(s *message.Structure) *imap.BodyStructureDisposition {
	if s.Disposition == "" {
		return nil
	}
	return &imap.BodyStructureDisposition{Value: s.Disposition, Params: t.params(s.DispositionParams)}
}

func (t tell) params(p map[string]string) map[string]string {
	if len(p) == 0 {
		return nil
	}
	out := make(map[string]string, len(p))
	for name, value := range p {
		out[name] = t.text(value)
	}
	return out
}

// text writes what is not US-ASCII as encoded words for clients that did not
// ask for UTF-8; they know them from file names.
func (t tell) text(s string) string {
	if t.utf8 {
		return s
	}
	return mime.QEncoding.Encode("utf-8", s)
}

func envelope(e *message.Envelope) *imap.Envelope {
	return &imap.Envelope{Date: e.Date, Subject: e.Subject, From: addresses(e.From), Sender: addresses(e.Sender), ReplyTo: addresses(e.ReplyTo),
		To: addresses(e.To), Cc: addresses(e.Cc), Bcc: addresses(e.Bcc), InReplyTo: e.InReplyTo, MessageID: e.MessageID}
}

func addresses(list []message.Address) []imap.Address {
	var out []imap.Address
	for _, a := range list {
		out = append(out, imap.Address{Name: a.Name, Mailbox: a.Local, Host: a.Domain})
	}
	return out
}

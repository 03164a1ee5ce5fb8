package mailflow

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"parley/keyring/pgpmime"
	"parley/mailflow/message"
	"parley/mailflow/store"
	"parley/templates"
)

// wire makes the bytes that leave. Only kinds that are content-free by their
// templates, and what is public to a party without a key, are signed in clear; all
// else is sealed, in the party's form. head are the fields in front of them.
func (o *Outbox) wire(p *parcel, r templates.Rendered, outer pgpmime.Outer, files []message.Attachment) (d *store.Draft, head string, err error) {
	if p.inline() {
		return o.keep(o.inlineWire(p, r, outer, files))
	}
	inner, err := innerOf(p, r, outer, files)
	if err != nil {
		return nil, "", err
	}
	if p.inClear() {
		if err := p.mustBeClear(); err != nil {
			return nil, "", err
		}
		return o.keep(pgpmime.SignClear(inner, outer, p.Ours.signing().Secret, p.Now))
	}
	return o.stream(p, inner, outer)
}

func (o *Outbox) keep(wire []byte, err error) (*store.Draft, string, error) {
	if err != nil {
		return nil, "", err
	}
	return o.sealSigned(bytes.NewReader(wire))
}

// stream seals the inner entity from the encryption straight into the store, so
// that a large mail is never held as it leaves.
func (o *Outbox) stream(p *parcel, inner []byte, outer pgpmime.Outer) (*store.Draft, string, error) {
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.CloseWithError(guarded(func() error {
			return pgpmime.SealTo(w, bytes.NewReader(inner), int64(len(inner)), outer, p.Keys.Certificates, p.Ours.signing().Secret, p.Now)
		}))
	}()
	defer func() {
		r.Close() // ends the other side, too, if the store fails first
		<-done
	}()
	return o.sealSigned(r)
}

// inline says whether the parcel leaves in the inline form. What is in clear has
// nothing that a ticket system could fail to open.
func (p *parcel) inline() bool { return p.Party.Manner.Inline() && !p.inClear() }

// legacyDisplay says whether the protected Subject is repeated in the text part.
func (p *parcel) legacyDisplay() bool {
	return p.Party.Manner.LegacyDisplay && !p.inline() && !p.inClear()
}

func (o *Outbox) inlineWire(p *parcel, r templates.Rendered, outer pgpmime.Outer, files []message.Attachment) ([]byte, error) {
	text := p.words(r, files)
	if !utf8.ValidString(text) {
		return nil, errors.New("the text is not UTF-8")
	}
	data := make([][]byte, len(files))
	for i, f := range files {
		data[i] = f.Data
	}
	text = strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n").Replace(text)
	return pgpmime.SealInline([]byte(text), data, outer, p.Keys.Certificates, p.Ours.signing().Secret, p.Now)
}

// words is the text as the party reads it: what the template says, and around
// it only what another form has elsewhere, the Subject and the names of files.
func (p *parcel) words(r templates.Rendered, files []message.Attachment) string {
	if !p.inline() && !p.legacyDisplay() {
		return r.Text
	}
	text := "Subject: " + r.Subject + "\n\n" + r.Text // RFC 9788 section 5.2.2
	if p.legacyDisplay() || len(files) == 0 {
		return text
	}
	text = strings.TrimRight(text, "\r\n") + "\n\nAttached, each encrypted by itself:\n"
	for i, f := range files {
		text += fmt.Sprintf("    %-18s %s\n", pgpmime.InlineFile(i+1), headerText(f.Filename))
	}
	return text
}

// mannerNote says, for the desk, in what way the mail differs from everybody's.
func (p *parcel) mannerNote() string {
	if p.inClear() {
		return ""
	}
	var parts []string
	if p.inline() {
		parts = append(parts, "in the inline form, each file encrypted by itself")
	}
	if p.legacyDisplay() {
		parts = append(parts, "with its Subject repeated in the text")
	}
	if s := p.outside(p.Party.Manner.Subject); s != "" {
		parts = append(parts, fmt.Sprintf("under the outer Subject %q", s))
	}
	return strings.Join(parts, ", ")
}

// innerOf composes the entity that is signed and encrypted, with its protected
// header fields (RFC 9788; the older draft's marking beside it). HP-Outer holds
// every field of the outer header as it stands there (section 2.2), save
// Autocrypt, which is made for the outer header alone: our key is inside as a
// file, where the signature covers it.
func innerOf(p *parcel, r templates.Rendered, outer pgpmime.Outer, files []message.Attachment) ([]byte, error) {
	e := message.Entity{Text: p.words(r, files), Attachments: files}
	if p.inClear() { // the outer fields are the only ones
		return e.Bytes(randomHex(16))
	}
	outside, err := outer.Fields(p.Now)
	if err != nil {
		return nil, err
	}
	var record []message.Field
	for _, f := range outside {
		if f[0] == "Autocrypt" {
			continue
		}
		record = append(record, message.Field{Name: "HP-Outer", Value: f[0] + ": " + f[1]})
		if f[0] == "Subject" {
			f[1] = r.Subject
		}
		e.Fields = append(e.Fields, message.Field{Name: f[0], Value: f[1]})
	}
	e.Fields = append(e.Fields, record...)
	e.ContentTypeParams = map[string]string{"protected-headers": "v1", "hp": "cipher"}
	if p.legacyDisplay() {
		e.TextParams = map[string]string{"hp-legacy-display": "1"} // section 2.1.2
	}
	return e.Bytes(randomHex(16))
}

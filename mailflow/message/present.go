package message

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// Present builds what is served of a message: the given header fields, then
// the original body with the note at the top of its letter. The same arguments
// always give the same bytes.
//
// Of the original header only Date, Message-ID, In-Reply-To and References
// pass, unless given, and what MIME needs of Content-*: no mark that we set can
// come from outside. The letter (FirstText) is written anew in UTF-8; where
// there is none the note is a part of its own, with the words of the HTML if
// there is any. HTML becomes a file beside the letter, and so does whatever
// stands above it: nothing is shown before the note. Marks that only we set are
// taken out of the headers of inner parts and messages, too. All else keeps its
// bytes (bare LF line ends become CRLF). A multipart/signed around
// something changed becomes multipart/mixed, lest it look forged. Each of
// extra is added as an attachment.
//
// A message with a boundary that must not be written again is served as
// PresentOpaque does.
func Present(root *Part, fields []Field, note string, extra []Attachment) ([]byte, error) {
	return PresentCut(root, fields, note, extra, nil)
}

// PresentCut is Present with some leaves left out: what cut says of them is
// served in their place.
func PresentCut(root *Part, fields []Field, note string, extra []Attachment, cut Cut) ([]byte, error) {
	fields = append(fields[:len(fields):len(fields)], passed(root.Header, fields)...)
	s := serving{root: root, cut: cut, headers: map[*Part][]byte{}, bodies: map[*Part][]byte{}}
	s.loneLF = bytes.Count(root.raw, []byte("\n")) != bytes.Count(root.raw, []byte("\r\n"))
	if s.edit(note) != nil {
		return presentFile(Without(root, cut), fields, note, extra)
	}
	var b bytes.Buffer
	if err := writeOwnFields(&b, fields); err != nil {
		return nil, err
	}
	b.WriteString("MIME-Version: 1.0\r\n")
	if s.alone == "" && len(extra) == 0 {
		b.Grow(len(root.raw) + 8<<10)
		s.entity(&b)
		return b.Bytes(), nil
	}
	return s.wrapped(&b, extra)
}

// PresentOpaque serves what could not be parsed: the note, and the bytes
// received as one file.
func PresentOpaque(raw []byte, fields []Field, note string) ([]byte, error) {
	return presentFile(raw, fields, note, nil)
}

func presentFile(raw []byte, fields []Field, note string, extra []Attachment) ([]byte, error) {
	file := Attachment{Filename: "message.eml", MediaType: "application/octet-stream", Data: raw}
	e := Entity{Fields: fields, Text: strings.ToValidUTF8(note, "\ufffd"), Attachments: append([]Attachment{file}, extra...)}
	hashed := [][]byte{[]byte(note)}
	for _, a := range e.Attachments {
		hashed = append(hashed, a.Data)
	}
	return e.Bytes(boundaryFor(hashed))
}

// boundaryFor makes a boundary that nobody can have put into the parts, since
// it depends on all of them.
func boundaryFor(parts [][]byte) string {
	h := sha256.New()
	for _, p := range parts {
		sum := sha256.Sum256(p)
		h.Write(sum[:])
	}
	return "=_" + hex.EncodeToString(h.Sum(nil)[:16])
}

// passed are the fields of the original that are served, written anew from what
// they mean, without those that are given.
func passed(h Header, given []Field) []Field {
	has := func(name string) bool {
		for _, f := range given {
			if strings.EqualFold(f.Name, name) {
				return true
			}
		}
		return false
	}
	var out []Field
	add := func(name, value string) {
		if value != "" && !has(name) && isASCII(value) && CheckHeaderValue(value) == nil {
			out = append(out, Field{name, value})
		}
	}
	if t, err := h.Date(); err == nil {
		add("Date", t.Format(time.RFC1123Z))
	}
	if id := h.MessageID(); id != "" {
		add("Message-ID", bracketed([]string{id}))
	}
	add("In-Reply-To", bracketed(h.InReplyTo()))
	add("References", bracketed(h.References()))
	return out
}

// bracketed writes message identifiers. One that is too long for a line, or
// not US-ASCII, is left out.
func bracketed(ids []string) string {
	var out []string
	for _, id := range ids {
		if len(id) < lineLimit/2 && isASCII(id) {
			out = append(out, "<"+id+">")
		}
	}
	return strings.Join(out, " ")
}

// wrapped writes a multipart/mixed of the note (where the letter cannot hold
// it), the original entity, and the documents opened separately.
func (s *serving) wrapped(b *bytes.Buffer, extra []Attachment) ([]byte, error) {
	var parts [][]byte
	if s.alone != "" {
		var note bytes.Buffer
		if err := writeText(&note, s.alone, nil); err != nil {
			return nil, err
		}
		parts = append(parts, note.Bytes())
	}
	var original bytes.Buffer
	s.entity(&original)
	parts = append(parts, original.Bytes())
	for _, a := range extra {
		parts = append(parts, a.Data)
	}
	boundary := boundaryFor(parts)
	parts = parts[:len(parts)-len(extra)]
	if err := writeMultipart(b, boundary, nil); err != nil {
		return nil, err
	}
	for _, part := range parts {
		b.WriteString("\r\n--" + boundary + "\r\n")
		b.Write(part)
	}
	for _, a := range extra {
		if err := writePart(b, boundary, func() error { return writeAttachment(b, a, boundary) }); err != nil {
			return nil, err
		}
	}
	b.WriteString("\r\n--" + boundary + "--\r\n")
	return b.Bytes(), nil
}

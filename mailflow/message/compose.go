package message

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Attachment is a file to go with a letter.
type Attachment struct {
	Filename  string
	MediaType string            // "" is application/octet-stream
	Params    map[string]string // of Content-Type
	Inline    bool              // shown in the letter where that is possible
	Data      []byte
	// Description says in words what it is (RFC 2045 section 8): what a picture
	// shows, for who does not see it. Empty for none.
	Description string
}

// Entity is a letter to be written.
type Entity struct {
	Fields      []Field // in this order; none of MIME's own
	Text        string  // UTF-8, lines ending in LF or CRLF
	Attachments []Attachment
	// ContentTypeParams are further parameters of the outermost Content-Type,
	// such as protected-headers="v1" or hp="cipher" (RFC 9788 section 2.1).
	ContentTypeParams map[string]string
	// TextParams are further parameters of the Content-Type of the text, such as
	// hp-legacy-display="1" (RFC 9788 section 2.1.2).
	TextParams map[string]string
}

// Bytes writes the entity: CRLF, 7-bit, lines short enough for any server and
// in a form that needs no change on the way, so that it can be signed. The text
// is text/plain in UTF-8; with attachments it is the first part of a
// multipart/mixed that has the given boundary, which must be one that does not
// occur in what is written (begin it with "=": encodings never produce that).
func (e Entity) Bytes(boundary string) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(e.about())
	if err := writeOwnFields(&b, e.Fields); err != nil {
		return nil, err
	}
	b.WriteString("MIME-Version: 1.0\r\n")
	if len(e.Attachments) == 0 {
		err := writeText(&b, e.Text, e.ContentTypeParams, e.TextParams)
		return b.Bytes(), err
	}
	if err := writeMultipart(&b, boundary, e.ContentTypeParams); err != nil {
		return nil, err
	}
	if err := writePart(&b, boundary, func() error { return writeText(&b, e.Text, e.TextParams) }); err != nil {
		return nil, err
	}
	for _, a := range e.Attachments {
		if err := writePart(&b, boundary, func() error { return writeAttachment(&b, a, boundary) }); err != nil {
			return nil, err
		}
	}
	b.WriteString("\r\n--" + boundary + "--\r\n")
	return b.Bytes(), nil
}

// about is how long the entity will be, so that a large one is not copied as it
// grows.
func (e Entity) about() int {
	n := 2048 + len(e.Text) + len(e.Text)/8
	for _, a := range e.Attachments {
		n += 512 + len(a.Data)/57*78
	}
	return n
}

// writeOwnFields writes what the caller wants in the header. The fields of MIME
// are written here alone: two of them would be two messages in one.
func writeOwnFields(b *bytes.Buffer, fields []Field) error {
	for _, f := range fields {
		if isMIMEField(f.Name) {
			return fmt.Errorf("write message: field %q is not the caller's", f.Name)
		}
	}
	out, err := FormatFields(fields)
	b.Write(out)
	return err
}

func isMIMEField(name string) bool {
	name = strings.ToLower(name)
	return name == "mime-version" || strings.HasPrefix(name, "content-")
}

// writeMultipart writes the header of a multipart/mixed, blank line included.
func writeMultipart(b *bytes.Buffer, boundary string, params map[string]string) error {
	if err := checkBoundary(boundary); err != nil {
		return err
	}
	all := map[string]string{"boundary": boundary}
	for k, v := range params {
		if !strings.EqualFold(k, "boundary") {
			all[k] = v
		}
	}
	line, err := formatType("Content-Type", "multipart/mixed", all)
	b.WriteString(line + "\r\n")
	return err
}

// checkBoundary holds to RFC 2046 section 5.1.1.
func checkBoundary(s string) error {
	const allowed = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'()+_,-./:=? "
	if s == "" || len(s) > 70 || strings.HasSuffix(s, " ") || strings.Trim(s, allowed) != "" {
		return fmt.Errorf("write message: boundary %q", s)
	}
	return nil
}

// writePart writes a part of a multipart between its boundaries. A part that
// has the boundary in it would end early, so it is refused.
func writePart(b *bytes.Buffer, boundary string, write func() error) error {
	b.WriteString("\r\n--" + boundary + "\r\n")
	at := b.Len()
	if err := write(); err != nil {
		return err
	}
	part := b.Bytes()[at:]
	mark := []byte("--" + boundary)
	if bytes.HasPrefix(part, mark) || bytes.Contains(part, append([]byte("\n"), mark...)) {
		return fmt.Errorf("write message: boundary %q occurs in a part", boundary)
	}
	return nil
}

// writeText writes a text/plain entity, header and body.
func writeText(b *bytes.Buffer, text string, params ...map[string]string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("write message: the text is not UTF-8")
	}
	text = textLines(text)
	all := map[string]string{"charset": "utf-8"}
	for _, more := range params {
		for k, v := range more {
			all[strings.ToLower(k)] = v
		}
	}
	line, err := formatType("Content-Type", "text/plain", all)
	if err != nil {
		return err
	}
	b.WriteString(line)
	if isPlain(text) {
		b.WriteString("Content-Transfer-Encoding: 7bit\r\n\r\n" + text)
		return nil
	}
	b.WriteString("Content-Transfer-Encoding: quoted-printable\r\n\r\n")
	b.Write(encodeQuotedPrintable(text))
	return nil
}

// writeAttachment writes an attachment, header and body. What is 7-bit text
// already (armor, a calendar, a mail) stays readable; all else is base64. A
// mail that is not 7-bit goes as a file, because message/rfc822 must not be
// encoded (RFC 2046 section 5.2.1).
func writeAttachment(b *bytes.Buffer, a Attachment, boundary string) error {
	mediaType := strings.ToLower(a.MediaType)
	main, sub, ok := strings.Cut(mediaType, "/")
	if mediaType == "" {
		mediaType, ok, main, sub = "application/octet-stream", true, "application", "octet-stream"
	}
	if !ok || !isToken(main) || !isToken(sub) || isMultipart(mediaType) {
		return fmt.Errorf("write attachment: media type %q", a.MediaType)
	}
	plain := staysPlain(mediaType, a.Data) && !bytes.Contains(a.Data, []byte("--"+boundary))
	if main == "message" && !plain {
		mediaType = "application/octet-stream"
	}
	line, err := formatType("Content-Type", mediaType, a.Params)
	if err != nil {
		return err
	}
	b.WriteString(line)
	if line, err = disposition(a); err != nil {
		return err
	}
	b.WriteString(line)
	if a.Description != "" {
		about, err := FormatFields([]Field{{Name: "Content-Description", Value: a.Description}})
		if err != nil {
			return err
		}
		b.Write(about)
	}
	if plain {
		b.WriteString("Content-Transfer-Encoding: 7bit\r\n\r\n")
		b.Write(a.Data)
		return nil
	}
	b.WriteString("Content-Transfer-Encoding: base64\r\n\r\n")
	writeBase64(b, a.Data)
	return nil
}

// staysPlain tells whether data of that type may be written unencoded without
// a byte of it being changed.
func staysPlain(mediaType string, data []byte) bool {
	switch {
	case mediaType == "message/rfc822":
		return is7bit(string(data), lineLimit)
	case isText(mediaType), mediaType == "application/pgp-keys":
		return isPlain(string(data))
	}
	return false
}

func disposition(a Attachment) (string, error) {
	kind := "attachment"
	if a.Inline {
		kind = "inline"
	}
	params := map[string]string{}
	if name := fileName(a.Filename); name != "" {
		params["filename"] = name
	}
	return formatType("Content-Disposition", kind, params)
}

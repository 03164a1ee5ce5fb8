package message

import (
	"bytes"
	"strings"
)

// Structure is the shape of a message as IMAP tells it (RFC 9051 section
// 7.5.2, BODYSTRUCTURE), as plain values: computed once, stored, and served
// without the message. Text in it is fit for a client.
type Structure struct {
	Type, Subtype     string // lower case
	Params            map[string]string
	ID, Description   string
	Encoding          string
	Size              uint32 // octets of the body as it stands, encoded
	Lines             int64  // of the body, for text and embedded messages
	Disposition       string
	DispositionParams map[string]string
	Language          []string
	Location, MD5     string
	Envelope          *Envelope // of the embedded message, for message/rfc822
	Children          []*Structure

	// Where the part stands in the message: its header with the blank line is
	// [HeaderStart,HeaderEnd), its body [HeaderEnd,BodyEnd), in octets.
	HeaderStart, HeaderEnd, BodyEnd int64
}

// Structure describes p and everything inside it. A multipart without parts
// gets one empty text/plain, because IMAP has no way to write one without, and
// an encoded message/rfc822, which nobody can look into, is given as a file.
func (p *Part) Structure() *Structure {
	s := p.describe()
	for _, c := range p.Children {
		s.Children = append(s.Children, c.Structure())
	}
	switch {
	case p.isMultipart() && len(p.Children) == 0:
		s.Children = []*Structure{emptyText(s.BodyEnd)}
	case p.isEmbedded():
		e := p.Children[0].Envelope()
		s.Envelope = &e
	case p.MediaType == "message/rfc822" || p.MediaType == "message/global":
		s.Type, s.Subtype = "application", "octet-stream"
	}
	return s
}

func (p *Part) describe() *Structure {
	main, sub, _ := strings.Cut(p.MediaType, "/")
	s := &Structure{
		Type: main, Subtype: sub,
		Params:            cleanParams(p.Params),
		ID:                clean(p.Header.Get("Content-ID")),
		Description:       p.Header.Text("Content-Description"),
		Encoding:          clean(p.Encoding),
		Size:              uint32(p.end - p.body),
		Disposition:       clean(p.Disposition),
		DispositionParams: cleanParams(p.dispParams),
		Location:          clean(p.Header.Get("Content-Location")),
		MD5:               clean(p.Header.Get("Content-MD5")),
		HeaderStart:       int64(p.start), HeaderEnd: int64(p.body), BodyEnd: int64(p.end),
	}
	for tag := range strings.SplitSeq(clean(p.Header.Get("Content-Language")), ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			s.Language = append(s.Language, tag)
		}
	}
	if isText(p.MediaType) || p.isEmbedded() {
		s.Lines = countLines(p.RawBody())
	}
	return s
}

func cleanParams(params map[string]string) map[string]string {
	if len(params) == 0 {
		return nil
	}
	out := make(map[string]string, len(params))
	for name, value := range params {
		out[name] = readable(value)
	}
	return out
}

// countLines counts the last line too when it has no line break.
func countLines(b []byte) int64 {
	n := int64(bytes.Count(b, []byte{'\n'}))
	if len(b) > 0 && b[len(b)-1] != '\n' {
		n++
	}
	return n
}

func emptyText(at int64) *Structure {
	return &Structure{
		Type: "text", Subtype: "plain", Encoding: "7bit",
		Params:      map[string]string{"charset": "us-ascii"},
		HeaderStart: at, HeaderEnd: at, BodyEnd: at,
	}
}

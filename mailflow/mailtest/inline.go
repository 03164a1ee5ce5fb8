package mailtest

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// OpenInline reads a mail the way a ticket system does: armor in the body, and
// attachments that are encrypted one by one. Each must be signed by the same key
// for Signer to say so. Files has them by their outer names; the Subject is the
// outer one.
func (p *Person) OpenInline(raw, by []byte) (*Opened, error) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	var o *Opened
	switch kind {
	case "text/plain":
		o, err = p.openBody(m.Body, by)
	case "multipart/mixed":
		o, err = p.openParts(multipart.NewReader(m.Body, params["boundary"]), by)
	default:
		return nil, fmt.Errorf("it is %s, not the inline form", kind)
	}
	if err != nil {
		return nil, err
	}
	o.Subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	return o, err
}

func (p *Person) openBody(body io.Reader, by []byte) (*Opened, error) {
	block, err := armor.Decode(body)
	if err != nil {
		return nil, err
	}
	if len(block.Header) > 0 {
		return nil, fmt.Errorf("the armor has headers: %v", block.Header)
	}
	o, err := p.decrypt(block.Body, by)
	if err == nil {
		o.Text = strings.ReplaceAll(string(o.Inner), "\r\n", "\n")
	}
	return o, err
}

func (p *Person) openParts(r *multipart.Reader, by []byte) (*Opened, error) {
	first, err := r.NextRawPart()
	if err != nil {
		return nil, err
	}
	o, err := p.openBody(first, by)
	if err != nil {
		return nil, err
	}
	for {
		part, err := r.NextRawPart()
		if err == io.EOF {
			return o, nil
		}
		if err != nil {
			return nil, err
		}
		f, err := p.decrypt(decoded(part.Header.Get("Content-Transfer-Encoding"), part), by)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", part.FileName(), err)
		}
		if f.Signer != o.Signer {
			o.Signer = ""
		}
		o.Files[part.FileName()] = string(f.Inner)
	}
}

package mailtest

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/mail"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
)

var errNotSigned = errors.New("it is not multipart/signed with two parts")

// OpenSigned reads a mail that is signed in clear (RFC 3156 section 5) and verifies it with a certificate (armored). A signature
// that is not good is an error.
func (p *Person) OpenSigned(raw, by []byte) (*Opened, error) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/signed" {
		return nil, fmt.Errorf("it is %s, not multipart/signed", kind)
	}
	signed, signature, err := halves(raw, params["boundary"])
	if err != nil {
		return nil, err
	}
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(by))
	if err != nil {
		return nil, err
	}
	signer, err := openpgp.CheckArmoredDetachedSignature(ring, bytes.NewReader(signed), bytes.NewReader(signature), p.config())
	if err != nil {
		return nil, err
	}
	o := &Opened{Inner: signed, Signer: fingerprint(signer), Files: map[string]string{}}
	if o.Subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return nil, err
	}
	return o, o.read(signed)
}

// halves cuts out the signed part, exactly as it stands, and the armored signature.
func halves(raw []byte, boundary string) (signed, signature []byte, err error) {
	line := []byte("\r\n--" + boundary)
	parts := bytes.Split(raw, line)
	if boundary == "" || len(parts) != 4 || !bytes.HasPrefix(parts[3], []byte("--")) {
		return nil, nil, errNotSigned
	}
	_, signed, first := bytes.Cut(parts[1], []byte("\r\n"))
	_, signature, second := bytes.Cut(parts[2], []byte("\r\n\r\n"))
	if !first || !second {
		return nil, nil, errNotSigned
	}
	return signed, signature, nil
}

func fingerprint(e *openpgp.Entity) string {
	return strings.ToUpper(fmt.Sprintf("%x", e.PrimaryKey.Fingerprint))
}

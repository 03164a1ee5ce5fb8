package mailtest

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Person is somebody with an address and an OpenPGP key.
type Person struct {
	Name    string
	Address string
	Entity  *openpgp.Entity
	Now     func() time.Time
}

// NewPerson makes a person with a fresh Ed25519/X25519 key.
func NewPerson(name, address string, now func() time.Time) (*Person, error) {
	return NewPersonFor(name, address, now, 0)
}

// NewPersonFor is NewPerson with a key that expires after whole seconds; after 0
// never.
func NewPersonFor(name, address string, now func() time.Time, life time.Duration) (*Person, error) {
	cfg := &packet.Config{Time: now, Algorithm: packet.PubKeyAlgoEdDSA, DefaultHash: crypto.SHA512, KeyLifetimeSecs: uint32(life / time.Second)}
	e, err := openpgp.NewEntity(name, "", address, cfg)
	if err != nil {
		return nil, err
	}
	return &Person{Name: name, Address: address, Entity: e, Now: now}, nil
}

func (p *Person) config() *packet.Config {
	return &packet.Config{Time: p.Now, DefaultHash: crypto.SHA512, DefaultCipher: packet.CipherAES256, DefaultCompressionAlgo: packet.CompressionNone}
}

// Fingerprint is that of the primary key, in upper-case hex.
func (p *Person) Fingerprint() string {
	return fingerprint(p.Entity)
}

// PublicKey is the certificate, armored.
func (p *Person) PublicKey() []byte {
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err == nil {
		err = errors.Join(p.Entity.Serialize(w), w.Close())
	}
	if err != nil {
		panic(err) // a key that we made, into memory
	}
	return b.Bytes()
}

// Seal encrypts an entity to a certificate (armored), signed by the person
// where sign says so.
func (p *Person) Seal(entity, to []byte, sign bool) ([]byte, error) {
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(to))
	if err != nil {
		return nil, err
	}
	var signer *openpgp.Entity
	if sign {
		signer = p.Entity
	}
	var b bytes.Buffer
	w, err := armor.Encode(&b, "PGP MESSAGE", nil)
	if err != nil {
		return nil, err
	}
	pw, err := openpgp.Encrypt(w, ring, signer, nil, p.config())
	if err != nil {
		return nil, err
	}
	if _, err := pw.Write(entity); err != nil {
		return nil, err
	}
	err = errors.Join(pw.Close(), w.Close())
	return b.Bytes(), err
}

// Opened is a mail that a person decrypted.
type Opened struct {
	Subject string
	Text    string            // all text parts
	Files   map[string]string // attachments by name
	Inner   []byte
	Signer  string // fingerprint, where the signature is good for a certificate given to Open
	Keys    []uint64
}

// Open decrypts a PGP/MIME mail and verifies it with a certificate
// (armored).
func (p *Person) Open(raw, by []byte) (*Opened, error) {
	body, err := encryptedPart(raw)
	if err != nil {
		return nil, err
	}
	o, err := p.decrypt(body, by)
	if err != nil {
		return nil, err
	}
	return o, o.read(o.Inner)
}

// encryptedPart is the OpenPGP message in a PGP/MIME mail (RFC 3156 section 4), without
// its armor.
func encryptedPart(raw []byte) (io.Reader, error) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/encrypted" {
		return nil, fmt.Errorf("it is %s, not multipart/encrypted", kind)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	var part *multipart.Part
	for range 2 {
		if part, err = r.NextPart(); err != nil {
			return nil, err
		}
	}
	block, err := armor.Decode(part)
	if err != nil {
		return nil, err
	}
	return block.Body, nil
}

// SessionKey is the key that the body of a PGP/MIME mail to the person is encrypted
// with (RFC 9580 section 5.1).
func (p *Person) SessionKey(raw []byte) ([]byte, error) {
	body, err := encryptedPart(raw)
	if err != nil {
		return nil, err
	}
	for packets := packet.NewReader(body); ; {
		next, err := packets.Next()
		if err != nil {
			return nil, fmt.Errorf("no packet has a session key for %s: %w", p.Address, err)
		}
		k, ok := next.(*packet.EncryptedKey)
		if !ok {
			continue
		}
		for _, sub := range p.Entity.Subkeys {
			if sub.PrivateKey.KeyId == k.KeyId {
				err := k.Decrypt(sub.PrivateKey, p.config())
				return k.Key, err
			}
		}
	}
}

// decrypt opens one OpenPGP message and verifies it.
func (p *Person) decrypt(message io.Reader, by []byte) (*Opened, error) {
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(by))
	if err != nil {
		return nil, err
	}
	md, err := openpgp.ReadMessage(message, append(ring, p.Entity), nil, p.config())
	if err != nil {
		return nil, err
	}
	inner, err := io.ReadAll(md.UnverifiedBody)
	if err != nil {
		return nil, err
	}
	o := &Opened{Inner: inner, Keys: md.EncryptedToKeyIds, Files: map[string]string{}}
	if md.SignatureError == nil && md.SignedBy != nil {
		o.Signer = fingerprint(md.SignedBy.Entity)
	}
	return o, nil
}

func (o *Opened) read(inner []byte) error {
	m, err := mail.ReadMessage(bytes.NewReader(inner))
	if err != nil {
		return err
	}
	if o.Subject == "" {
		if o.Subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
			return err
		}
	}
	return o.part(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Header.Get("Content-Disposition"), m.Body)
}

func (o *Opened) part(contentType, encoding, disposition string, body io.Reader) error {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = "text/plain"
	}
	if strings.HasPrefix(kind, "multipart/") {
		r := multipart.NewReader(body, params["boundary"])
		for {
			p, err := r.NextRawPart()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			err = o.part(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p.Header.Get("Content-Disposition"), p)
			if err != nil {
				return err
			}
		}
	}
	data, err := io.ReadAll(decoded(encoding, body))
	if err != nil {
		return err
	}
	if _, p, err := mime.ParseMediaType(disposition); err == nil && p["filename"] != "" {
		o.Files[p["filename"]] = string(data)
		return nil
	}
	o.Text += strings.ReplaceAll(string(data), "\r\n", "\n")
	return nil
}

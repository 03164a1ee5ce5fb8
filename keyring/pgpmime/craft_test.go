package pgpmime_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/message"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func secret(t testing.TB, address string) *keyring.Secret {
	t.Helper()
	s, err := keyring.Generate("", address, keyring.Ed25519, noon.Add(-30*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func parse(raw []byte) (*pgpmime.Part, error) {
	p, err := message.Parse(raw, message.DefaultLimits())
	if err != nil {
		return nil, err
	}
	return tree(p), nil
}

func tree(p *message.Part) *pgpmime.Part {
	t := &pgpmime.Part{MediaType: p.MediaType, Params: p.Params, Filename: p.Filename, Attachment: p.IsAttachment(),
		Raw: p.Raw(), Header: p.Header.Values, Body: p.Body, Text: p.Text}
	for _, c := range p.Children {
		t.Children = append(t.Children, tree(c))
	}
	return t
}

func lookup(certs ...*keyring.Certificate) func(uint64) []*keyring.Certificate {
	return func(id uint64) []*keyring.Certificate {
		var found []*keyring.Certificate
		for _, c := range certs {
			for _, k := range c.KeyIDs() {
				if k == id {
					found = append(found, c)
				}
			}
		}
		return found
	}
}

// world is a gateway and a finder whose key it knows or not.
type world struct {
	t      testing.TB
	us     *keyring.Secret
	finder *keyring.Secret
	known  []*keyring.Certificate
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, us: secret(t, "report@vdp.example.org"), finder: secret(t, "finder@example.net")}
	w.known = []*keyring.Certificate{w.finder.Certificate()}
	return w
}

func (w *world) open(mail string) (*pgpmime.Opened, error) {
	w.t.Helper()
	root, err := parse([]byte(mail))
	if err != nil {
		w.t.Fatal(err)
	}
	o := &pgpmime.Opener{Secrets: []*keyring.Secret{w.us}, Parse: parse, Certificates: lookup(w.known...)}
	return o.Open(context.Background(), root, noon)
}

func (w *world) mustOpen(mail string) *pgpmime.Opened {
	w.t.Helper()
	o, err := w.open(mail)
	if err != nil {
		w.t.Fatalf("%v (%s)", err, pgpmime.Reason(err))
	}
	return o
}

// sealed is data signed by the finder and encrypted to us, in armor.
func (w *world) sealed(data string) string {
	w.t.Helper()
	m, err := keyring.Encrypt([]byte(data), []*keyring.Certificate{w.us.Certificate()}, w.finder, noon)
	if err != nil {
		w.t.Fatal(err)
	}
	return armored(w.t, keyring.ArmorMessage, m)
}

// unsigned is data encrypted to us and not signed, in armor.
func (w *world) unsigned(data string) string {
	w.t.Helper()
	return armored(w.t, keyring.ArmorMessage, w.encrypt(literal(w.t, data)))
}

// encrypt encrypts packets to us.
func (w *world) encrypt(packets []byte) []byte {
	w.t.Helper()
	e, err := openpgp.ReadEntity(packet.NewReader(bytes.NewReader(w.us.Certificate().Bytes())))
	if err != nil {
		w.t.Fatal(err)
	}
	var b bytes.Buffer
	key := bytes.Repeat([]byte{7}, 32)
	if err := packet.SerializeEncryptedKeyAEAD(&b, e.Subkeys[0].PublicKey, packet.CipherAES256, false, key, nil); err != nil {
		w.t.Fatal(err)
	}
	s, err := packet.SerializeSymmetricallyEncrypted(&b, packet.CipherAES256, false, packet.CipherSuite{}, key, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	s.Write(packets)
	if err := s.Close(); err != nil {
		w.t.Fatal(err)
	}
	return b.Bytes()
}

func literal(t testing.TB, data string) []byte {
	t.Helper()
	if len(data) > 8000 {
		t.Fatal("too long")
	}
	n := len(data) + 6
	head := []byte{0xc0 | 11, byte(n)}
	if n >= 192 {
		head = []byte{0xc0 | 11, byte((n-192)>>8) + 192, byte(n - 192)}
	}
	return append(append(head, 'b', 0, 0, 0, 0, 0), data...)
}

func armored(t testing.TB, kind string, data []byte) string {
	t.Helper()
	a, err := keyring.EncodeArmor(kind, data)
	if err != nil {
		t.Fatal(err)
	}
	return crlf(string(a))
}

func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// mail puts a header for transport in front of an entity.
func mail(entity string) string {
	return "From: finder@example.net\r\nTo: report@vdp.example.org\r\nSubject: outer\r\nMIME-Version: 1.0\r\n" + entity
}

func part(header, body string) string { return crlf(header) + "\r\n\r\n" + crlf(body) }

// multipart has a boundary of its own for every content.
func multipart(kind string, parts ...string) string {
	bound := fmt.Sprintf("=_%x", sha256.Sum256([]byte(strings.Join(parts, "\x00"))))[:20]
	var b strings.Builder
	fmt.Fprintf(&b, "Content-Type: multipart/%s; boundary=\"%s\"\r\n\r\n", kind, bound)
	for _, p := range parts {
		fmt.Fprintf(&b, "--%s\r\n%s\r\n", bound, p)
	}
	fmt.Fprintf(&b, "--%s--\r\n", bound)
	return b.String()
}

// pgpMIME is RFC 3156, section 4, around a block of armor.
func pgpMIME(armor string) string {
	return multipart("encrypted; protocol=\"application/pgp-encrypted\"",
		part("Content-Type: application/pgp-encrypted", "Version: 1"),
		part("Content-Type: application/octet-stream; name=encrypted.asc", armor))
}

func textPart(s string) string { return part("Content-Type: text/plain; charset=utf-8", s) }

// clearSigned is RFC 3156, section 5, by the finder.
func (w *world) clearSigned(entity string) string {
	w.t.Helper()
	sig, err := keyring.Sign([]byte(entity), w.finder, noon)
	if err != nil {
		w.t.Fatal(err)
	}
	return multipart("signed; micalg=pgp-sha512; protocol=\"application/pgp-signature\"", entity,
		part("Content-Type: application/pgp-signature; name=signature.asc", armored(w.t, keyring.ArmorSignature, sig)))
}

func textOf(t testing.TB, p *pgpmime.Part) string {
	t.Helper()
	if len(p.Children) > 0 {
		return textOf(t, p.Children[0])
	}
	s, err := p.Text()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

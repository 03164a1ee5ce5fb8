package pgpmime_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"parley/keyring"
	"parley/keyring/pgpmime"
)

func newExchange(t *testing.T, them program) *exchange {
	t.Helper()
	us, err := ours[keyring.Ed25519]()
	if err != nil {
		t.Fatal(err)
	}
	return &exchange{T: t, us: us, them: them, mine: string(keyring.Ed25519)}
}

// wholes lets them send the same entity once for each set of options.
func (x *exchange) wholes(entity []byte, options map[string][]string) {
	x.Helper()
	for name, o := range options {
		raw := mail(pgpMIME(crlf(string(x.them.seal(entity, []*keyring.Certificate{x.us.Certificate()}, o...)))))
		got := x.mustOpen(name, raw)
		if x.theirs(name, got.Signatures); !got.WholeSigned || !bytes.Equal(got.Payload, entity) {
			x.Errorf("%s: %d octets, want %d", name, len(got.Payload), len(entity))
		}
	}
}

// large is an entity of about 300 kB that does not compress, so that programs
// that stream write it in pieces (RFC 9580, section 4.2.1.4).
func large() []byte {
	return []byte(crlf("Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\nSubject: inner\n\n" + b64(anyBytes(220_000)) + "\n"))
}

func TestInteropGPGOptions(t *testing.T) {
	t.Parallel()
	x := newExchange(t, newGPG(t, "ed25519"))
	x.wholes([]byte(inner), map[string][]string{
		"text mode": {"--textmode"}, "not compressed": {"--compress-algo", "none"}, "zip": {"--compress-algo", "zip"}, "zlib": {"--compress-algo", "zlib"},
		"bzip2": {"--compress-algo", "bzip2"}, "AES-128": {"--cipher-algo", "AES128"}, "SHA-256": {"--digest-algo", "SHA256"},
		"hidden": {"--throw-keyids"}, "comment": {"--comment", "made with love", "--emit-version"},
	})
	x.wholes(large(), map[string][]string{"large": nil, "large, not compressed": {"--compress-algo", "none"}})
}

func TestInteropSqOptions(t *testing.T) {
	t.Parallel()
	x := newExchange(t, newSq(t, "ed25519"))
	x.wholes([]byte(inner), map[string][]string{
		"not compressed": {"--compression", "none"}, "zip": {"--compression", "zip"}, "zlib": {"--compression", "zlib"}, "bzip2": {"--compression", "bzip2"},
	})
	x.wholes(large(), map[string][]string{"large": nil, "large, not compressed": {"--compression", "none"}})
}

func TestInteropRNPOptions(t *testing.T) {
	t.Parallel()
	x := newExchange(t, newRNP(t, "ed25519"))
	x.wholes([]byte(inner), map[string][]string{
		"not compressed": {"-z", "0"}, "zip": {"--zip", "-z", "6"}, "zlib": {"--zlib", "-z", "6"}, "bzip2": {"--bzip", "-z", "6"}, "AES-128": {"--cipher", "AES128"}, "SHA-256": {"--hash", "SHA256"},
	})
	x.wholes(large(), map[string][]string{"large": nil, "large, not compressed": {"-z", "0"}})
}

// Among several recipients, named and hidden, we find what is ours.
func TestInteropRecipients(t *testing.T) {
	t.Parallel()
	for name, person := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newExchange(t, person(t, "p256"))
			other, err := generate(keyring.Ed25519)
			if err != nil {
				t.Fatal(err)
			}
			for _, to := range [][]*keyring.Certificate{{other.Certificate(), x.us.Certificate()}, {x.us.Certificate(), other.Certificate()}} {
				got := x.mustOpen("two recipients", mail(pgpMIME(crlf(string(x.them.seal([]byte(inner), to))))))
				x.theirs("two recipients", got.Signatures)
			}
			g, ok := x.them.(*gpg)
			if !ok {
				return
			}
			g.meet(other.Certificate())
			for _, how := range []string{"--hidden-recipient", "--recipient"} {
				raw := g.seal([]byte(inner), []*keyring.Certificate{x.us.Certificate()}, "--throw-keyids", how, string(other.Certificate().Fingerprint()))
				got := x.mustOpen("hidden recipients", mail(pgpMIME(crlf(string(raw)))))
				x.theirs("hidden recipients", got.Signatures)
			}
			raw := g.seal([]byte(inner), []*keyring.Certificate{other.Certificate()}, "--throw-keyids")
			x.closed("hidden, and not ours", crlf(string(raw)))
		})
	}
}

// closed wants a message refused in the words of every refusal.
func (x *exchange) closed(name, armor string) {
	x.Helper()
	for shape, raw := range map[string]string{"PGP/MIME": mail(pgpMIME(armor)), "inline": mail(textPart(armor))} {
		o, err := x.opened(raw)
		if o != nil || !errors.Is(err, pgpmime.ErrUndecryptable) || err.Error() != pgpmime.ErrUndecryptable.Error() {
			x.Errorf("%s as %s: %v", name, shape, err)
		}
	}
}

// P2, P9: what has no integrity protection, and what has one of an old draft, is
// refused, and nobody outside sees which it was.
func TestP2_P9_InteropRefused(t *testing.T) {
	t.Parallel()
	t.Run("gpg without protection", func(t *testing.T) {
		t.Parallel()
		x := newExchange(t, newGPG(t, "ed25519"))
		armor := crlf(string(x.them.seal([]byte(inner), []*keyring.Certificate{x.us.Certificate()}, "--rfc2440")))
		if kinds := packetTypes(binary(t, armor)); kinds[len(kinds)-1] != 9 {
			t.Skipf("this gpg makes no unprotected message any more, but packets of types %v; keyring has one that is crafted", kinds)
		}
		x.closed("no protection", armor)
	})
	t.Run("rnp with AEAD", func(t *testing.T) {
		t.Parallel()
		x := newExchange(t, newRNP(t, "ed25519"))
		for _, mode := range []string{"EAX", "OCB"} {
			armor := crlf(string(x.them.seal([]byte(inner), []*keyring.Certificate{x.us.Certificate()}, "--aead="+mode)))
			if kinds := packetTypes(binary(t, armor)); kinds[len(kinds)-1] != 20 {
				t.Fatalf("rnp made packets of types %v", kinds)
			}
			x.closed("AEAD of a draft", armor)
		}
	})
	for name, person := range programs {
		t.Run(name+" changed", func(t *testing.T) {
			t.Parallel()
			x := newExchange(t, person(t, "ed25519"))
			m := binary(t, crlf(string(x.them.seal([]byte(inner), []*keyring.Certificate{x.us.Certificate()}))))
			m[len(m)-10] ^= 1
			x.closed("changed", armored(t, keyring.ArmorMessage, m))
			x.closed("cut", armored(t, keyring.ArmorMessage, m[:len(m)-30]))
		})
	}
}

// packetTypes lists the types of the packets up to the first whose length is not
// given in one piece.
func packetTypes(m []byte) (kinds []int) {
	for len(m) > 2 {
		if m[0]&0x40 == 0 { // the old format
			width := 1 << (m[0] & 3)
			kinds = append(kinds, int(m[0]>>2&15))
			if width == 8 || len(m) <= width {
				return kinds
			}
			n := 0
			for _, b := range m[1 : 1+width] {
				n = n<<8 | int(b)
			}
			m = m[min(len(m), 1+width+n):]
			continue
		}
		kinds = append(kinds, int(m[0]&63))
		n := int(m[1]) + 2
		switch {
		case m[1] >= 224:
			return kinds
		case m[1] >= 192:
			n = int(m[1]-192)<<8 + int(m[2]) + 192 + 3
		}
		m = m[min(len(m), n):]
	}
	return kinds
}

// What OpenPGP.js makes with keys of version 6 is opened in PGP/MIME; where it is
// from is in keyring/testdata.
func TestOpenVersion6(t *testing.T) {
	t.Parallel()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("..", "testdata", "openpgpjs", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	us, err := keyring.ParseSecret(read("TEST-secret-v6.asc"))
	if err != nil {
		t.Fatal(err)
	}
	sender, err := keyring.ParseCertificates(read("sender-v6-certificate.asc"))
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"ocb", "gcm", "eax"} {
		got := as(t, us, sender[0], mail(pgpMIME(crlf(string(read("v6-"+mode+"-0.asc"))))))
		if !bytes.Equal(got.Payload, read("text.eml")) || !got.WholeSigned || got.Signatures[0].Err != nil || got.Signatures[0].Signer != sender[0].Fingerprint() || got.Subject != "vector" {
			t.Errorf("%s: %q, %+v", mode, got.Payload, got.Signatures)
		}
	}
	// And we write to such a key, from such a key.
	raw, err := pgpmime.Seal([]byte(inner), vendorOuter, sender, us, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))
	if err != nil || len(raw) == 0 {
		t.Error(err)
	}
}

package keyring_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
)

// FuzzParseCertificates: nothing panics, whatever the instant, what was read reads
// back to itself, and merging adds nothing that is there already. A key that is not
// used says why.
func FuzzParseCertificates(f *testing.F) {
	s := secret(f, "a@example.org")
	armor, err := s.Certificate().Armor()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Certificate().Bytes())
	f.Add(armor)
	f.Add(s.Bytes())
	f.Add(append(bytes.Clone(s.Certificate().Bytes()), rawPacket(14, []byte{4, 0, 0, 0, 0, 1, 0, 8, 0xff, 0, 3, 5})...))
	f.Add(slices.Concat(s.Certificate().Bytes(), secret(f, "b@example.org").Certificate().Bytes()))
	for _, c := range corpusKeys(f) {
		f.Add(c)
	}
	other := s.Certificate()
	f.Fuzz(func(t *testing.T, data []byte) {
		certs, err := keyring.ParseCertificates(data)
		if (err == nil) != (len(certs) > 0) {
			t.Fatalf("%d certificates, %v", len(certs), err)
		}
		if errors.Is(err, keyring.ErrSecretKey) && len(certs) > 0 {
			t.Fatal("something of a secret key is kept")
		}
		for _, c := range certs {
			_, _ = c.CertifiedBy(other, "a@example.org", noon), c.Addresses()
			judgedEver(t, c)
			stable(t, c)
		}
	})
}

// corpusKeys are the certificates of the corpus of spoofed mail, most of which
// have a flaw.
func corpusKeys(f *testing.F) [][]byte {
	files, err := filepath.Glob("pgpmime/testdata/corpus/keys/*.public.asc")
	if err != nil || len(files) < 10 {
		f.Fatalf("%d keys, %v", len(files), err)
	}
	var all [][]byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, keyring.FindArmor(text)[0].Data)
	}
	return all
}

// judgedEver asks at several instants what a certificate may be used for.
func judgedEver(t *testing.T, c *keyring.Certificate) {
	t.Helper()
	end := c.Expires()
	for _, at := range []time.Time{{}, noon.Add(-31 * days), noon.Add(-time.Second), noon, noon.Add(4000 * days), end, end.Add(-time.Second)} {
		for _, err := range []error{c.CanEncrypt(at), c.CanVerify(at)} {
			var u *keyring.UnusableError
			if err != nil && (!errors.As(err, &u) || u.Why == "" || u.Text == "" || u.Fingerprint != c.Fingerprint()) {
				t.Fatalf("%v", err)
			}
		}
	}
}

// stable wants a certificate to be what it is written as.
func stable(t *testing.T, c *keyring.Certificate) {
	t.Helper()
	again, err := keyring.ParseCertificates(c.Bytes())
	if err != nil || len(again) != 1 || !bytes.Equal(again[0].Bytes(), c.Bytes()) {
		t.Fatalf("does not read back: %v", err)
	}
	if m, said, err := keyring.Merge(c, again[0]); err != nil || len(said) != 0 || !bytes.Equal(m.Bytes(), c.Bytes()) {
		t.Fatalf("merged with itself: %q, %v", said, err)
	}
	small := c.Minimal()
	if small == nil {
		return
	}
	if certs, err := keyring.ParseCertificates(small); err != nil || len(certs) != 1 || certs[0].Fingerprint() != c.Fingerprint() || len(small) > len(c.Bytes()) {
		t.Fatalf("minimal: %v", err)
	}
}

// FuzzFindArmor: blocks stand in order inside the text, hold no more than stands
// there, and are found again when they are written anew.
func FuzzFindArmor(f *testing.F) {
	block, err := keyring.EncodeArmor(keyring.ArmorMessage, []byte("some data"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(block)
	f.Add(append([]byte("text\n"), block...))
	f.Add(append(bytes.Clone(block), block...))
	f.Add([]byte("-----BEGIN PGP MESSAGE-----\r\nA: b\r\n\r\n=AAAA\r\n-----END PGP MESSAGE-----"))
	f.Add([]byte("-----BEGIN PGP MESSAGE-----\n-----BEGIN PGP MESSAGE-----\n\nAAAA\n-----END PGP MESSAGE-----"))
	f.Fuzz(func(t *testing.T, text []byte) {
		end := 0
		for _, b := range keyring.FindArmor(text) {
			if b.Start < end || b.End <= b.Start || b.End > len(text) || len(b.Data) > b.End-b.Start {
				t.Fatalf("block of %d octets from %d to %d behind %d", len(b.Data), b.Start, b.End, end)
			}
			end = b.End
			out, err := keyring.EncodeArmor(b.Kind, b.Data)
			if err != nil {
				t.Fatalf("kind %q: %v", b.Kind, err)
			}
			if again := keyring.FindArmor(out); len(again) != 1 || again[0].Kind != b.Kind || !bytes.Equal(again[0].Data, b.Data) || again[0].Mismatch {
				t.Fatalf("kind %q: written anew it is %d blocks", b.Kind, len(again))
			}
		}
	})
}

// FuzzEncodeArmor: what is written is found, whatever text stands around it.
func FuzzEncodeArmor(f *testing.F) {
	kinds := []string{keyring.ArmorMessage, keyring.ArmorPublicKey, keyring.ArmorSecretKey, keyring.ArmorSignature}
	f.Add(byte(0), []byte("data"), "before", "behind")
	f.Add(byte(3), bytes.Repeat([]byte{0xff}, 500), "a: b\r\n", "")
	f.Fuzz(func(t *testing.T, kind byte, data []byte, before, behind string) {
		k := kinds[int(kind)%len(kinds)]
		out, err := keyring.EncodeArmor(k, data)
		if err != nil || int64(len(out)) > keyring.ArmoredSize(k, int64(len(data))) {
			t.Fatalf("%d octets of %d, %v", len(out), len(data), err)
		}
		if strings.Contains(before+behind, "-----") {
			return
		}
		text := slices.Concat([]byte(before+"\n"), bytes.ReplaceAll(out, []byte("\n"), []byte("\r\n")), []byte(behind))
		found := keyring.FindArmor(text)
		if len(found) != 1 || found[0].Kind != k || !bytes.Equal(found[0].Data, data) || found[0].Mismatch || found[0].Start != len(before)+1 {
			t.Fatalf("%+v", found)
		}
	})
}

// FuzzDecrypt hands arbitrary packets to the code behind the decryption, and
// arbitrary messages to the code in front of it.
func FuzzDecrypt(f *testing.F) {
	s := secret(f, "a@example.org")
	sig, err := keyring.Sign(text, s, noon)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(literal(f, text))
	f.Add(compressed(f, literal(f, text)))
	f.Add(append(bytes.Clone(sig), literal(f, text)...))
	f.Add(encrypted(f, text, s, s.Certificate()))
	f.Add(encryptRaw(f, s.Certificate(), rawPacket(18, []byte{2, 9, 2, 6})))
	limits := keyring.Limits{Plain: 1 << 20, Ratio: 100, Nesting: 4}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, open := range []func() (*keyring.Message, error){
			func() (*keyring.Message, error) { return keyring.OpenSigned(context.Background(), data, limits) },
			func() (*keyring.Message, error) {
				return decryptWith(context.Background(), data, []*keyring.Secret{s}, limits)
			},
		} {
			m, err := open()
			if (m == nil) != (err != nil) || err != nil && keyring.Reason(err) == "" {
				t.Fatalf("%v, %v", m, err)
			}
			if m == nil {
				continue
			}
			for _, sig := range m.Signatures {
				_ = sig.Verify(m.Data, s.Certificate(), noon, nil)
			}
		}
		keyring.IsEncrypted(data)
		for _, sig := range keyring.ParseSignatures(data) {
			_ = sig.Verify(data, s.Certificate(), noon, nil)
		}
	})
}

// FuzzPackets: splitting agrees with the library's reader about what is there.
func FuzzPackets(f *testing.F) {
	f.Add(literal(f, text))
	f.Add([]byte{0xd2, 225, 1, 2, 1, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := keyring.OpenSigned(context.Background(), data, keyring.DefaultLimits())
		if err != nil {
			return
		}
		r := packet.NewReader(bytes.NewReader(data))
		for {
			p, err := r.Next()
			if err != nil {
				return // the library reads fewer kinds of packet
			}
			if z, ok := p.(*packet.Compressed); ok {
				r = packet.NewReader(z.Body) // of its own the library reads on behind its end
				continue
			}
			l, ok := p.(*packet.LiteralData)
			if !ok {
				continue
			}
			var b bytes.Buffer
			if _, err := b.ReadFrom(l.Body); err == nil && !bytes.Equal(b.Bytes(), m.Data) {
				t.Fatalf("%q, the library reads %q", m.Data, b.Bytes())
			}
			return
		}
	})
}

// FuzzReadCleartext: what is read stands inside the text, has a signature, and
// its lines end in CR LF.
func FuzzReadCleartext(f *testing.F) {
	f.Add([]byte("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\ntext\n-----BEGIN PGP SIGNATURE-----\n\nwgAA\n-----END PGP SIGNATURE-----\n"))
	f.Add([]byte("a\n-----BEGIN PGP SIGNED MESSAGE-----\r\n\r\n- -b\r\n-----BEGIN PGP SIGNATURE-----\r\n\r\nwgAA\r\n-----END PGP SIGNATURE-----"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := keyring.ReadCleartext(text)
		if err != nil {
			return
		}
		if c.Start < 0 || c.End <= c.Start || c.End > len(text) || len(c.Signatures) == 0 || len(c.Signed) > 2*len(text) {
			t.Fatalf("from %d to %d of %d", c.Start, c.End, len(text))
		}
		if bytes.Count(c.Signed, []byte("\n")) != bytes.Count(c.Signed, []byte("\r\n")) {
			t.Fatalf("bare LF in %q", c.Signed)
		}
	})
}

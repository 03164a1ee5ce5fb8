package keyring_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
)

// FuzzParseCertificates: nothing panics, and what was read reads back to itself.
func FuzzParseCertificates(f *testing.F) {
	s := secret(f, "a@example.org")
	armor, err := s.Certificate().Armor()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Certificate().Bytes())
	f.Add(armor)
	f.Add(append(bytes.Clone(s.Certificate().Bytes()), rawPacket(14, []byte{4, 0, 0, 0, 0, 1, 0, 8, 0xff, 0, 3, 5})...))
	other := s.Certificate()
	f.Fuzz(func(t *testing.T, data []byte) {
		certs, err := keyring.ParseCertificates(data)
		if (err == nil) != (len(certs) > 0) {
			t.Fatalf("%d certificates, %v", len(certs), err)
		}
		for _, c := range certs {
			_, _, _, _ = c.CanEncrypt(noon), c.CanVerify(noon), c.Expires(), c.Minimal()
			_, _ = c.CertifiedBy(other, "a@example.org", noon), c.Addresses()
			again, err := keyring.ParseCertificates(c.Bytes())
			if err != nil || len(again) != 1 || !bytes.Equal(again[0].Bytes(), c.Bytes()) {
				t.Fatalf("does not read back: %v", err)
			}
			if m, said, err := keyring.Merge(c, c); err != nil || len(said) != 0 || !bytes.Equal(m.Bytes(), c.Bytes()) {
				t.Fatalf("merged with itself: %q, %v", said, err)
			}
		}
	})
}

// FuzzFindArmor: blocks stand in order inside the text, and hold what they hold.
func FuzzFindArmor(f *testing.F) {
	block, err := keyring.EncodeArmor(keyring.ArmorMessage, []byte("some data"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(block)
	f.Add(append([]byte("text\n"), block...))
	f.Add([]byte("-----BEGIN PGP MESSAGE-----\r\nA: b\r\n\r\n=AAAA\r\n-----END PGP MESSAGE-----"))
	f.Fuzz(func(t *testing.T, text []byte) {
		end := 0
		for _, b := range keyring.FindArmor(text) {
			if b.Start < end || b.End <= b.Start || b.End > len(text) {
				t.Fatalf("block from %d to %d behind %d", b.Start, b.End, end)
			}
			end = b.End
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

package keyring_test

import (
	"bytes"
	"testing"

	"parley/keyring"
)

var fourK = bytes.Repeat([]byte("sixty-two octets and a line end, over and over and over again\r\n"), 64)

// BenchmarkSignEncrypt signs and encrypts 4 kB with Ed25519 and X25519, armor
// included.
func BenchmarkSignEncrypt(b *testing.B) {
	s, to := secret(b, "a@example.org"), secret(b, "b@example.org").Certificate()
	b.ReportAllocs()
	for b.Loop() {
		m, err := keyring.Encrypt(fourK, []*keyring.Certificate{to}, s, noon)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := keyring.EncodeArmor(keyring.ArmorMessage, m); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecryptVerify is the way back.
func BenchmarkDecryptVerify(b *testing.B) {
	alice, bob := secret(b, "a@example.org"), secret(b, "b@example.org")
	armor, err := keyring.EncodeArmor(keyring.ArmorMessage, encrypted(b, fourK, alice, bob.Certificate()))
	if err != nil {
		b.Fatal(err)
	}
	us := bob.Certificate().KeyFingerprints()
	b.ReportAllocs()
	for b.Loop() {
		m, err := decrypt(keyring.FindArmor(armor)[0].Data, bob)
		if err != nil {
			b.Fatal(err)
		}
		if err := m.Signatures[0].Verify(m.Data, alice.Certificate(), noon, us); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParseCertificate is what Cache saves.
func BenchmarkParseCertificate(b *testing.B) {
	data := secret(b, "a@example.org").Certificate().Bytes()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keyring.ParseCertificates(data); err != nil {
			b.Fatal(err)
		}
	}
}

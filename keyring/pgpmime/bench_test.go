package pgpmime_test

import (
	"context"
	"strings"
	"testing"

	"parley/keyring"
	"parley/keyring/pgpmime"
)

func entityOf(size int) []byte {
	return []byte("Subject: inner\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + strings.Repeat(strings.Repeat("x", 62)+"\r\n", size/64))
}

var benchSizes = map[string]int{"4kB": 4000, "1MB": 1 << 20}

// BenchmarkSeal makes a whole mail, padding and armor included. 4000 bytes are
// padded to 4 KiB, the smallest class.
func BenchmarkSeal(b *testing.B) {
	us, vendor := secret(b, "us@vdp.example.org"), secret(b, "psirt@acme.example")
	to := []*keyring.Certificate{vendor.Certificate()}
	for name, size := range benchSizes {
		b.Run(name, func(b *testing.B) {
			entity := entityOf(size - 300)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := pgpmime.Seal(entity, vendorOuter, to, us, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen decrypts and verifies what BenchmarkSeal makes, MIME parsing
// included.
func BenchmarkOpen(b *testing.B) {
	us, vendor := secret(b, "us@vdp.example.org"), secret(b, "psirt@acme.example")
	o := &pgpmime.Opener{Secrets: []*keyring.Secret{vendor}, Parse: parse, Certificates: lookup(us.Certificate())}
	for name, size := range benchSizes {
		b.Run(name, func(b *testing.B) {
			raw, err := pgpmime.Seal(entityOf(size-300), vendorOuter, []*keyring.Certificate{vendor.Certificate()}, us, noon)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				root, err := parse(raw)
				if err != nil {
					b.Fatal(err)
				}
				got, err := o.Open(context.Background(), root, noon)
				if err != nil || got.Signatures[0].Err != nil {
					b.Fatal(err, got)
				}
			}
		})
	}
}

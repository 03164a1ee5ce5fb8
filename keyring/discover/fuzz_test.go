package discover

import (
	"bytes"
	"testing"
	"time"
)

// FuzzSecurityTxt: nothing panics, every field stands in the signed text, and an
// address that counts is one of those asked about.
func FuzzSecurityTxt(f *testing.F) {
	const head, tail = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n", "\n-----BEGIN PGP SIGNATURE-----\n\nwgAA\n-----END PGP SIGNATURE-----\n"
	f.Add([]byte(head + "Contact: mailto:psirt@acme.example\nExpires: 2027-01-01T00:00:00Z\nEncryption: dns:x" + tail))
	f.Add([]byte(head + "contact:mailto:%70sirt@acme.example?x\nEXPIRES: 2027-01-01T00:00:00+01:00\nCanonical: https://acme.example/s" + tail))
	u, own, err := fileURL("https://acme.example/s", []string{"psirt@acme.example"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := readFile(data)
		if err != nil {
			return
		}
		for _, list := range [][]string{file.contact, file.encryption, file.canonical, file.expires} {
			for _, v := range list {
				if !bytes.Contains(file.signed.Signed, []byte(v)) {
					t.Fatalf("%q is not in %q", v, file.signed.Signed)
				}
			}
		}
		named, err := file.check(u, own, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))
		if (err == nil) != (len(named) == 1) {
			t.Fatalf("named %v, %v", named, err)
		}
	})
}

package keyring_test

import (
	"bytes"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"parley/keyring"
)

// What is written is what the library writes, octet for octet.
func TestEncodeArmor(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte{0, 1, 0xfe, 0xff, '='}, 60)
	for n := range data {
		got, err := keyring.EncodeArmor(keyring.ArmorMessage, data[:n])
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		w, err := armor.Encode(&want, keyring.ArmorMessage, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data[:n]); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if want.WriteByte('\n'); n > 0 && !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("%d octets:\n%q\nwant\n%q", n, got, want.Bytes())
		}
		if found := keyring.FindArmor(got); len(found) != 1 || !bytes.Equal(found[0].Data, data[:n]) || found[0].Mismatch {
			t.Fatalf("%d octets are not read back: %+v", n, found)
		}
	}
	if _, err := keyring.EncodeArmor("PGP\nMESSAGE", data); err == nil {
		t.Error("a kind of two lines is written")
	}
}

package keyring_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"

	"parley/keyring"
)

// What is signed in the clear reads as it was written, here and elsewhere.
func TestSignCleartext(t *testing.T) {
	t.Parallel()
	s := secret(t, "report@vdp.example.org")
	text := "Contact: mailto:report@vdp.example.org\n- a dash\n-----BEGIN\n\nFrom here\tto there ü\n"
	block, err := keyring.SignCleartext([]byte(text), s, noon)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(block), "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nContact:") || !strings.Contains(string(block), "\n- From here") {
		t.Errorf("it is\n%s", block)
	}
	got, err := keyring.ReadCleartext(block)
	if err != nil || got.Start != 0 || got.End != len(block) {
		t.Fatalf("from %d to %d of %d: %v", got.Start, got.End, len(block), err)
	}
	if want := strings.TrimSuffix(strings.ReplaceAll(text, "\n", "\r\n"), "\r\n"); string(got.Signed) != want {
		t.Errorf("signed: %q", got.Signed)
	}
	if err := got.Signatures[0].Verify(got.Signed, s.Certificate(), noon, nil); err != nil {
		t.Error(err)
	}
	if b, rest := clearsign.Decode(block); b == nil || len(rest) > 0 || string(b.Plaintext)+"\n" != text {
		t.Errorf("the library reads %+v", b)
	}
	forged, err := keyring.ReadCleartext([]byte(strings.Replace(string(block), "there", "where", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := forged.Signatures[0].Verify(forged.Signed, s.Certificate(), noon, nil); !errors.Is(err, keyring.FaultWrong) {
		t.Errorf("a word was changed: %v", err)
	}
}

func TestSignCleartextElsewhere(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(-time.Minute) // sq goes by the clock
	s, err := keyring.Generate("", "report@vdp.example.org", keyring.Ed25519, at)
	if err != nil {
		t.Fatal(err)
	}
	block, err := keyring.SignCleartext([]byte("one\n- two\n\nFrom three\n"), s, at)
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.MkdirTemp("", "g") // short: gpg makes sockets in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		runProgram(t, home, "gpgconf", "--kill", "all")
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	file, key := filepath.Join(home, "signed.txt"), filepath.Join(home, "key.pgp")
	for path, data := range map[string][]byte{file: block, key: s.Certificate().Bytes()} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	runProgram(t, home, "gpg", "--batch", "--quiet", "--import", key)
	wants(t, "gpg", runProgram(t, home, "gpg", "--batch", "--status-fd", "1", "--verify", file), "VALIDSIG", string(s.Certificate().Fingerprint()))
	wants(t, "sq", runProgram(t, home, "sq", "verify", "--signer-cert", key, file), "1goodsignature")
}

// What readers would hash in different ways is not signed.
func TestSignCleartextRefuses(t *testing.T) {
	t.Parallel()
	s := secret(t, "report@vdp.example.org")
	for name, text := range map[string]string{
		"nothing": "", "no line end": "a", "CR LF": "a\r\n", "blank at an end": "a \n", "tab at an end": "a\t\nb\n", "NUL": "a\x00b\n", "not UTF-8": "\xff\n",
	} {
		if out, err := keyring.SignCleartext([]byte(text), s, noon); err == nil {
			t.Errorf("%s: signed as %q", name, out)
		}
	}
}

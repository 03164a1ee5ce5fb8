package keyring_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"

	"parley/keyring"
)

// clearsigned is a text as the library's own writer signs it.
func clearsigned(t testing.TB, c *crafted, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	config := *c.config
	config.Time = func() time.Time { return noon }
	w, err := clearsign.Encode(&b, c.PrivateKey, &config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), '\n')
}

func TestReadCleartext(t *testing.T) {
	t.Parallel()
	c := craft(t, nil)
	block := clearsigned(t, c, "first\n- a dash\n-----BEGIN\ntrailing \t\n\nlast")
	want := "first\r\n- a dash\r\n-----BEGIN\r\ntrailing\r\n\r\nlast"
	for name, text := range map[string][]byte{
		"alone":          block,
		"between":        []byte("before\n" + string(block) + "after\n"),
		"CR LF":          bytes.ReplaceAll(block, []byte("\n"), []byte("\r\n")),
		"spaces at ends": bytes.ReplaceAll(block, []byte("\n"), []byte("  \n")),
	} {
		got, err := keyring.ReadCleartext(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if string(got.Signed) != want || len(got.Signatures) != 1 {
			t.Errorf("%s: %d signatures over %q", name, len(got.Signatures), got.Signed)
		}
		if err := got.Signatures[0].Verify(got.Signed, c.certificate(), noon, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		around := string(text[:got.Start]) + string(text[got.End:])
		if strings.Contains(around, "first") || strings.Contains(around, "PGP") || name == "between" && around != "before\nafter\n" {
			t.Errorf("%s: around it stands %q", name, around)
		}
	}
}

// TestS1_CleartextRefuses: what could look signed and is not does not verify,
// or is not read at all.
func TestS1_CleartextRefuses(t *testing.T) {
	t.Parallel()
	c := craft(t, nil)
	block := string(clearsigned(t, c, "pay ten"))
	if _, err := keyring.ReadCleartext([]byte(strings.Replace(block, "BEGIN PGP SIGNED", "BEGIN PGP  SIGNED", 1))); !errors.Is(err, keyring.ErrNoCleartext) {
		t.Errorf("without a beginning: %v", err)
	}
	for name, edit := range map[string][2]string{
		"another header":         {"\n\npay", "\nComment: pay more\n\npay"},
		"text in the header":     {"\n\npay", "\npay more\n\npay"},
		"no blank line":          {"\n\npay", "\npay"},
		"a line of dashes":       {"pay ten\n", "pay ten\n-----BEGIN PGP MESSAGE-----\n"},
		"a second text":          {"pay ten\n", "pay ten\n-----BEGIN PGP SIGNED MESSAGE-----\n\npay more\n"},
		"another kind of armor":  {"PGP SIGNATURE", "PGP MESSAGE"},
		"no signature":           {"-----BEGIN PGP SIGNATURE", "BEGIN PGP SIGNATURE"},
		"cut off":                {"-----END PGP SIGNATURE-----", ""},
		"a header that is spoof": {"Hash: SHA256\n", "Hash: SHA256 " + strings.Repeat("x", 200) + "\n"},
	} {
		edited := strings.ReplaceAll(block, edit[0], edit[1])
		if edited == block {
			t.Fatalf("%s: nothing was edited", name)
		}
		if got, err := keyring.ReadCleartext([]byte(edited)); err == nil || errors.Is(err, keyring.ErrNoCleartext) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for name, edit := range map[string][2]string{
		"another word": {"ten", "two"},
		"a line more":  {"pay ten\n", "pay ten\nand more\n"},
		"a line less":  {"pay ten\n", ""},
	} {
		got, err := keyring.ReadCleartext([]byte(strings.Replace(block, edit[0], edit[1], 1)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := got.Signatures[0].Verify(got.Signed, c.certificate(), noon, nil); !errors.Is(err, keyring.FaultWrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCleartextOfGnuPG reads what gpg signs.
func TestCleartextOfGnuPG(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("needs gpg (Debian package gnupg)")
	}
	home, err := os.MkdirTemp("", "g") // the agent's socket wants a short path
	if err != nil {
		t.Fatal(err)
	}
	run := func(in string, args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "gpg", append([]string{"--homedir", home, "--batch", "--quiet", "--passphrase", ""}, args...)...)
		cmd.Stdin = strings.NewReader(in)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("gpg %s: %v", strings.Join(args, " "), err)
		}
		return out
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		if err := os.RemoveAll(filepath.Clean(home)); err != nil {
			t.Error(err)
		}
	})
	run("", "--quick-gen-key", "gpg@example.org", "ed25519", "sign", "never")
	cert := parseOne(t, run("", "--export"))
	got, err := keyring.ReadCleartext(run("one  \n- two\n\nFrom three\n", "--clear-sign"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Signed) != "one\r\n- two\r\n\r\nFrom three" {
		t.Errorf("signed: %q", got.Signed)
	}
	if err := got.Signatures[0].Verify(got.Signed, cert, time.Now(), nil); err != nil {
		t.Error(err)
	}
}

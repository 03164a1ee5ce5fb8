package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func noResolve(p string) string { return p }

func TestCredentialForms(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"file": "from file\n", "cred": "from systemd\r\n", "empty": "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	t.Setenv("PARLEY_TEST_SECRET", "from env")
	ask := func() ([]byte, error) { return []byte("from prompt"), nil }
	for in, want := range map[string]string{
		"file:" + dir + "/file": "from file", "credential:cred": "from systemd",
		"env:PARLEY_TEST_SECRET": "from env", "prompt:": "from prompt",
	} {
		c, err := parseCredential(in, noResolve)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.read(ask); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		"file:" + dir + "/none":  "no such file",
		"file:" + dir + "/empty": "it is empty",
		"credential:none":        "no such file",
		"env:PARLEY_TEST_NONE":   "not set",
	} {
		c, err := parseCredential(in, noResolve)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.read(ask); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), in) {
			t.Errorf("%s: got %v", in, err)
		}
	}
	for _, in := range []string{"", "file:", "unlock", "prompt:now", "credential:../x", "credential:", "env:", "http://x"} {
		if c, err := parseCredential(in, noResolve); err == nil {
			t.Errorf("%q was taken for %v", in, c)
		}
	}
}

func TestH5_SecretFileOpenToOthersIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "unlock")
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o644: false, 0o620: false} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := (credential{fromFile, path}).read(nil); (err == nil) != ok {
			t.Errorf("mode %04o: got %v", mode, err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestH2_UnlockText(t *testing.T) {
	t.Parallel()
	text := newUnlockText()
	if text == newUnlockText() || len(text) != len(unlockPrefix)+52 {
		t.Errorf("got %q", text)
	}
	for _, in := range []string{text, strings.ToLower(text), " " + text + " "} {
		if _, err := parseUnlock([]byte(in)); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
	for _, in := range []string{text[:len(text)-1], unlockPrefix, text + "A", text[:20] + "1" + text[21:]} {
		if _, err := parseUnlock([]byte(in)); err == nil || strings.Contains(err.Error(), in[len(unlockPrefix):]) && len(in) > len(unlockPrefix) {
			t.Errorf("%q: got %v", in, err)
		}
	}
	if _, err := parseUnlock([]byte("correct horse battery staple")); err != nil {
		t.Errorf("a passphrase: %v", err)
	}
	if _, err := (credential{fromPrompt, ""}).read(func() ([]byte, error) { return nil, errors.New("no terminal") }); err == nil {
		t.Error("a prompt that failed gave a secret")
	}
}

// The credential is read again where keys are destroyed, and lies in memory only
// where that cannot be.
func TestH2_CredentialIsReadAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "unlock")
	text := newUnlockText()
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	u, err := parseUnlock([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	a := &app{set: &settings{Unlock: credential{fromFile, path}}}
	a.keepUnlock(u)
	if again, err := a.credential(); a.kept.Load() != nil || err != nil || !reflect.DeepEqual(again, u) {
		t.Errorf("kept %v; read again: %v", a.kept.Load() != nil, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := a.credential(); err == nil {
		t.Error("what is not there any more was read")
	}
	for name, c := range map[string]credential{"typed": {fromPrompt, ""}, "for root only": {fromFile, path}} {
		a := &app{set: &settings{Unlock: c}}
		a.keepUnlock(u)
		if again, err := a.credential(); err != nil || !reflect.DeepEqual(again, u) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/config"
	"parley/keyring"
	"parley/mailflow"
)

// settingsIn gives settings of a gateway in a temporary directory.
func settingsIn(t *testing.T, dir string) *settings {
	t.Helper()
	c, err := config.Parse(filepath.Join(dir, configName), []byte(`domain = "vdp.example.org"`))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSettings(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSelfSignedCertificateServesBothDomains(t *testing.T) {
	t.Parallel()
	set := settingsIn(t, t.TempDir())
	m := &maker{}
	if err := m.certificate(set, time.Now()); err != nil {
		t.Fatal(err)
	}
	c, err := set.tls()
	if err != nil || c.config().MinVersion != tls.VersionTLS12 {
		t.Fatal(err)
	}
	leaf := c.now.Load().Leaf
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	for _, name := range []string{"vdp.example.org", "desk.vdp.example.org", "localhost", "127.0.0.1", "::1"} {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: "example.org", Roots: roots}); err == nil {
		t.Error("it serves a name that is not ours")
	}

	// What is there is the operator's, and stays.
	before, err := os.ReadFile(set.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.certificate(set, time.Now()); err != nil {
		t.Error(err)
	}
	if after, _ := os.ReadFile(set.CertFile); string(after) != string(before) {
		t.Error("a certificate was replaced")
	}
}

func TestExpiredCertificateIsRefused(t *testing.T) {
	t.Parallel()
	set := settingsIn(t, t.TempDir())
	if err := (&maker{}).certificate(set, time.Now().Add(-selfSignedLife-24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := set.tls(); err == nil || !strings.Contains(err.Error(), "it expired on 2") {
		t.Errorf("got %v", err)
	}
}

func TestOwnKeyIsSealed(t *testing.T) {
	t.Parallel()
	set := settingsIn(t, t.TempDir())
	u, err := parseUnlock([]byte(newUnlockText()))
	if err != nil {
		t.Fatal(err)
	}
	key, err := keyring.Generate(set.Domain, "report@"+set.Domain, keyring.Ed25519, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m := &maker{}
	if _, err := m.store(set, u, key); err != nil {
		t.Fatal(err)
	}
	st, err := openStore(set, given{unlock: u, clock: mailflow.WallClock()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	own, err := mailflow.OpenOwnKeys(st)
	if err != nil || own.Signing().Certificate().Fingerprint() != key.Certificate().Fingerprint() {
		t.Fatalf("got %v, %v", own, err)
	}
	if err := mailflow.KeepFirstKey(st, key); err == nil {
		t.Error("a second first key was taken")
	}
	if got := key.Certificate().UserIDs(); len(got) != 1 || got[0] != "vdp.example.org <report@vdp.example.org>" {
		t.Errorf("user IDs %q", got)
	}
	data, err := os.ReadFile(filepath.Join(set.StateDir, "parley.db"))
	if err != nil || strings.Contains(string(data), string(key.Bytes()[20:52])) {
		t.Errorf("the key lies in clear on disk: %v", err)
	}
}

func TestQuoteIsOneWordOfTheDeskLanguage(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{`phone, 3 Dec`: `"phone, 3 Dec"`, `say "yes"`: `"say \"yes\""`, ``: `""`} {
		if got := quote(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

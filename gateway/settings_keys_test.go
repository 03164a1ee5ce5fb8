package main

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is for tests only is warned about, and what cannot be read is said
// before anything runs.
func TestDiscoverySettings(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	good := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(good, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]struct {
		warnings int
		err      string
	}{
		"":                  {0, ""},
		"discovery = false": {0, ""},
		"port = 8443\nprivate = true\nroots = " + tomlQuote(good): {3, ""},
		"roots = " + tomlQuote(empty):                             {1, "holds no certificate in PEM"},
		"roots = \"/nowhere/roots.pem\"":                          {1, "no such file"},
	} {
		set, err := parseSettings(t, "domain = \"vdp.example.org\"\noutbound.smarthost = \"smtp://127.0.0.1:25\"\n[keys]\n"+text)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, w := range set.Warnings {
			if strings.Contains(w.Error(), "for tests only") {
				n++
			}
		}
		if n != want.warnings || set.Discovery.On != !strings.Contains(text, "discovery = false") {
			t.Errorf("%q: %d warnings, on: %v", text, n, set.Discovery.On)
		}
		c, err := set.Discovery.client()
		if (err == nil) != (want.err == "") || err != nil && !strings.Contains(err.Error(), want.err) {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil && strings.Contains(text, good) {
			if _, err := s.Certificate().Verify(x509.VerifyOptions{Roots: c.Roots}); err != nil || !c.Private || c.Port != 8443 {
				t.Errorf("%q: %+v, %v", text, c, err)
			}
		} else if err == nil && (c.Roots != nil || c.Private || c.Port != 443) {
			t.Errorf("%q: %+v", text, c)
		}
	}
}

package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"
)

// made is a certificate for the settings, as init makes it.
func made(t *testing.T, set *settings) *x509.Certificate {
	t.Helper()
	cert, key, err := selfSigned(set, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func TestCardHost(t *testing.T) {
	t.Parallel()
	names := &settings{Domain: "vdp.example.org", DeskDomain: "desk.vdp.example.org"}
	foreign := &settings{Domain: "imap.example.net", DeskDomain: "imap.example.net"}
	for _, c := range []struct {
		listen string
		cert   *settings
		want   string
	}{
		{"127.0.0.1:993", names, "localhost"},
		{"[::1]:993", names, "localhost"},
		{"localhost:993", names, "localhost"},
		{":993", names, "desk.vdp.example.org"},
		{"192.0.2.1:993", names, "desk.vdp.example.org"},
		{"0.0.0.0:993", &settings{Domain: "mx.vdp.example.org"}, "mx.vdp.example.org"},
		{":993", foreign, "imap.example.net"},
	} {
		set := *names
		set.Listen.IMAP = c.listen
		if got := set.clientHost(made(t, c.cert)); got != c.want {
			t.Errorf("%s, certificate of %s: got %s, want %s", c.listen, c.cert.Domain, got, c.want)
		}
	}
}

func TestCardCertificate(t *testing.T) {
	t.Parallel()
	leaf := made(t, &settings{Domain: "vdp.example.org", DeskDomain: "desk.vdp.example.org"})
	c := describe([]*x509.Certificate{leaf}, "localhost")
	if !c.Own || !c.Pinned || c.NotHost || !strings.HasPrefix(c.PEM, "-----BEGIN CERTIFICATE-----\n") {
		t.Errorf("got %+v", c)
	}
	if sum := sha256.Sum256(leaf.Raw); strings.ReplaceAll(c.SHA256, ":", "") != fmt.Sprintf("%X", sum) {
		t.Errorf("fingerprint %s", c.SHA256)
	}
	if !describe([]*x509.Certificate{leaf}, "imap.example.net").NotHost {
		t.Error("a name that the certificate does not have is not told")
	}
}

// Where a certificate needs no vouching, no file is named for it.
func TestCardOfAKnownCertificate(t *testing.T) {
	t.Parallel()
	c := card{Login: "ana", Name: "ana", Address: "ana@desk.vdp.example.org", View: "clear", Domain: "vdp.example.org",
		Desk: "desk.vdp.example.org", Undo: "2m", Host: "desk.vdp.example.org", IMAP: "993", Submission: "465",
		Certificate: cardCertificate{SHA256: colons([32]byte{}), Issuer: "CN=Some CA"}}
	text, err := c.text("")
	if err != nil || strings.Contains(text, "desk.pem") || strings.Contains(text, "SSL_CERT_FILE") || !strings.Contains(text, "issued by CN=Some CA") {
		t.Errorf("%v:\n%s", err, text)
	}
	if _, err := c.text("pine"); err == nil {
		t.Error("a card for an unknown client")
	}
}

// A value cannot become a setting of its own.
func TestCardQuotes(t *testing.T) {
	t.Parallel()
	c := card{Login: "ana", Name: "ana", Address: "\"a'`x`$y\\\"\"@desk.example", Desk: "desk.example", Fingerprint: "F", Certificate: cardCertificate{SHA256: colons([32]byte{})}}
	text, err := c.text("mutt")
	if err != nil {
		t.Fatal(err)
	}
	if want := "set from      = \"\\\"a'\\`x\\`\\$y\\\\\\\"\\\"@desk.example\"\n"; !strings.Contains(text, want) {
		t.Errorf("no %q in\n%s", want, text)
	}
}

// Nor can what was typed as the name of the machine.
func TestCardHostIsAName(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"imap.example.org": true, "localhost": true, "192.0.2.1": true, "2001:db8::1": true, "x": true,
		"a\nPassCmd rm": false, "a b": false, `a"`: false, "../a": false, "a;b": false, "": false, "-a": false, "a\n": false,
	} {
		if got := hostName.MatchString(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

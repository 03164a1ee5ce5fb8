package pgpmime_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/keyring/pgpmime"
)

// gpg is a person with GnuPG.
type gpg struct {
	t    *testing.T
	home string
}

func newGPG(t *testing.T) *gpg {
	t.Helper()
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("needs gpg (Debian package gnupg)")
	}
	home, err := os.MkdirTemp("", "g") // short: the agent's socket has to fit into 108 octets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		exec.Command("gpgconf", "--homedir", home, "--kill", "gpg-agent").Run()
		os.RemoveAll(home)
	})
	return &gpg{t, home}
}

// run returns what gpg wrote to stdout and to its status lines.
func (g *gpg) run(in []byte, args ...string) (out []byte, status string) {
	g.t.Helper()
	cmd := exec.Command("gpg", append([]string{"--homedir", g.home, "--batch", "--no-tty", "--trust-model", "always", "--status-fd", "2", "--passphrase", ""}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		g.t.Fatalf("gpg %q: %v\n%s", args, err, stderr.String())
	}
	return stdout.Bytes(), stderr.String()
}

// person makes a key the way people do and returns its certificate.
func (g *gpg) person(address, kind string) *keyring.Certificate {
	g.t.Helper()
	sub := kind
	if kind == "ed25519" {
		sub = "cv25519"
	}
	g.run(nil, "--quick-gen-key", "Person <"+address+">", kind, "sign,cert", "never")
	f := g.certificate(address).Fingerprint()
	g.run(nil, "--quick-add-key", string(f), sub, "encr", "1y")
	return g.certificate(address)
}

func (g *gpg) certificate(address string) *keyring.Certificate {
	g.t.Helper()
	out, _ := g.run(nil, "--armor", "--export", address)
	certs, err := keyring.ParseCertificates(out)
	if err != nil {
		g.t.Fatal(err)
	}
	return certs[0]
}

// TestGPG exchanges mail with GnuPG both ways, for each kind of key on either side.
func TestGPG(t *testing.T) {
	t.Parallel()
	for _, kind := range []keyring.Algorithm{keyring.Ed25519, keyring.RSA4096} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			if testing.Short() && kind == keyring.RSA4096 {
				t.Skip("making RSA keys takes seconds")
			}
			g := newGPG(t)
			at := time.Now()
			person := g.person("person@example.net", string(kind))
			us, err := keyring.Generate("", "report@vdp.example.org", kind, at.Add(-time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(person.CanEncrypt(at), person.CanVerify(at)); err != nil {
				t.Fatal(err)
			}
			armor, err := us.Certificate().Armor()
			if err != nil {
				t.Fatal(err)
			}
			g.run(armor, "--import")
			fromUs(t, g, us, person, at)
			toUs(t, g, us, person)
			clearFromUs(t, g, us, at)
		})
	}
}

func fromUs(t *testing.T, g *gpg, us *keyring.Secret, person *keyring.Certificate, at time.Time) {
	entity := "Subject: inner\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n"
	raw, err := pgpmime.Seal([]byte(entity), vendorOuter, []*keyring.Certificate{person}, us, at)
	if err != nil {
		t.Fatal(err)
	}
	root, err := parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	body, err := root.Children[1].Body()
	if err != nil {
		t.Fatal(err)
	}
	out, status := g.run(body, "--decrypt")
	if !bytes.Contains(out, []byte("Grüße\r\n")) || len(out) != 4096 {
		t.Errorf("gpg decrypted %d bytes", len(out))
	}
	for _, want := range []string{"DECRYPTION_OKAY", "GOODMDC", "VALIDSIG " + string(us.Certificate().Fingerprint())} {
		if !strings.Contains(status, want) {
			t.Errorf("gpg does not say %s:\n%s", want, status)
		}
	}
	if n := strings.Count(status, "ENC_TO"); n != 1 {
		t.Errorf("encrypted to %d keys", n)
	}
}

func toUs(t *testing.T, g *gpg, us *keyring.Secret, person *keyring.Certificate) {
	o := &pgpmime.Opener{Secrets: []*keyring.Secret{us}, Parse: parse, Certificates: lookup(person)}
	for name, extra := range map[string][]string{
		"default": nil, "text mode": {"--textmode"}, "zip": {"--compress-algo", "zip"}, "zlib": {"--compress-algo", "zlib"},
		"bzip2": {"--compress-algo", "bzip2"}, "hidden": {"--throw-keyids"}, "aes": {"--cipher-algo", "AES128"}, "sha256": {"--digest-algo", "SHA256"},
	} {
		args := append(extra, "--armor", "--sign", "--encrypt", "-u", string(person.Fingerprint()), "-r", "report@vdp.example.org")
		out, _ := g.run([]byte(inner), args...)
		root, err := parse([]byte(mail(pgpMIME(crlf(string(out))))))
		if err != nil {
			t.Fatal(err)
		}
		got, err := o.Open(context.Background(), root, time.Now())
		if err != nil {
			t.Errorf("%s: %v (%s)", name, err, pgpmime.Reason(err))
			continue
		}
		if !bytes.Contains(got.Payload, []byte("Heap overflow.")) || !got.WholeSigned || got.Signatures[0].Err != nil || got.Signatures[0].Signer != person.Fingerprint() {
			t.Errorf("%s: %q, %+v", name, got.Payload, got.Signatures)
		}
	}
}

func clearFromUs(t *testing.T, g *gpg, us *keyring.Secret, at time.Time) {
	const entity = "Content-Type: text/plain\r\n\r\nOur key is attached.\r\n"
	raw, err := pgpmime.SignClear([]byte(entity), vendorOuter, us, at)
	if err != nil {
		t.Fatal(err)
	}
	root, err := parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := root.Children[1].Body()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(g.home, "sig.asc")
	if err := os.WriteFile(file, sig, 0o600); err != nil {
		t.Fatal(err)
	}
	_, status := g.run(root.Children[0].Raw, "--verify", file, "-")
	if !strings.Contains(status, "VALIDSIG "+string(us.Certificate().Fingerprint())) {
		t.Errorf("gpg does not accept our signature:\n%s", status)
	}
}

// Keys that GnuPG makes, ends, revokes and extends are understood, and our
// secret key is one that it imports.
func TestGPGKeys(t *testing.T) {
	t.Parallel()
	g := newGPG(t)
	at := time.Now()
	c := g.person("person@example.net", "ed25519")
	if got := c.Addresses(); !slices.Equal(got, []string{"person@example.net"}) {
		t.Errorf("addresses %q", got)
	}
	if d := c.Expires().Sub(at); d < 364*24*time.Hour || d > 366*24*time.Hour {
		t.Errorf("expires %v", c.Expires())
	}
	if c.CanEncrypt(at) != nil || c.CanEncrypt(at.AddDate(2, 0, 0)) == nil {
		t.Errorf("%v, %v", c.CanEncrypt(at), c.CanEncrypt(at.AddDate(2, 0, 0)))
	}
	g.run(nil, "--quick-set-expire", string(c.Fingerprint()), "5y", "*")
	longer, said, err := keyring.Merge(c, g.certificate("person@example.net"))
	if err != nil || longer.CanEncrypt(at.AddDate(2, 0, 0)) != nil || len(said) != 1 {
		t.Errorf("extended: %v, said %q", err, said)
	}
	small, err := keyring.ParseCertificates(c.Minimal())
	if err != nil || small[0].CanEncrypt(at) != nil {
		t.Errorf("minimal: %v", err)
	}
	rev, err := os.ReadFile(filepath.Join(g.home, "openpgp-revocs.d", string(c.Fingerprint())+".rev"))
	if err != nil {
		t.Fatal(err)
	}
	g.run([]byte(strings.Replace(string(rev), ":-----BEGIN", "-----BEGIN", 1)), "--import")
	revoked, said, err := keyring.Merge(longer, g.certificate("person@example.net"))
	if err != nil || revoked.CanEncrypt(at) == nil || !strings.Contains(fmt.Sprint(said), "revoked") {
		t.Errorf("revoked: %v, said %q", err, said)
	}

	us, err := keyring.Generate("Example CERT", "report@vdp.example.org", keyring.Ed25519, at)
	if err != nil {
		t.Fatal(err)
	}
	if _, status := g.run(us.Bytes(), "--import"); !strings.Contains(status, "IMPORT_OK 17 "+string(us.Certificate().Fingerprint())) {
		t.Errorf("gpg did not import our secret key:\n%s", status)
	}
	out, _ := g.run(nil, "--armor", "--export-secret-keys", "report@vdp.example.org")
	again, err := keyring.ParseSecret(out)
	if err != nil || again.Certificate().Fingerprint() != us.Certificate().Fingerprint() {
		t.Errorf("our secret key through gpg: %v", err)
	}
}

package keyring_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/keyring"
)

// until makes a key of ours that ends.
func until(t testing.TB, address string, made, end time.Time) *keyring.Secret {
	t.Helper()
	s, err := keyring.GenerateUntil("Example CERT", address, keyring.Ed25519, made, end)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGenerateUntil(t *testing.T) {
	t.Parallel()
	s := until(t, "report@vdp.example.org", noon, noon.Add(2*365*days))
	c := s.Certificate()
	if got := c.Expires(); !got.Equal(noon.Add(2 * 365 * days)) {
		t.Errorf("it expires on %v", got)
	}
	for at, good := range map[time.Time]bool{noon: true, noon.Add(2*365*days - time.Second): true, noon.Add(2 * 365 * days): false} {
		if got := c.CanEncrypt(at) == nil; got != good {
			t.Errorf("encrypts at %v: %v", at, got)
		}
		if got := s.CanSign(at) == nil; got != good {
			t.Errorf("signs at %v: %v", at, got)
		}
	}
	if got := secret(t, "a@example.org").Certificate().Expires(); !got.IsZero() {
		t.Errorf("a key that does not end expires on %v", got)
	}
	for what, end := range map[string]time.Time{"before it was made": noon.Add(-hour), "136 years": noon.AddDate(200, 0, 0), "before": noon} {
		if _, err := keyring.GenerateUntil("", "a@example.org", keyring.Ed25519, noon, end); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("end %v: %v", end, err)
		}
	}
}

func TestCertify(t *testing.T) {
	t.Parallel()
	old, next := until(t, "report@vdp.example.org", noon.Add(-30*days), noon.Add(30*days)), until(t, "report@vdp.example.org", noon, time.Time{})
	stranger := secret(t, "report@vdp.example.org")
	if next.Certificate().CertifiedBy(old.Certificate(), "report@vdp.example.org", noon) {
		t.Fatal("it is certified by nobody yet")
	}
	c, err := old.Certify(next.Certificate(), noon)
	if err != nil {
		t.Fatal(err)
	}
	if !c.CertifiedBy(old.Certificate(), "report@vdp.example.org", noon) || c.CertifiedBy(stranger.Certificate(), "report@vdp.example.org", noon) {
		t.Error("the certification does not count, or counts as somebody else's")
	}
	again := parseOne(t, c.Bytes())
	if !again.CertifiedBy(old.Certificate(), "report@vdp.example.org", noon) || again.Fingerprint() != next.Certificate().Fingerprint() {
		t.Error("the certification does not stand in what is written")
	}
	merged, _, err := keyring.Merge(next.Certificate(), c)
	if err != nil || !merged.CertifiedBy(old.Certificate(), "report@vdp.example.org", noon) {
		t.Errorf("a peer that merges does not see it: %v", err)
	}
	if _, err := old.Certify(old.Certificate(), noon); err == nil {
		t.Error("a key vouched for itself")
	}
	if _, err := old.Certify(next.Certificate(), noon.Add(31*days)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an ended key vouched: %v", err)
	}
}

func TestExtend(t *testing.T) {
	t.Parallel()
	other := secret(t, "other@example.org")
	s := until(t, "report@vdp.example.org", noon.Add(-30*days), noon.Add(30*days))
	c, err := other.Certify(s.Certificate(), noon)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = s.With(c); err != nil {
		t.Fatal(err)
	}
	sealed := encryptTo(t, s.Certificate())
	for _, end := range []time.Time{noon.Add(400 * days), noon.Add(10 * days), {}} {
		// Within the second of what the certificate said last, too.
		if quick, err := until(t, "report@vdp.example.org", noon, noon.Add(30*days)).Extend(end, noon.Add(300*time.Millisecond)); err != nil || !quick.Certificate().Expires().Equal(end) {
			t.Errorf("at once: %v, not %v: %v", quick.Certificate().Expires(), end, err)
		}
		longer, err := s.Extend(end, noon)
		if err != nil {
			t.Fatal(err)
		}
		if got := longer.Certificate().Expires(); !got.Equal(end) {
			t.Errorf("it expires on %v, not %v", got, end)
		}
		if !longer.Certificate().CertifiedBy(other.Certificate(), "report@vdp.example.org", noon.Add(hour)) {
			t.Error("what others said of it is gone")
		}
		merged, said, err := keyring.Merge(s.Certificate(), longer.Certificate())
		if err != nil || !merged.Expires().Equal(end) || len(said) != 1 {
			t.Errorf("a peer that merges sees %v: %q, %v", merged.Expires(), said, err)
		}
		if back, err := keyring.ParseSecret(longer.Bytes()); err != nil || !back.Certificate().Expires().Equal(end) {
			t.Errorf("it is not written so: %v", err)
		}
		m, err := keyring.Decrypt(context.Background(), sealed, []*keyring.Secret{longer}, keyring.DefaultLimits())
		if err != nil || string(m.Data) != "hello" {
			t.Errorf("it does not open what it opened: %v", err)
		}
	}
	if late, err := s.Extend(noon.Add(90*days), noon.Add(60*days)); err != nil || late.CanSign(noon.Add(60*days+hour)) != nil {
		t.Errorf("a key that had ended is not brought back: %v", err)
	}
	if _, err := s.Extend(noon.Add(-hour), noon); err == nil {
		t.Error("it was extended into the past")
	}
	// Twice within a second: the later word counts.
	first, _ := s.Extend(noon.Add(100*days), noon)
	second, err := first.Extend(noon.Add(200*days), noon)
	if err != nil || !second.Certificate().Expires().Equal(noon.Add(200*days)) {
		t.Errorf("two in one second: %v, %v", second.Certificate().Expires(), err)
	}
}

func TestWithWantsTheWholeKey(t *testing.T) {
	t.Parallel()
	s, o := secret(t, "a@example.org"), secret(t, "b@example.org")
	if _, err := s.With(o.Certificate()); err == nil {
		t.Error("a secret key was put under somebody else's certificate")
	}
}

func encryptTo(t testing.TB, c *keyring.Certificate) []byte {
	t.Helper()
	sealed, err := keyring.Encrypt([]byte("hello"), []*keyring.Certificate{c}, secret(t, "sender@example.org"), noon)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestRecipients(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	sealed := encryptTo(t, s.Certificate())
	ids := keyring.Recipients(sealed)
	if len(ids) != 1 || ids[0] != s.Certificate().KeyIDs()[1] {
		t.Errorf("got %x", ids)
	}
	for what, data := range map[string][]byte{"nothing": nil, "cut off": sealed[:20], "a certificate": s.Certificate().Bytes()} {
		if ids := keyring.Recipients(data); ids != nil {
			t.Errorf("%s: %x", what, ids)
		}
	}
}

// rotated is what a gateway publishes around a rotation: both certificates in one
// block, each vouched for by the other, the newer one extended.
func rotated(t testing.TB, alg keyring.Algorithm) (armored []byte, old, next *keyring.Secret) {
	t.Helper()
	now := time.Now().Add(-time.Hour).Truncate(time.Second)
	old = until(t, "report@vdp.example.org", now.Add(-30*days), now.Add(60*days))
	next, err := keyring.GenerateUntil("Example CERT", "report@vdp.example.org", alg, now, now.Add(365*days))
	if err != nil {
		t.Fatal(err)
	}
	signedNext, err := old.Certify(next.Certificate(), now)
	if err != nil {
		t.Fatal(err)
	}
	if next, err = next.With(signedNext); err != nil {
		t.Fatal(err)
	}
	signedOld, err := next.Certify(old.Certificate(), now)
	if err != nil {
		t.Fatal(err)
	}
	if old, err = old.With(signedOld); err != nil {
		t.Fatal(err)
	}
	if next, err = next.Extend(now.Add(3*365*days), now); err != nil {
		t.Fatal(err)
	}
	armored, err = keyring.ArmorCertificates(old.Certificate(), next.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	return armored, old, next
}

func TestOthersReadARotation(t *testing.T) {
	t.Parallel()
	for _, alg := range []keyring.Algorithm{keyring.Ed25519, keyring.RSA4096} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			armored, old, next := rotated(t, alg)
			end := next.Certificate().Expires().Format("2006-01-02")
			both := []string{string(old.Certificate().Fingerprint()), string(next.Certificate().Fingerprint())}
			file := filepath.Join(t.TempDir(), "ours.asc")
			if err := os.WriteFile(file, armored, 0o600); err != nil {
				t.Fatal(err)
			}
			certs, err := keyring.ParseCertificates(armored)
			if err != nil || len(certs) != 2 {
				t.Fatalf("%d certificates: %v", len(certs), err)
			}
			gpgReads(t, file, both, end)
			sqReads(t, file, both, end)
			rnpReads(t, file, both, end)
		})
	}
}

// runProgram runs a program with a home of its own, which ends with the test.
func runProgram(t testing.TB, home, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is a Debian package that these tests need: %v", name, err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "GNUPGHOME="+home, "HOME="+home, "LC_ALL=C", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func wants(t testing.TB, who, out string, words ...string) {
	t.Helper()
	flat := strings.ToUpper(strings.ReplaceAll(out, " ", ""))
	for _, w := range words {
		if !strings.Contains(flat, strings.ToUpper(w)) {
			t.Errorf("%s does not say %s:\n%s", who, w, out)
		}
	}
}

func gpgReads(t *testing.T, file string, both []string, end string) {
	t.Helper()
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
	wants(t, "gpg", runProgram(t, home, "gpg", "--batch", "--show-keys", file), append(both, end)...)
	runProgram(t, home, "gpg", "--batch", "--quiet", "--import", file)
	out := runProgram(t, home, "gpg", "--batch", "--with-colons", "--check-sigs")
	good := 0
	for line := range strings.Lines(out) {
		f := strings.Split(line, ":")
		if f[0] != "sig" {
			continue
		}
		if f[1] != "!" {
			t.Errorf("gpg finds a signature that is not good: %s", line)
		}
		good++
	}
	// Each has a user ID with its own word and the other's and a subkey; the
	// newer one has its own words about the user ID twice.
	if good != 3+4 {
		t.Errorf("gpg finds %d good signatures:\n%s", good, out)
	}
}

func sqReads(t *testing.T, file string, both []string, end string) {
	t.Helper()
	out := runProgram(t, t.TempDir(), "sq", "inspect", "--certifications", file)
	wants(t, "sq", out, append(both, end)...)
	if strings.Contains(out, "Invalid") || strings.Contains(out, "Bad") {
		t.Errorf("sq finds it bad:\n%s", out)
	}
}

func rnpReads(t *testing.T, file string, both []string, end string) {
	t.Helper()
	home := t.TempDir()
	out := runProgram(t, home, "rnpkeys", "--homedir", home, "--import-keys", file)
	wants(t, "rnp", out, both...)
	if list := runProgram(t, home, "rnpkeys", "--homedir", home, "--list-keys", "--with-sigs"); !bytes.Contains([]byte(list), []byte(end)) {
		t.Errorf("rnp does not see the new end %s:\n%s", end, list)
	}
}

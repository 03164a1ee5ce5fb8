package pgpmime_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/keyring"
)

// program is a person with an OpenPGP program of another maker and one key.
type program interface {
	certificate() *keyring.Certificate
	// seal signs data and encrypts it to the certificates, in armor.
	seal(data []byte, to []*keyring.Certificate, options ...string) []byte
	// open decrypts a message; the test fails unless it holds a good signature by that key.
	open(message []byte, by *keyring.Certificate) []byte
	// sign makes a detached signature, in armor.
	sign(data []byte) []byte
	verify(data, signature []byte, by *keyring.Certificate)
	// clearSign signs a text that stays readable.
	clearSign(text []byte) []byte
}

// The programs, and how a person with a key of a kind comes about.
var programs = map[string]func(*testing.T, string) program{
	"gpg": func(t *testing.T, kind string) program { return newGPG(t, kind) },
	"sq":  func(t *testing.T, kind string) program { return newSq(t, kind) },
	"rnp": func(t *testing.T, kind string) program { return newRNP(t, kind) },
}

// The kinds of key that everybody must be able to have.
var kinds = []string{"ed25519", "rsa4096", "p256"}

// ours makes a key of the gateway of each kind, once.
var ours = map[keyring.Algorithm]func() (*keyring.Secret, error){
	keyring.Ed25519: sync.OnceValues(func() (*keyring.Secret, error) { return generate(keyring.Ed25519) }),
	keyring.RSA4096: sync.OnceValues(func() (*keyring.Secret, error) { return generate(keyring.RSA4096) }),
}

func generate(kind keyring.Algorithm) (*keyring.Secret, error) {
	return keyring.Generate("", "report@vdp.example.org", kind, time.Now().Add(-time.Minute))
}

// tool runs a program in a folder of its own.
type tool struct {
	t     *testing.T
	dir   string
	known map[keyring.Fingerprint]string // files of certificates that were handed over
}

func newTool(t *testing.T, program, debian string) tool {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("needs %s (Debian package %s)", program, debian)
	}
	dir, err := os.MkdirTemp("", "p") // short: the socket of gpg's agent has to fit into 108 octets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return tool{t, dir, map[keyring.Fingerprint]string{}}
}

func (x tool) file(name string, data []byte) string {
	x.t.Helper()
	path := filepath.Join(x.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		x.t.Fatal(err)
	}
	return path
}

// run returns what a program wrote to stdout and to stderr.
func (x tool) run(in []byte, name string, args ...string) (out []byte, said string) {
	x.t.Helper()
	cmd := exec.Command(name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		x.t.Fatalf("%s %q: %v\n%s", name, args, err, stderr.String())
	}
	return stdout.Bytes(), stderr.String()
}

// cert is the file of a certificate; first has it imported, where a program does
// that.
func (x tool) cert(c *keyring.Certificate, first func(file string)) string {
	f := c.Fingerprint()
	if x.known[f] == "" {
		x.known[f] = x.file(string(f)+".pub", c.Bytes())
		if first != nil {
			first(x.known[f])
		}
	}
	return x.known[f]
}

func (x tool) parse(armor []byte) *keyring.Certificate {
	x.t.Helper()
	certs, err := keyring.ParseCertificates(armor)
	if err != nil || len(certs) != 1 {
		x.t.Fatalf("%d certificates, %v", len(certs), err)
	}
	return certs[0]
}

// storedKey is the file of a secret key that no program makes here.
func storedKey(kind string) string {
	return filepath.Join("testdata", "interop", "TEST-secret-"+kind+".asc")
}

// gpg is a person with GnuPG.
type gpg struct {
	tool
	own *keyring.Certificate
}

func newGPG(t *testing.T, kind string) *gpg {
	t.Helper()
	g := &gpg{tool: newTool(t, "gpg", "gnupg")}
	t.Cleanup(func() { exec.Command("gpgconf", "--homedir", g.dir, "--kill", "gpg-agent").Run() })
	if kind == "rsa4096" {
		g.gpg(nil, "--import", storedKey(kind))
		g.own = g.export("rsa4096@example.net")
		return g
	}
	sign, encrypt := kind, "cv25519"
	if kind == "p256" {
		sign, encrypt = "nistp256", "nistp256"
	}
	g.gpg(nil, "--quick-gen-key", "Person <person@example.net>", sign, "sign,cert", "never")
	g.gpg(nil, "--quick-add-key", string(g.export("person@example.net").Fingerprint()), encrypt, "encr", "1y")
	g.own = g.export("person@example.net")
	return g
}

// gpg returns what gpg wrote to stdout and to its status lines.
func (g *gpg) gpg(in []byte, args ...string) (out []byte, status string) {
	g.t.Helper()
	return g.run(in, "gpg", append([]string{"--homedir", g.dir, "--batch", "--no-tty", "--trust-model", "always", "--status-fd", "2", "--passphrase", ""}, args...)...)
}

func (g *gpg) export(address string) *keyring.Certificate {
	g.t.Helper()
	out, _ := g.gpg(nil, "--armor", "--export", address)
	return g.parse(out)
}

func (g *gpg) meet(c *keyring.Certificate) {
	g.cert(c, func(file string) { g.gpg(nil, "--import", file) })
}

func (g *gpg) certificate() *keyring.Certificate { return g.own }

func (g *gpg) seal(data []byte, to []*keyring.Certificate, options ...string) []byte {
	g.t.Helper()
	args := append(options, "--armor", "--sign", "--encrypt", "-u", string(g.own.Fingerprint()))
	for _, c := range to {
		g.meet(c)
		args = append(args, "-r", string(c.Fingerprint()))
	}
	out, _ := g.gpg(data, args...)
	return out
}

func (g *gpg) open(message []byte, by *keyring.Certificate) []byte {
	g.t.Helper()
	g.meet(by)
	out, status := g.gpg(message, "--decrypt")
	for _, want := range []string{"DECRYPTION_OKAY", "GOODMDC", "VALIDSIG " + string(by.Fingerprint())} {
		if !strings.Contains(status, want) {
			g.t.Errorf("gpg does not say %s:\n%s", want, status)
		}
	}
	return out
}

func (g *gpg) sign(data []byte) []byte {
	g.t.Helper()
	out, _ := g.gpg(data, "--armor", "--detach-sign", "-u", string(g.own.Fingerprint()))
	return out
}

func (g *gpg) clearSign(text []byte) []byte {
	g.t.Helper()
	out, _ := g.gpg(text, "--clearsign", "-u", string(g.own.Fingerprint()))
	return out
}

func (g *gpg) verify(data, signature []byte, by *keyring.Certificate) {
	g.t.Helper()
	g.meet(by)
	_, status := g.gpg(data, "--verify", g.file("sig.asc", signature), "-")
	if !strings.Contains(status, "VALIDSIG "+string(by.Fingerprint())) {
		g.t.Errorf("gpg does not accept the signature:\n%s", status)
	}
}

// sq is a person with Sequoia's sq, who keeps the key in a file.
type sq struct {
	tool
	key string
	own *keyring.Certificate
}

func newSq(t *testing.T, kind string) *sq {
	t.Helper()
	s := &sq{tool: newTool(t, "sq", "sq"), key: storedKey(kind)}
	if out, _ := s.run(nil, "sq", "--version"); !bytes.HasPrefix(out, []byte("sq 0.")) {
		t.Skipf("needs sq 0.27, whose options it knows; this is %q", out)
	}
	if kind == "ed25519" {
		s.key = filepath.Join(s.dir, "key.pgp")
		s.run(nil, "sq", "key", "generate", "--userid", "Person <person@example.net>", "--export", s.key)
	}
	out, _ := s.run(nil, "sq", "key", "extract-cert", s.key)
	s.own = s.parse(out)
	return s
}

func (s *sq) certificate() *keyring.Certificate { return s.own }

func (s *sq) seal(data []byte, to []*keyring.Certificate, options ...string) []byte {
	s.t.Helper()
	args := append([]string{"encrypt", "--signer-key", s.key}, options...)
	for _, c := range to {
		args = append(args, "--recipient-cert", s.cert(c, nil))
	}
	out, _ := s.run(data, "sq", args...)
	return out
}

func (s *sq) open(message []byte, by *keyring.Certificate) []byte {
	s.t.Helper()
	// It fails unless there is a good signature by this very certificate.
	out, _ := s.run(message, "sq", "decrypt", "--recipient-key", s.key, "--signer-cert", s.cert(by, nil))
	return out
}

func (s *sq) sign(data []byte) []byte {
	s.t.Helper()
	out, _ := s.run(data, "sq", "sign", "--detached", "--signer-key", s.key)
	return out
}

func (s *sq) clearSign(text []byte) []byte {
	s.t.Helper()
	out, _ := s.run(text, "sq", "sign", "--cleartext-signature", "--signer-key", s.key)
	return out
}

func (s *sq) verify(data, signature []byte, by *keyring.Certificate) {
	s.t.Helper()
	s.run(data, "sq", "verify", "--signer-cert", s.cert(by, nil), "--detached", s.file("sig.asc", signature))
}

// rnp is a person with RNP.
type rnp struct {
	tool
	own *keyring.Certificate
}

func newRNP(t *testing.T, kind string) *rnp {
	t.Helper()
	r := &rnp{tool: newTool(t, "rnp", "rnp")}
	address := "person@example.net"
	switch kind {
	case "ed25519":
		r.keys([]byte("22\n"), "--generate-key", "--expert", "--userid", "Person <"+address+">")
	case "p256":
		r.keys([]byte("19\n1\n"), "--generate-key", "--expert", "--userid", "Person <"+address+">")
	default:
		address = kind + "@example.net"
		r.keys(nil, "--import-keys", storedKey(kind))
	}
	r.own = r.export(address)
	return r
}

func (r *rnp) keys(in []byte, args ...string) []byte {
	r.t.Helper()
	out, _ := r.run(in, "rnpkeys", append([]string{"--homedir", r.dir, "--notty", "--password", ""}, args...)...)
	return out
}

func (r *rnp) export(address string) *keyring.Certificate {
	r.t.Helper()
	return r.parse(r.keys(nil, "--export-key", address))
}

func (r *rnp) rnp(args ...string) (out []byte, said string) {
	r.t.Helper()
	return r.run(nil, "rnp", append([]string{"--homedir", r.dir, "--notty", "--password", ""}, args...)...)
}

func (r *rnp) meet(c *keyring.Certificate) {
	r.cert(c, func(file string) { r.keys(nil, "--import-keys", file) })
}

func (r *rnp) certificate() *keyring.Certificate { return r.own }

func (r *rnp) seal(data []byte, to []*keyring.Certificate, options ...string) []byte {
	r.t.Helper()
	args := append(options, "--encrypt", "--sign", "--armor", "-u", string(r.own.Fingerprint()))
	for _, c := range to {
		r.meet(c)
		args = append(args, "-r", string(c.Fingerprint()))
	}
	out, _ := r.rnp(append(args, "--output", "-", r.file("data", data))...)
	return out
}

func (r *rnp) open(message []byte, by *keyring.Certificate) []byte {
	r.t.Helper()
	r.meet(by)
	out, said := r.rnp("--decrypt", "--output", "-", r.file("message", message))
	r.good(said, by)
	return out
}

// good wants rnp to have named the key that made a good signature.
func (r *rnp) good(said string, by *keyring.Certificate) {
	r.t.Helper()
	if !strings.Contains(said, "Good signature") || !strings.Contains(said, strings.ToLower(string(by.Fingerprint()))) {
		r.t.Errorf("rnp does not accept the signature:\n%s", said)
	}
}

func (r *rnp) sign(data []byte) []byte {
	r.t.Helper()
	out, _ := r.rnp("--sign", "--detach", "--armor", "-u", string(r.own.Fingerprint()), "--output", "-", r.file("data", data))
	return out
}

func (r *rnp) clearSign(text []byte) []byte {
	r.t.Helper()
	out, _ := r.rnp("--clearsign", "-u", string(r.own.Fingerprint()), "--output", "-", r.file("text", text))
	return out
}

func (r *rnp) verify(data, signature []byte, by *keyring.Certificate) {
	r.t.Helper()
	r.meet(by)
	_, said := r.rnp("--verify", "--source", r.file("data", data), r.file("data.sig", signature))
	r.good(said, by)
}

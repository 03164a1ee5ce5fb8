package keyring_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"parley/keyring"
)

// peerProgram is an OpenPGP program with alice's and bob's secret keys in a home of
// its own.
type peerProgram struct {
	b    *testing.B
	home string
	name string
	args []string // in front of all others
}

// BenchmarkPrograms is 20 MB, signed, encrypted and armored, and back, beside gpg
// and rnp as processes, start of the program included. What each of the two ways
// writes, the other one reads.
func BenchmarkPrograms(b *testing.B) {
	for name, c := range map[string]struct{ args, encrypt, decrypt []string }{
		"gpg": {
			[]string{"--batch", "--yes", "--quiet", "--trust-model", "always"},
			[]string{"--armor", "--compress-algo", "none", "-u", "a@example.org", "-r", "b@example.org", "--sign", "--encrypt"},
			[]string{"--decrypt"},
		},
		"rnp": {
			[]string{"--overwrite", "--password", ""},
			[]string{"--armor", "-z", "0", "-u", "a@example.org", "-r", "b@example.org", "--sign", "--encrypt"},
			[]string{"--decrypt"},
		},
	} {
		b.Run(name, func(b *testing.B) { benchProgram(b, name, c.args, c.encrypt, c.decrypt) })
	}
}

func benchProgram(b *testing.B, name string, args, encrypt, decrypt []string) {
	if _, err := exec.LookPath(name); err != nil {
		b.Skipf("%s is not installed", name)
	}
	alice, bob := freshSecret(b, "a@example.org"), freshSecret(b, "b@example.org")
	p := newPeerProgram(b, name, args, alice, bob)
	data, to := benchText(20<<20), []*keyring.Certificate{bob.Certificate()}
	plain, sealed := p.file("plain", data), filepath.Join(p.home, "sealed")
	b.Run("encrypt", func(b *testing.B) {
		versus(b, len(data), name, func() error {
			_, err := armored(data, to, alice)
			return err
		}, func() error { return p.run(append(encrypt, "--output", sealed, plain)...) })
		text, err := os.ReadFile(sealed)
		if err != nil {
			b.Fatal(err)
		}
		if got, err := openArmored(text, bob); err != nil || !bytes.Equal(got, data) {
			b.Fatalf("what %s wrote is not read: %v", name, err)
		}
	})
	b.Run("decrypt", func(b *testing.B) {
		text, err := armored(data, to, alice)
		if err != nil {
			b.Fatal(err)
		}
		in, out := p.file("ours.asc", text), filepath.Join(p.home, "opened")
		versus(b, len(data), name, func() error {
			_, err := openArmored(text, bob)
			return err
		}, func() error { return p.run(append(decrypt, "--output", out, in)...) })
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, data) {
			b.Fatalf("%s does not read what we wrote: %v", name, err)
		}
	})
}

func openArmored(text []byte, s *keyring.Secret) ([]byte, error) {
	found := keyring.FindArmor(text)
	if len(found) != 1 {
		return nil, fmt.Errorf("%d blocks", len(found))
	}
	m, err := keyring.DecryptOwned(context.Background(), found[0].Data, []*keyring.Secret{s}, keyring.DefaultLimits())
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, keyring.Reason(err))
	}
	return m.Data, nil
}

// freshSecret is a key that programs which read the clock take for old enough.
func freshSecret(b *testing.B, address string) *keyring.Secret {
	b.Helper()
	s, err := keyring.Generate("", address, keyring.Ed25519, time.Now().Add(-24*time.Hour))
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func newPeerProgram(b *testing.B, name string, args []string, secrets ...*keyring.Secret) *peerProgram {
	b.Helper()
	home, err := os.MkdirTemp("", "pgp") // short: gpg puts a socket into it
	if err != nil {
		b.Fatal(err)
	}
	p := &peerProgram{b: b, home: home, name: name, args: append([]string{"--homedir", home}, args...)}
	b.Cleanup(func() {
		if name == "gpg" {
			_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() // its agent, which else goes by itself
		}
		_ = os.RemoveAll(home)
	})
	for i, s := range secrets {
		key := p.file(fmt.Sprintf("key%d", i), s.Bytes())
		if name == "gpg" {
			err = p.run("--import", key)
		} else {
			err = exec.Command("rnpkeys", "--homedir", home, "--import-key", key).Run()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return p
}

func (p *peerProgram) file(name string, data []byte) string {
	p.b.Helper()
	path := filepath.Join(p.home, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		p.b.Fatal(err)
	}
	return path
}

func (p *peerProgram) run(args ...string) error {
	out, err := exec.Command(p.name, append(p.args[:len(p.args):len(p.args)], args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", p.name, err, out)
	}
	return nil
}

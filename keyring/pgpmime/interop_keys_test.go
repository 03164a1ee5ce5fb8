package pgpmime_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
)

// Keys that GnuPG makes, extends and revokes are understood, and our secret key
// is one that it imports.
func TestInteropGPGKeys(t *testing.T) {
	t.Parallel()
	g := newGPG(t, "ed25519")
	at := time.Now()
	c := g.own
	if got := c.Addresses(); !slices.Equal(got, []string{"person@example.net"}) {
		t.Errorf("addresses %q", got)
	}
	if d := c.Expires().Sub(at); d < 364*24*time.Hour || d > 366*24*time.Hour {
		t.Errorf("expires %v", c.Expires())
	}
	if c.CanEncrypt(at) != nil || c.CanEncrypt(at.AddDate(2, 0, 0)) == nil {
		t.Errorf("%v, %v", c.CanEncrypt(at), c.CanEncrypt(at.AddDate(2, 0, 0)))
	}
	g.gpg(nil, "--quick-set-expire", string(c.Fingerprint()), "5y", "*")
	longer, said, err := keyring.Merge(c, g.export("person@example.net"))
	if err != nil || longer.CanEncrypt(at.AddDate(2, 0, 0)) != nil || len(said) != 1 {
		t.Errorf("extended: %v, said %q", err, said)
	}
	small, err := keyring.ParseCertificates(c.Minimal())
	if err != nil || small[0].CanEncrypt(at) != nil {
		t.Errorf("minimal: %v", err)
	}
	rev, err := os.ReadFile(filepath.Join(g.dir, "openpgp-revocs.d", string(c.Fingerprint())+".rev"))
	if err != nil {
		t.Fatal(err)
	}
	g.gpg([]byte(strings.Replace(string(rev), ":-----BEGIN", "-----BEGIN", 1)), "--import")
	revoked, said, err := keyring.Merge(longer, g.export("person@example.net"))
	if err != nil || revoked.CanEncrypt(at) == nil || !strings.Contains(fmt.Sprint(said), "revoked") {
		t.Errorf("revoked: %v, said %q", err, said)
	}
}

// Our secret keys, of each kind, are ones that the programs take and work with.
func TestInteropOurSecretKey(t *testing.T) {
	t.Parallel()
	for kind, secret := range ours {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			us, err := secret()
			if err != nil {
				t.Fatal(err)
			}
			fpr := string(us.Certificate().Fingerprint())
			g := newGPG(t, "p256")
			if _, status := g.gpg(us.Bytes(), "--import"); !strings.Contains(status, "IMPORT_OK 17 "+fpr) {
				t.Errorf("gpg did not import our secret key:\n%s", status)
			}
			out, _ := g.gpg(nil, "--armor", "--export-secret-keys", fpr)
			again, err := keyring.ParseSecret(out)
			if err != nil || string(again.Certificate().Fingerprint()) != fpr {
				t.Errorf("our secret key through gpg: %v", err)
			}
		})
	}
	t.Run("sq", func(t *testing.T) {
		t.Parallel()
		us, err := ours[keyring.Ed25519]()
		if err != nil {
			t.Fatal(err)
		}
		s := newSq(t, "p256")
		s.key = s.file("ours.pgp", us.Bytes())
		x := &exchange{T: t, us: us, mine: "ed25519", them: &sq{tool: s.tool, key: s.key, own: us.Certificate()}}
		x.toUs()
	})
}

// ended is one certificate as it was made and as revoked later, and another whose
// time is over.
type ended struct{ valid, expired, revoked *keyring.Certificate }

// A key whose end a program has set, or that it has revoked, is judged as it does.
func TestInteropEndedKeys(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(*testing.T) ended{"gpg": endedGPG, "sq": endedSq, "rnp": endedRNP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := of(t)
			at := time.Now()
			if err := e.valid.CanEncrypt(at); err != nil {
				t.Errorf("valid: %v", err)
			}
			if e.expired.CanEncrypt(at) == nil || e.expired.CanVerify(at) == nil || !e.expired.Expires().Before(at) {
				t.Errorf("expired %v: %v, %v", e.expired.Expires(), e.expired.CanEncrypt(at), e.expired.CanVerify(at))
			}
			if before := e.expired.Expires().Add(-time.Hour); e.expired.CanEncrypt(before) != nil || e.expired.CanVerify(before) != nil {
				t.Errorf("before it expires: %v, %v", e.expired.CanEncrypt(before), e.expired.CanVerify(before))
			}
			if e.revoked.Fingerprint() != e.valid.Fingerprint() || e.revoked.CanEncrypt(at) == nil || e.revoked.CanVerify(at) == nil {
				t.Errorf("revoked: %v, %v", e.revoked.CanEncrypt(at), e.revoked.CanVerify(at))
			}
			joined, _, err := keyring.Merge(e.valid, e.revoked)
			if err != nil || joined.CanEncrypt(at) == nil {
				t.Errorf("joined with the revoked: %v", err)
			}
		})
	}
}

func endedGPG(t *testing.T) (e ended) {
	g := newGPG(t, "p256")
	e.valid = g.own
	f := string(g.own.Fingerprint())
	rev, err := os.ReadFile(filepath.Join(g.dir, "openpgp-revocs.d", f+".rev"))
	if err != nil {
		t.Fatal(err)
	}
	g.gpg([]byte(strings.Replace(string(rev), ":-----BEGIN", "-----BEGIN", 1)), "--import")
	e.revoked = g.export("person@example.net")
	const then = "--faked-system-time=20240101T000000!"
	g.gpg(nil, then, "--quick-gen-key", "Old <old@example.net>", "ed25519", "sign,cert", "1y")
	g.gpg(nil, then, "--quick-add-key", string(g.export("old@example.net").Fingerprint()), "cv25519", "encr", "1y")
	e.expired = g.export("old@example.net")
	return e
}

func endedSq(t *testing.T) (e ended) {
	s := newSq(t, "p256")
	key, rev, old := filepath.Join(s.dir, "k.pgp"), filepath.Join(s.dir, "k.rev"), filepath.Join(s.dir, "old.pgp")
	s.run(nil, "sq", "key", "generate", "--userid", "Person <person@example.net>", "--export", key, "--rev-cert", rev)
	out, _ := s.run(nil, "sq", "key", "extract-cert", key)
	e.valid = s.parse(out)
	armor, err := os.ReadFile(rev)
	if err != nil {
		t.Fatal(err)
	}
	// A revocation stands behind the primary key, a short packet. RFC 9580, section 10.1.1.
	whole := e.valid.Bytes()
	primary := 2 + int(whole[1])
	e.revoked = s.parse(slices.Concat(whole[:primary], keyring.FindArmor(armor)[0].Data, whole[primary:]))
	s.run(nil, "sq", "key", "generate", "--userid", "Old <old@example.net>", "--creation-time", "20240101", "--expires", "20250101", "--export", old)
	out, _ = s.run(nil, "sq", "key", "extract-cert", old)
	e.expired = s.parse(out)
	return e
}

func endedRNP(t *testing.T) (e ended) {
	r := newRNP(t, "p256")
	e.valid = r.own
	r.keys(nil, "--revoke-key", string(r.own.Fingerprint()), "--rev-type", "superseded", "--rev-reason", "a new one")
	e.revoked = r.export("person@example.net")
	r.keys([]byte("22\n"), "--current-time", "2024-01-01", "--generate-key", "--expert", "--userid", "Old <old@example.net>", "--expiration", "1y")
	e.expired = r.export("old@example.net")
	return e
}

// A certificate that a program printed is read whether in armor or not, and what
// we print of it is what it was.
func TestInteropCertificates(t *testing.T) {
	t.Parallel()
	for name, person := range programs {
		for _, kind := range kinds {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				c := person(t, kind).certificate()
				armor, err := c.Armor()
				if err != nil {
					t.Fatal(err)
				}
				for _, data := range [][]byte{armor, c.Bytes()} {
					again, err := keyring.ParseCertificates(data)
					if err != nil || len(again) != 1 || !bytes.Equal(again[0].Bytes(), c.Bytes()) {
						t.Errorf("%d certificates, %v", len(again), err)
					}
				}
				if err := c.CanEncrypt(time.Now()); err != nil {
					t.Error(err)
				}
				if err := c.CanVerify(time.Now()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

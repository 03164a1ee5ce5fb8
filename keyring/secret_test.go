package keyring_test

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
)

func TestGenerate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, address string
		alg           keyring.Algorithm
		want          string
	}{
		{"", "report@vdp.example.org", keyring.Ed25519, "report@vdp.example.org"},
		{"Example CERT", "report@vdp.example.org", keyring.Ed25519, "Example CERT <report@vdp.example.org>"},
		{"Example", "not an address", keyring.Ed25519, ""},
		{"Ex<ample", "a@b", keyring.Ed25519, ""},
		{"Ex\nample", "a@b", keyring.Ed25519, ""},
		{"", "a@b", "dsa1024", ""},
	} {
		s, err := keyring.Generate(c.name, c.address, c.alg, noon)
		if c.want == "" {
			if err == nil {
				t.Errorf("%q %q %q: made", c.name, c.address, c.alg)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Certificate().UserIDs(); !slices.Equal(got, []string{c.want}) {
			t.Errorf("user IDs %q", got)
		}
		checkMade(t, s)
	}
}

// checkMade looks at a generated key through the library.
func checkMade(t *testing.T, s *keyring.Secret) {
	t.Helper()
	e, err := openpgp.ReadEntity(packet.NewReader(bytes.NewReader(s.Certificate().Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	self, _ := e.PrimarySelfSignature()
	for _, sig := range []*packet.Signature{self, e.Subkeys[0].Sig} {
		if sig.Hash != crypto.SHA512 && sig.Hash != crypto.SHA256 || sig.Version != 4 || !sig.CreationTime.Equal(noon) {
			t.Errorf("hash %v, version %d, made %v", sig.Hash, sig.Version, sig.CreationTime)
		}
	}
	if !self.FlagCertify || !self.FlagSign || self.FlagEncryptCommunications || !e.Subkeys[0].Sig.FlagEncryptCommunications || e.Subkeys[0].Sig.FlagSign {
		t.Error("wrong key flags")
	}
	// GnuPG 2.2 knows only the older curve numbers.
	if e.PrimaryKey.PubKeyAlgo != packet.PubKeyAlgoEdDSA || e.Subkeys[0].PublicKey.PubKeyAlgo != packet.PubKeyAlgoECDH {
		t.Errorf("algorithms %d and %d", e.PrimaryKey.PubKeyAlgo, e.Subkeys[0].PublicKey.PubKeyAlgo)
	}
	if slices.Contains(self.PreferredCompression, 1) || self.SEIPDv2 || !self.SEIPDv1 {
		t.Error("it asks for compression, or for what we do not write")
	}
}

func TestParseSecret(t *testing.T) {
	t.Parallel()
	s, other := secret(t, "a@example.org"), secret(t, "b@example.org")
	armor, err := keyring.EncodeArmor(keyring.ArmorSecretKey, s.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"binary": s.Bytes(), "armor": armor, "text around": append([]byte("key:\n"), armor...)} {
		got, err := keyring.ParseSecret(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m := encrypted(t, []byte("x"), got, s.Certificate())
		if o, err := decrypt(m, got); err != nil || o.Signatures[0].Verify(o.Data, s.Certificate(), noon, s.Certificate().KeyFingerprints()) != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(got.Bytes(), s.Bytes()) {
			t.Errorf("%s: other bytes", name)
		}
	}
	locked := craft(t, nil)
	var b bytes.Buffer
	locked.must(locked.EncryptPrivateKeys([]byte("passphrase"), nil))
	locked.must(locked.SerializePrivateWithoutSigning(&b, nil))
	for name, data := range map[string][]byte{
		"nothing": nil, "text": []byte("x"), "a certificate": s.Certificate().Bytes(), "two": slices.Concat(s.Bytes(), other.Bytes()),
		"cut": s.Bytes()[:60], "under a passphrase": b.Bytes(), "two in armor": slices.Concat(armor, armor), "too large": append(bytes.Clone(s.Bytes()), make([]byte, 3<<20)...),
	} {
		if _, err := keyring.ParseSecret(data); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

// H6: a secret key that ends up in a log or an error shows nothing.
func TestH6_SecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("key", "secret", s)
	out := fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s) + log.String()
	if !strings.Contains(out, string(s.Certificate().Fingerprint())) {
		t.Error("nothing is shown")
	}
	for i := range len(s.Bytes()) - 16 {
		part := s.Bytes()[i : i+16]
		if strings.Contains(out, string(part)) || strings.Contains(strings.ToLower(out), hex.EncodeToString(part)) && !strings.Contains(string(s.Certificate().Fingerprint()), strings.ToUpper(hex.EncodeToString(part))) {
			t.Fatalf("octets %d and on are shown", i)
		}
	}
}

package pgpmime_test

import (
	"bytes"
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 a key of a kind that must not count
	"crypto/rand"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
)

// The test keys of the corpus. They are published with this source: nobody may
// use them for anything else.
//
// "us" is the gateway's. Whatever is called acme… is pinned to the vendor acme, "jo" too, and
// each but acme, jo and acme-v6 has the flaw that its name says. "globex" is
// another vendor's, "mallory" is known and nobody's, "ghost" is not known at all.
const corpusDir = "testdata/corpus"

// corpusMade is when the keys were made, unless their flaw says otherwise.
var corpusMade = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// testKey is one of the keys: what signs, and the certificate.
type testKey struct {
	name   string
	secret []*packet.PrivateKey // the primary key first
	cert   []byte
}

func (k *testKey) primary() *packet.PrivateKey { return k.secret[0] }
func (k *testKey) subkey() *packet.PrivateKey  { return k.secret[len(k.secret)-1] }

// pinned reports whether the key is one of acme's.
func (k *testKey) pinned() bool { return k.name == "jo" || strings.HasPrefix(k.name, "acme") }

// loadKeys reads the keys from the corpus.
func loadKeys(t testing.TB) map[string]*testKey {
	t.Helper()
	files, err := filepath.Glob(corpusDir + "/keys/*.secret.asc")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d keys, %v", len(files), err)
	}
	keys := map[string]*testKey{}
	for _, file := range files {
		k := &testKey{name: strings.TrimSuffix(filepath.Base(file), ".secret.asc")}
		r := packet.NewReader(bytes.NewReader(readArmor(t, file)))
		for {
			p, err := r.Next()
			if err != nil {
				break
			}
			if s, ok := p.(*packet.PrivateKey); ok {
				k.secret = append(k.secret, s)
			}
		}
		k.cert = readArmor(t, strings.Replace(file, ".secret.", ".public.", 1))
		keys[k.name] = k
	}
	return keys
}

func readArmor(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	blocks := keyring.FindArmor(data)
	if len(blocks) != 1 {
		t.Fatalf("%s: %d blocks of armor", file, len(blocks))
	}
	return blocks[0].Data
}

// keyRecipes say how each key is made.
func keyRecipes() map[string]func(t *testing.T) *openpgp.Entity {
	return map[string]func(t *testing.T) *openpgp.Entity{
		"us":      plainKey("report@vdp.example.org", nil),
		"acme":    plainKey("psirt@acme.example", nil),
		"jo":      plainKey("jo@acme.example", nil),
		"globex":  plainKey("psirt@globex.example", nil),
		"mallory": plainKey("psirt@acme.example", nil), // the victim's user ID
		"ghost":   plainKey("psirt@acme.example", nil),
		"acme-v6": plainKey("psirt@acme.example", func(c *packet.Config) {
			c.V6Keys, c.Algorithm, c.AEADConfig = true, packet.PubKeyAlgoEd25519, &packet.AEADConfig{}
		}),
		"acme-expired": plainKey("psirt@acme.example", func(c *packet.Config) { c.KeyLifetimeSecs = 30 * 86400 }),
		"acme-unborn":  plainKey("psirt@acme.example", func(c *packet.Config) { c.Time = func() time.Time { return noon.Add(24 * time.Hour) } }),
		"acme-rsa1024": plainKey("psirt@acme.example", func(c *packet.Config) { c.Algorithm, c.RSABits = packet.PubKeyAlgoRSA, 1024 }),
		"acme-stolen":  revokedKey(packet.KeyCompromised),
		"acme-retired": revokedKey(packet.KeySuperseded),
		"acme-mute":    userFlag(func(s *packet.Signature) { s.FlagSign = false }),
		"acme-noflags": userFlag(func(s *packet.Signature) { s.FlagsValid, s.FlagSign, s.FlagCertify = false, false, false }),
		"acme-sha1":    userFlag(func(s *packet.Signature) { s.Hash = crypto.SHA1 }),
		"acme-dsa":     dsaKey,
		"acme-moved":   movedUserID,
		"acme-uncrossed": signingSubkey(func(s *packet.Signature) {
			s.EmbeddedSignature = nil
		}),
		"acme-encrypts": signingSubkey(func(s *packet.Signature) {
			s.EmbeddedSignature, s.FlagSign, s.FlagEncryptCommunications = nil, false, true
		}),
		"acme-authenticates": signingSubkey(func(s *packet.Signature) {
			s.EmbeddedSignature, s.FlagSign, s.FlagAuthenticate = nil, false, true
		}),
		"acme-unbound": signingSubkey(func(s *packet.Signature) {
			month := uint32(30 * 86400)
			s.SigLifetimeSecs = &month
		}),
		"acme-subkey-expired": signingSubkey(func(s *packet.Signature) {
			month := uint32(30 * 86400)
			s.KeyLifetimeSecs = &month
		}),
	}
}

func keyConfig(edit func(*packet.Config)) *packet.Config {
	no := false
	c := &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519, DefaultHash: crypto.SHA512,
		Time: func() time.Time { return corpusMade }, NonDeterministicSignaturesViaNotation: &no}
	if edit != nil {
		edit(c)
	}
	return c
}

func plainKey(address string, edit func(*packet.Config)) func(t *testing.T) *openpgp.Entity {
	return func(t *testing.T) *openpgp.Entity {
		e, err := openpgp.NewEntity("", "", address, keyConfig(edit))
		must(t, err)
		return e
	}
}

// revokedKey was revoked an hour before the messages are looked at.
func revokedKey(why packet.ReasonForRevocation) func(t *testing.T) *openpgp.Entity {
	return func(t *testing.T) *openpgp.Entity {
		e := plainKey("psirt@acme.example", nil)(t)
		must(t, e.RevokeKey(why, "", keyConfig(func(c *packet.Config) { c.Time = func() time.Time { return noon.Add(-time.Hour) } })))
		return e
	}
}

// userFlag makes the self-signature anew, with a flaw.
func userFlag(edit func(*packet.Signature)) func(t *testing.T) *openpgp.Entity {
	return func(t *testing.T) *openpgp.Entity {
		e := plainKey("psirt@acme.example", nil)(t)
		for _, id := range e.Identities {
			edit(id.SelfSignature)
			must(t, id.SelfSignature.SignUserId(id.UserId.Id, e.PrimaryKey, e.PrivateKey, keyConfig(nil)))
		}
		return e
	}
}

// signingSubkey has a subkey that could sign, bound with a flaw, and a primary
// key that only certifies.
func signingSubkey(edit func(*packet.Signature)) func(t *testing.T) *openpgp.Entity {
	return func(t *testing.T) *openpgp.Entity {
		e := userFlag(func(s *packet.Signature) { s.FlagSign = false })(t)
		e.Subkeys = nil
		must(t, e.AddSigningSubkey(keyConfig(nil)))
		sub := e.Subkeys[0]
		edit(sub.Sig)
		must(t, sub.Sig.SignKey(sub.PublicKey, e.PrivateKey, keyConfig(nil)))
		return e
	}
}

// dsaKey is a DSA key of 2048 bits that would be in order if DSA were.
func dsaKey(t *testing.T) *openpgp.Entity {
	e := plainKey("psirt@acme.example", nil)(t)
	var k dsa.PrivateKey
	must(t, dsa.GenerateParameters(&k.Parameters, rand.Reader, dsa.L2048N256))
	must(t, dsa.GenerateKey(&k, rand.Reader))
	e.PrivateKey = packet.NewDSAPrivateKey(corpusMade, &k)
	e.PrimaryKey, e.Subkeys = &e.PrivateKey.PublicKey, nil
	for _, id := range e.Identities {
		id.SelfSignature.PubKeyAlgo, id.SelfSignature.IssuerKeyId = packet.PubKeyAlgoDSA, &e.PrimaryKey.KeyId
		must(t, id.SelfSignature.SignUserId(id.UserId.Id, e.PrimaryKey, e.PrivateKey, keyConfig(nil)))
	}
	return e
}

// movedUserID has no user ID of its own, only one that another key signed.
func movedUserID(t *testing.T) *openpgp.Entity {
	e, other := plainKey("psirt@acme.example", nil)(t), plainKey("psirt@acme.example", nil)(t)
	e.Identities = other.Identities
	return e
}

// makeKeys writes all keys anew. What they signed before is then nobody's.
func makeKeys(t *testing.T) {
	t.Helper()
	must(t, os.RemoveAll(corpusDir+"/keys"))
	must(t, os.MkdirAll(corpusDir+"/keys", 0o755))
	recipes := keyRecipes()
	for _, name := range slices.Sorted(maps.Keys(recipes)) {
		e := recipes[name](t)
		var public, secret bytes.Buffer
		must(t, e.Serialize(&public))
		must(t, e.SerializePrivateWithoutSigning(&secret, nil))
		for kind, file := range map[string]struct {
			name string
			data []byte
		}{keyring.ArmorPublicKey: {"public", public.Bytes()}, keyring.ArmorSecretKey: {"secret", secret.Bytes()}} {
			a, err := keyring.EncodeArmor(kind, file.data)
			must(t, err)
			text := "A published key for tests only. It protects nothing.\n\n" + string(a)
			must(t, os.WriteFile(corpusDir+"/keys/"+name+"."+file.name+".asc", []byte(text), 0o644))
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

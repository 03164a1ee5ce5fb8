package keyring_test

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
)

// noon is when the tests happen.
var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

const (
	hour = time.Hour
	days = 24 * time.Hour
)

func secret(t testing.TB, address string) *keyring.Secret {
	t.Helper()
	s, err := keyring.Generate("", address, keyring.Ed25519, noon.Add(-30*days))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// crafted makes keys with flaws that Generate never makes.
type crafted struct {
	t *testing.T
	*openpgp.Entity
	config *packet.Config
}

func craft(t *testing.T, edit func(*packet.Config)) *crafted {
	t.Helper()
	no := false
	c := &packet.Config{
		Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519, DefaultHash: crypto.SHA256,
		Time:                                  func() time.Time { return noon.Add(-30 * days) },
		NonDeterministicSignaturesViaNotation: &no,
	}
	if edit != nil {
		edit(c)
	}
	e, err := openpgp.NewEntity("Crafted", "", "crafted@example.org", c)
	if err != nil {
		t.Fatal(err)
	}
	return &crafted{t, e, c}
}

func madeAt(at time.Time) func(*packet.Config) {
	return func(c *packet.Config) { c.Time = func() time.Time { return at } }
}

func (c *crafted) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *crafted) identity() *openpgp.Identity {
	_, id := c.PrimarySelfSignature()
	return id
}

// resignUser makes the self-signature again after an edit.
func (c *crafted) resignUser(edit func(*packet.Signature)) *crafted {
	c.t.Helper()
	id := c.identity()
	edit(id.SelfSignature)
	c.must(id.SelfSignature.SignUserId(id.UserId.Id, c.PrimaryKey, c.PrivateKey, c.config))
	return c
}

func (c *crafted) resignSubkey(i int, edit func(*packet.Signature)) *crafted {
	c.t.Helper()
	edit(c.Subkeys[i].Sig)
	c.must(c.Subkeys[i].Sig.SignKey(c.Subkeys[i].PublicKey, c.PrivateKey, c.config))
	return c
}

func (c *crafted) revoke(reason packet.ReasonForRevocation, at time.Time) *crafted {
	c.t.Helper()
	conf := *c.config
	conf.Time = func() time.Time { return at }
	c.must(c.RevokeKey(reason, "", &conf))
	return c
}

func (c *crafted) bytes() []byte {
	c.t.Helper()
	var b bytes.Buffer
	c.must(c.Serialize(&b))
	return b.Bytes()
}

func (c *crafted) certificate() *keyring.Certificate {
	c.t.Helper()
	return parseOne(c.t, c.bytes())
}

func (c *crafted) secret() *keyring.Secret {
	c.t.Helper()
	var b bytes.Buffer
	c.must(c.SerializePrivateWithoutSigning(&b, nil))
	s, err := keyring.ParseSecret(b.Bytes())
	c.must(err)
	return s
}

// signed is a detached signature made without asking whether the key may.
func (c *crafted) signed(data []byte, key *packet.PrivateKey, edit func(*packet.Signature)) *keyring.Signature {
	c.t.Helper()
	no := false
	sig := &packet.Signature{
		Version: key.Version, SigType: packet.SigTypeBinary, PubKeyAlgo: key.PubKeyAlgo, Hash: crypto.SHA256,
		CreationTime: noon, IssuerKeyId: &key.KeyId, IssuerFingerprint: key.Fingerprint,
	}
	if edit != nil {
		edit(sig)
	}
	conf := &packet.Config{NonDeterministicSignaturesViaNotation: &no}
	h, err := sig.PrepareSign(conf)
	c.must(err)
	h.Write(data)
	c.must(sig.Sign(h, key, conf))
	var b bytes.Buffer
	c.must(sig.Serialize(&b))
	found := keyring.ParseSignatures(b.Bytes())
	if len(found) != 1 {
		c.t.Fatalf("%d signatures", len(found))
	}
	return found[0]
}

func parseOne(t testing.TB, data []byte) *keyring.Certificate {
	t.Helper()
	certs, err := keyring.ParseCertificates(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(certs) != 1 {
		t.Fatalf("%d certificates, want 1", len(certs))
	}
	return certs[0]
}

// encryptionKey is the encryption subkey of a certificate, for the library.
func encryptionKey(t testing.TB, c *keyring.Certificate) *packet.PublicKey {
	t.Helper()
	e, err := openpgp.ReadEntity(packet.NewReader(bytes.NewReader(c.Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	k, ok := e.EncryptionKey(noon)
	if !ok {
		t.Fatal("no encryption key")
	}
	return k.PublicKey
}

// encryptRaw encrypts packets of any kind to c.
func encryptRaw(t testing.TB, c *keyring.Certificate, packets []byte) []byte {
	t.Helper()
	key := bytes.Repeat([]byte{7}, 32)
	out := sessionPacket(t, c, key)
	var b bytes.Buffer
	w, err := packet.SerializeSymmetricallyEncrypted(&b, packet.CipherAES256, false, packet.CipherSuite{}, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(packets); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return append(out, b.Bytes()...)
}

func sessionPacket(t testing.TB, c *keyring.Certificate, key []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := packet.SerializeEncryptedKeyAEAD(&b, encryptionKey(t, c), packet.CipherAES256, false, key, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func literal(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := packet.SerializeLiteral(nopCloser{&b}, true, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func compressed(t testing.TB, packets []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := packet.SerializeCompressed(nopCloser{&b}, packet.CompressionZLIB, &packet.CompressionConfig{Level: 9})
	if err != nil {
		t.Fatal(err)
	}
	w.Write(packets)
	w.Close()
	return b.Bytes()
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func decrypt(data []byte, s ...*keyring.Secret) (*keyring.Message, error) {
	return decryptWith(context.Background(), data, s, keyring.DefaultLimits())
}

// decryptWith opens a message in memory, in its own place and as a stream. All
// ways must come to the same; where they don't, the error says so.
func decryptWith(ctx context.Context, data []byte, s []*keyring.Secret, l keyring.Limits) (*keyring.Message, error) {
	want, err := keyring.Decrypt(ctx, data, s, l)
	owned, ownedErr := keyring.DecryptOwned(ctx, bytes.Clone(data), s, l)
	var spool testSpool
	var r io.Reader = bytes.NewReader(data)
	if len(data) < 1000 {
		r = iotest.OneByteReader(r)
	}
	streamed, streamedErr := keyring.DecryptTo(ctx, &spool, r, s, l)
	if streamed != nil {
		streamed.Data = spool.Bytes()
	}
	if spool.abandoned != (streamedErr != nil) {
		return nil, fmt.Errorf("the spool was abandoned: %v, with %v", spool.abandoned, streamedErr)
	}
	for way, got := range map[string]outcome{"in place": {owned, ownedErr}, "as a stream": {streamed, streamedErr}} {
		if diff := got.unlike(outcome{want, err}); diff != "" {
			return nil, fmt.Errorf("decrypted %s: %s", way, diff)
		}
	}
	return want, err
}

// testSpool is plaintext in memory.
type testSpool struct {
	bytes.Buffer
	abandoned bool
}

func (s *testSpool) Abandon() { s.abandoned = true }

type outcome struct {
	m   *keyring.Message
	err error
}

// unlike says what differs from what was wanted.
func (o outcome) unlike(want outcome) string {
	switch {
	case (o.err == nil) != (want.err == nil), keyring.Reason(o.err) != keyring.Reason(want.err):
		return fmt.Sprintf("%v (%s), want %v (%s)", o.err, keyring.Reason(o.err), want.err, keyring.Reason(want.err))
	case (o.m == nil) != (want.m == nil):
		return "a message beside an error"
	case o.m == nil:
		return ""
	case !bytes.Equal(o.m.Data, want.m.Data):
		return fmt.Sprintf("%d bytes of other data, want %d", len(o.m.Data), len(want.m.Data))
	case o.m.Name != want.m.Name || o.m.Body != want.m.Body || o.m.Encrypted != want.m.Encrypted:
		return "another name or body"
	case len(o.m.Signatures) != len(want.m.Signatures):
		return fmt.Sprintf("%d signatures, want %d", len(o.m.Signatures), len(want.m.Signatures))
	}
	return ""
}

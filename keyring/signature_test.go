package keyring_test

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
)

var text = []byte("signed\r\ntext\r\n")

func byPrimary(c *crafted, edit func(*packet.Signature)) *keyring.Signature {
	return c.signed(text, c.PrivateKey, edit)
}

func signedAt(at time.Time) func(*packet.Signature) {
	return func(s *packet.Signature) { s.CreationTime = at }
}

// A row per fault. The signature is looked at at noon. gopenpgp, trap 3: without
// a time, revoked and expired keys pass.
func TestS3_Verify(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key  *crafted
		edit func(*packet.Signature)
		want error
	}{
		"good":                     {craft(t, nil), nil, nil},
		"text mode":                {craft(t, nil), func(s *packet.Signature) { s.SigType = packet.SigTypeText }, nil},
		"good long ago":            {craft(t, nil), signedAt(noon.Add(-20 * days)), nil},
		"sha-1":                    {craft(t, nil), sha1Sig, keyring.FaultWeakHash},
		"a certification":          {craft(t, nil), func(s *packet.Signature) { s.SigType = packet.SigTypeGenericCert }, keyring.FaultMalformed},
		"in the future":            {craft(t, nil), signedAt(noon.Add(hour)), keyring.FaultNotYet},
		"a fast clock":             {craft(t, nil), signedAt(noon.Add(time.Minute)), nil},
		"before the key was":       {craft(t, nil), signedAt(noon.Add(-31 * days)), keyring.FaultKeyUnusable},
		"ended":                    {craft(t, nil), func(s *packet.Signature) { s.CreationTime = noon.Add(-hour); s.SigLifetimeSecs = lifetime(60) }, keyring.FaultExpired},
		"key expired":              {craft(t, func(c *packet.Config) { c.KeyLifetimeSecs = 86400 * 29 }), nil, keyring.FaultKeyExpired},
		"key expired since":        {craft(t, func(c *packet.Config) { c.KeyLifetimeSecs = 86400 * 29 }), signedAt(noon.Add(-2 * days)), keyring.FaultKeyExpired},
		"compromised later":        {craft(t, nil).revoke(packet.KeyCompromised, noon.Add(-hour)), signedAt(noon.Add(-2 * hour)), keyring.FaultKeyRevoked},
		"revoked without a reason": {craft(t, nil).revoke(packet.NoReason, noon.Add(-hour)), signedAt(noon.Add(-2 * hour)), keyring.FaultKeyRevoked},
		"superseded later":         {craft(t, nil).revoke(packet.KeySuperseded, noon.Add(-hour)), signedAt(noon.Add(-2 * hour)), nil},
		"superseded before":        {craft(t, nil).revoke(packet.KeySuperseded, noon.Add(-hour)), nil, keyring.FaultKeyRevoked},
		"may not sign":             {craft(t, nil).resignUser(func(s *packet.Signature) { s.FlagSign = false }), nil, keyring.FaultKeyUnusable},
		"held together by sha-1":   {craft(t, nil).resignUser(sha1Sig), nil, keyring.FaultKeyUnusable},
		"rsa 1024":                 {craft(t, rsaKey(1024)), nil, keyring.FaultKeyUnusable},
		"rsa 2048":                 {craft(t, rsaKey(2048)), nil, nil},
		"critical notation": {craft(t, nil), func(s *packet.Signature) {
			s.Notations = []*packet.Notation{{Name: "x@example.org", Value: []byte("y"), IsCritical: true, IsHumanReadable: true}}
		}, keyring.FaultMalformed},
	} {
		if err := byPrimary(c.key, c.edit).Verify(text, c.key.certificate(), noon, nil); err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestS3_VerifySubkey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key  *crafted
		want error
	}{
		"good":                  {signingSubkeyOnly(t), nil},
		"uncross-signed":        {uncrossSigned(t), keyring.FaultUnknownKey},
		"weakly cross-signed":   {weaklyCrossSigned(t), keyring.FaultKeyUnusable},
		"does not sign":         {signingSubkeyOnly(t).resignSubkey(0, func(s *packet.Signature) { s.FlagSign, s.EmbeddedSignature = false, nil }), keyring.FaultKeyUnusable},
		"expired":               {signingSubkeyOnly(t).resignSubkey(0, func(s *packet.Signature) { s.KeyLifetimeSecs = lifetime(86400) }), keyring.FaultKeyExpired},
		"primary is revoked":    {signingSubkeyOnly(t).revoke(packet.KeyCompromised, noon.Add(-hour)), keyring.FaultKeyRevoked},
		"bound after it signed": {signingSubkeyOnly(t).resignSubkey(0, func(s *packet.Signature) { s.CreationTime = noon.Add(hour) }), keyring.FaultKeyUnusable},
	} {
		sig := c.key.signed(text, c.key.Subkeys[0].PrivateKey, nil)
		if err := sig.Verify(text, c.key.certificate(), noon, nil); err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// gopenpgp, trap 2: whether there is an error and whether something is signed
// are two questions.
func TestTrap2_UnsignedAndUnknown(t *testing.T) {
	t.Parallel()
	c, other := craft(t, nil), craft(t, nil)
	sig := byPrimary(c, nil)
	if err := sig.Verify(text, nil, noon, nil); err != keyring.FaultUnknownKey {
		t.Errorf("no certificate: %v", err)
	}
	if err := sig.Verify(text, other.certificate(), noon, nil); err != keyring.FaultUnknownKey {
		t.Errorf("another certificate: %v", err)
	}
	if err := sig.Verify(append(bytes.Clone(text), 'x'), c.certificate(), noon, nil); err != keyring.FaultWrong {
		t.Errorf("another text: %v", err)
	}
	s := secret(t, "a@example.org")
	m, err := decrypt(encryptRaw(t, s.Certificate(), literal(t, text)), s)
	if err != nil || len(m.Signatures) != 0 {
		t.Errorf("unsigned: %v, %d signatures", err, len(m.Signatures))
	}
}

// V3: the library marks signatures with a notation of its own.
func TestV3_SignaturesTellNothing(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	sig, err := keyring.Sign(text, s, noon)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"signature": sig, "certificate": s.Certificate().Bytes()} {
		if bytes.Contains(data, []byte("notations")) || bytes.Contains(data, []byte("salt")) {
			t.Errorf("the %s has a salt notation", name)
		}
	}
}

// What is signed for others is not for us.
func TestS5_IntendedRecipients(t *testing.T) {
	t.Parallel()
	c, us := craft(t, nil), secret(t, "us@example.org").Certificate()
	named := func(f keyring.Fingerprint) func(*packet.Signature) {
		return func(s *packet.Signature) {
			s.IntendedRecipients = []*packet.Recipient{{KeyVersion: 4, Fingerprint: hexBytes(t, f)}}
		}
	}
	stranger := secret(t, "x@example.org").Certificate().Fingerprint()
	if err := byPrimary(c, named(stranger)).Verify(text, c.certificate(), noon, us.KeyFingerprints()); err != keyring.FaultNotForUs {
		t.Errorf("for others: %v", err)
	}
	for _, f := range us.KeyFingerprints() {
		if err := byPrimary(c, named(f)).Verify(text, c.certificate(), noon, us.KeyFingerprints()); err != nil {
			t.Errorf("for us: %v", err)
		}
	}
}

func hexBytes(t *testing.T, f keyring.Fingerprint) []byte {
	t.Helper()
	b, err := hex.DecodeString(string(f))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The digest knows a signature again although its unhashed part was changed.
func TestS6_Digest(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	raw, err := keyring.Sign(text, s, noon)
	if err != nil {
		t.Fatal(err)
	}
	body := raw[2:]
	hashed := 6 + int(body[4])<<8 + int(body[5])
	changed := slices.Concat(body[:hashed], []byte{0, 3, 2, 100, 'x'}, body[hashed+2+int(body[hashed+1]):])
	a, b := keyring.ParseSignatures(raw), keyring.ParseSignatures(rawPacket(2, changed))
	if len(a) != 1 || len(b) != 1 || a[0].Digest() != b[0].Digest() {
		t.Error("the same signature has two digests")
	}
	rewritten := bytes.Clone(body) // its first number is said to be of other bits, in as many octets
	at := hashed + 2 + int(body[hashed+1]) + 2
	bits := binary.BigEndian.Uint16(body[at:])
	if bits%8 == 0 {
		bits -= 2
	}
	binary.BigEndian.PutUint16(rewritten[at:], bits+1)
	b = keyring.ParseSignatures(rawPacket(2, rewritten))
	if len(b) != 1 || a[0].Digest() != b[0].Digest() {
		t.Error("the same signature, its numbers written otherwise, has two digests")
	}
	if err := b[0].Verify(text, s.Certificate(), noon, nil); err != nil {
		t.Errorf("it does not verify any more: %v", err)
	}
	other, err := keyring.Sign(text, s, noon.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if keyring.ParseSignatures(other)[0].Digest() == a[0].Digest() {
		t.Error("two signatures have one digest")
	}
}

// The digest of the body stays the same when the message is cut into other
// pieces or addressed again.
func TestS6_BodyDigest(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	m := encrypted(t, bytes.Repeat(text, 100), s, s.Certificate())
	first, err := decrypt(m, s)
	if err != nil {
		t.Fatal(err)
	}
	key, seipd := m[:96], m[96:]
	p, err := packet.Read(bytes.NewReader(seipd))
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	body.WriteByte(1)
	if _, err := body.ReadFrom(p.(*packet.SymmetricallyEncrypted).Contents); err != nil {
		t.Fatal(err)
	}
	b := body.Bytes()
	pieces := slices.Concat([]byte{0xd2, 224 + 9}, b[:512], []byte{224 + 8}, b[512:768], []byte{255, 0, 0, byte((len(b) - 768) >> 8), byte(len(b) - 768)}, b[768:])
	again, err := decrypt(slices.Concat(key, pieces), s)
	if err != nil || again.Body != first.Body {
		t.Errorf("cut into other pieces: %v", err)
	}
}

func TestS4_SeveralSignatures(t *testing.T) {
	t.Parallel()
	s, c := secret(t, "us@example.org"), craft(t, nil)
	a, err := keyring.Sign(text, s, noon)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	sig := &packet.Signature{Version: 4, SigType: packet.SigTypeBinary, PubKeyAlgo: c.PrivateKey.PubKeyAlgo, Hash: crypto.SHA256,
		CreationTime: noon, IssuerKeyId: &c.PrivateKey.KeyId}
	h := crypto.SHA256.New()
	h.Write([]byte("something else"))
	c.must(sig.Sign(h, c.PrivateKey, nil))
	c.must(sig.Serialize(&b))
	m, err := decrypt(encryptRaw(t, s.Certificate(), slices.Concat(a, b.Bytes(), literal(t, text))), s)
	if err != nil || len(m.Signatures) != 2 {
		t.Fatalf("%v, %s", err, keyring.Reason(err))
	}
	if err := m.Signatures[0].Verify(m.Data, s.Certificate(), noon, nil); err != nil {
		t.Errorf("the first: %v", err)
	}
	if err := m.Signatures[1].Verify(m.Data, c.certificate(), noon, nil); err != keyring.FaultWrong {
		t.Errorf("the second: %v", err)
	}
	many := slices.Concat(bytes.Repeat(a, 17), literal(t, text))
	if _, err := decrypt(encryptRaw(t, s.Certificate(), many), s); !errors.Is(err, keyring.ErrUndecryptable) {
		t.Errorf("17 signatures: %v", err)
	}
}

func TestParseSignatures(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	raw, err := keyring.Sign(text, s, noon)
	if err != nil {
		t.Fatal(err)
	}
	armor, err := keyring.EncodeArmor(keyring.ArmorSignature, raw)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		want []error
	}{
		"binary":      {raw, []error{nil}},
		"armor":       {armor, []error{nil}},
		"two":         {slices.Concat(raw, raw), []error{nil, nil}},
		"nothing":     {nil, nil},
		"text":        {[]byte("no"), nil},
		"cut":         {raw[:50], []error{keyring.FaultMalformed}},
		"version 3":   {rawPacket(2, append([]byte{3, 5, 0}, make([]byte, 40)...)), []error{keyring.FaultMalformed}},
		"md5":         {rawPacket(2, append([]byte{4, 0, 1, 1, 0, 0, 0, 0}, make([]byte, 40)...)), []error{keyring.FaultWeakHash}},
		"ripemd":      {rawPacket(2, append([]byte{4, 0, 1, 3, 0, 0, 0, 0}, make([]byte, 40)...)), []error{keyring.FaultWeakHash}},
		"not a sig.":  {literal(t, text), nil},
		"empty":       {rawPacket(2, nil), []error{keyring.FaultMalformed}},
		"other armor": {bytes.ReplaceAll(armor, []byte("SIGNATURE"), []byte("MESSAGE")), nil},
	} {
		var got []error
		for _, sig := range keyring.ParseSignatures(c.data) {
			got = append(got, sig.Verify(text, s.Certificate(), noon, nil))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

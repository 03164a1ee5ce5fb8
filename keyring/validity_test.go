package keyring_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/elgamal"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
)

func rsaKey(bits int) func(*packet.Config) {
	return func(c *packet.Config) { c.Algorithm, c.RSABits = packet.PubKeyAlgoRSA, bits }
}

func sha1Sig(s *packet.Signature) { s.Hash = crypto.SHA1 }

// A row per reason why a certificate is not used, at noon. gopenpgp, trap 7:
// the library says so only when it encrypts.
func TestS3_CanEncrypt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cert *keyring.Certificate
		why  keyring.Why // "" usable
		text string
	}{
		"good":             {craft(t, nil).certificate(), "", ""},
		"rsa 2048":         {craft(t, rsaKey(2048)).certificate(), "", ""},
		"rsa 1024":         {craft(t, rsaKey(1024)).certificate(), keyring.WhyTooSmall, "RSA 1024 is too small"},
		"dsa":              {dsaCertificate(t, 1024), keyring.WhyAlgorithm, "DSA is not used"},
		"elgamal subkey":   {elgamalSubkey(t).certificate(), keyring.WhyAlgorithm, "its encryption subkey: Elgamal is not used"},
		"rsa 5000 subkey":  {largeSubkey(t).certificate(), keyring.WhyAlgorithm, "its encryption subkey: RSA 5000 is larger than the 4096 bits that are used"},
		"expired":          {craft(t, func(c *packet.Config) { c.KeyLifetimeSecs = 86400 * 29 }).certificate(), keyring.WhyExpired, "expired on 2026-11-30"},
		"expires later":    {craft(t, func(c *packet.Config) { c.KeyLifetimeSecs = 86400 * 31 }).certificate(), "", ""},
		"not yet":          {craft(t, madeAt(noon.Add(hour))).certificate(), keyring.WhyNotYet, "not valid before 2026-12-01"},
		"a fast clock":     {craft(t, madeAt(noon.Add(time.Minute))).certificate(), "", ""},
		"compromised":      {craft(t, nil).revoke(packet.KeyCompromised, noon.Add(-hour)).certificate(), keyring.WhyRevoked, "revoked on 2026-12-01"},
		"compromised soon": {craft(t, nil).revoke(packet.KeyCompromised, noon.Add(hour)).certificate(), keyring.WhyRevoked, "revoked on 2026-12-01"},
		"no reason":        {craft(t, nil).revoke(packet.NoReason, noon.Add(hour)).certificate(), keyring.WhyRevoked, "revoked on 2026-12-01"},
		"superseded":       {craft(t, nil).revoke(packet.KeySuperseded, noon.Add(-hour)).certificate(), keyring.WhyRevoked, "revoked on 2026-12-01"},
		"superseded soon":  {craft(t, nil).revoke(packet.KeySuperseded, noon.Add(hour)).certificate(), "", ""},
		"sha-1 only":       {craft(t, nil).resignUser(sha1Sig).certificate(), keyring.WhyWeakHash, "held together by SHA-1 or an older hash only"},
		"sha-1 subkey":     {craft(t, nil).resignSubkey(0, sha1Sig).certificate(), keyring.WhyNoSubkey, "it has no encryption subkey"},
		"no subkey":        {withoutSubkeys(t).certificate(), keyring.WhyNoSubkey, "it has no encryption subkey"},
		"revoked subkey":   {revokedSubkey(t).certificate(), keyring.WhyRevoked, "its encryption subkey: revoked on 2026-12-01"},
		"expired subkey": {craft(t, nil).resignSubkey(0, func(s *packet.Signature) { s.KeyLifetimeSecs = lifetime(86400) }).certificate(),
			keyring.WhyExpired, "its encryption subkey: expired on 2026-11-02"},
		"expired binding": {craft(t, nil).resignSubkey(0, func(s *packet.Signature) { s.SigLifetimeSecs = lifetime(86400) }).certificate(),
			keyring.WhyNoSubkey, "it has no encryption subkey"},
		"expired self-signature": {craft(t, nil).resignUser(func(s *packet.Signature) { s.SigLifetimeSecs = lifetime(86400) }).certificate(),
			keyring.WhyNotYet, "its self-signature does not count at this time"},
		"critical notation": {craft(t, nil).resignUser(func(s *packet.Signature) {
			s.Notations = []*packet.Notation{{Name: "x@example.org", Value: []byte("y"), IsCritical: true, IsHumanReadable: true}}
		}).certificate(), keyring.WhyNotYet, "its self-signature does not count at this time"},
		"user ID revoked":    {revokedUser(t).certificate(), keyring.WhyRevoked, "its user ID is revoked"},
		"subkey only signs":  {signingSubkeyOnly(t).certificate(), keyring.WhyNoSubkey, "it has no encryption subkey"},
		"primary encrypts":   {primaryEncrypts(t).certificate(), "", ""},
		"newer SHA-1 signed": {olderGoodSelfSignature(t), "", ""},
	} {
		err := c.cert.CanEncrypt(noon)
		var u *keyring.UnusableError
		switch {
		case c.why == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.why == "":
		case !errors.As(err, &u):
			t.Errorf("%s: %v, want %s", name, err, c.why)
		case u.Why != c.why || u.Text != c.text || u.Fingerprint != c.cert.Fingerprint():
			t.Errorf("%s: %s %q of %s, want %s %q", name, u.Why, u.Text, u.Fingerprint, c.why, c.text)
		}
	}
}

func withoutSubkeys(t *testing.T) *crafted {
	c := craft(t, nil)
	c.Subkeys = nil
	return c
}

func signingSubkeyOnly(t *testing.T) *crafted {
	c := withoutSubkeys(t)
	c.must(c.AddSigningSubkey(c.config))
	return c
}

func revokedSubkey(t *testing.T) *crafted {
	c := craft(t, nil)
	conf := *c.config
	conf.Time = func() time.Time { return noon.Add(-hour) }
	c.must(c.RevokeSubkey(&c.Subkeys[0], packet.KeyCompromised, "", &conf))
	return c
}

func primaryEncrypts(t *testing.T) *crafted {
	c := craft(t, rsaKey(2048))
	c.Subkeys = nil
	return c.resignUser(func(s *packet.Signature) { s.FlagEncryptCommunications = true })
}

func revokedUser(t *testing.T) *crafted {
	c := craft(t, nil)
	id := c.identity()
	rev := *id.SelfSignature
	rev.SigType = packet.SigTypeCertificationRevocation
	rev.CreationTime = noon.Add(-hour)
	c.must(rev.SignUserId(id.UserId.Id, c.PrimaryKey, c.PrivateKey, c.config))
	id.Signatures = append(id.Signatures, &rev)
	return c
}

// olderGoodSelfSignature has a newer self-signature that does not count.
func olderGoodSelfSignature(t *testing.T) *keyring.Certificate {
	c := craft(t, nil)
	id := c.identity()
	weak := *id.SelfSignature
	weak.Hash, weak.CreationTime = crypto.SHA1, noon.Add(-days)
	c.must(weak.SignUserId(id.UserId.Id, c.PrimaryKey, c.PrivateKey, c.config))
	id.Signatures = append(id.Signatures, &weak)
	return c.certificate()
}

func elgamalSubkey(t *testing.T) *crafted {
	c := craft(t, nil)
	big512 := new(big.Int).Lsh(big.NewInt(1), 2047)
	pub := packet.NewElGamalPublicKey(noon.Add(-30*days), &elgamal.PublicKey{P: big512, G: big.NewInt(2), Y: big.NewInt(3)})
	pub.IsSubkey = true
	c.Subkeys[0].PublicKey, c.Subkeys[0].PrivateKey = pub, nil
	return c.resignSubkey(0, func(*packet.Signature) {})
}

func largeSubkey(t *testing.T) *crafted {
	c := craft(t, nil)
	n := new(big.Int).Lsh(big.NewInt(1), 4999)
	pub := packet.NewRSAPublicKey(noon.Add(-30*days), &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537})
	pub.IsSubkey = true
	c.Subkeys[0].PublicKey, c.Subkeys[0].PrivateKey = pub, nil
	return c.resignSubkey(0, func(*packet.Signature) {})
}

// dsaSubkey is a signing subkey of DSA with absurd numbers, which has signed the
// primary key with nonsense.
func dsaSubkey(t *testing.T, bits int) *crafted {
	c := craft(t, nil)
	p, err := packet.Read(bytes.NewReader(rawPacket(14, dsaBody(bits))))
	c.must(err)
	embedded, err := packet.Read(bytes.NewReader(rawPacket(2, []byte{4, 0x19, 17, 8, 0, 6, 5, 2, 0x60, 0, 0, 0, 0, 0, 0, 0, 0, 3, 7, 0, 3, 7})))
	c.must(err)
	c.Subkeys[0].PublicKey, c.Subkeys[0].PrivateKey = p.(*packet.PublicKey), nil
	return c.resignSubkey(0, func(s *packet.Signature) {
		s.FlagSign, s.EmbeddedSignature = true, embedded.(*packet.Signature)
	})
}

// dsaCertificate is a DSA key with numbers of that size and a self-signature
// that is nonsense: whoever computes with it finds out how long that takes.
func dsaCertificate(t *testing.T, bits int) *keyring.Certificate {
	data := rawPacket(6, dsaBody(bits))
	p, err := packet.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	sig := []byte{4, 0x13, 17, 8, 0, 6, 5, 2, 0x60, 0, 0, 0, 0, 10, 9, 16}
	sig = binary.BigEndian.AppendUint64(sig, p.(*packet.PublicKey).KeyId)
	sig = append(sig, 0, 0, 0, 3, 7, 0, 3, 7)
	return parseOne(t, slices.Concat(data, rawPacket(13, []byte("D <d@example.org>")), rawPacket(2, sig)))
}

func dsaBody(bits int) []byte {
	body := []byte{4, 0x60, 0, 0, 0, byte(packet.PubKeyAlgoDSA)}
	for range 4 {
		body = binary.BigEndian.AppendUint16(body, uint16(bits))
		body = append(body, bytes.Repeat([]byte{0xff}, bits/8)...)
	}
	return body
}

func rawPacket(tag byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0xc0 | tag, 255}, uint32(len(body))), body...)
}

// Sizes are read from the packet: numbers of absurd size cost nothing. With
// arithmetic on them this test would run for hours.
func TestP5_NoArithmeticOnLargeNumbers(t *testing.T) {
	t.Parallel()
	if err := dsaCertificate(t, 64000).CanVerify(noon); err == nil {
		t.Error("DSA is used")
	}
	// Its cross-signature is nonsense: had anybody looked, it would be gone.
	var u *keyring.UnusableError
	if err := dsaSubkey(t, 16000).certificate().CanEncrypt(noon); !errors.As(err, &u) || u.Why != keyring.WhyAlgorithm {
		t.Errorf("DSA subkey: %v", err)
	}
	body := []byte{4, 0x60, 0, 0, 0, 1}
	body = binary.BigEndian.AppendUint16(body, 65528)
	body = append(body, bytes.Repeat([]byte{0xff}, 65528/8)...)
	body = append(body, 0, 17, 1, 0, 1)
	if _, err := keyring.ParseCertificates(rawPacket(6, body)); err == nil || !strings.Contains(err.Error(), "RSA 65528") {
		t.Errorf("RSA 65528: %v", err)
	}
	c := craft(t, nil)
	data := slices.Concat(c.bytes(), rawPacket(14, body))
	if got := parseOne(t, data); len(got.KeyIDs()) != 2 {
		t.Error("an RSA 65528 subkey was kept")
	}
}

func TestS3_CanVerify(t *testing.T) {
	t.Parallel()
	noSign := func(s *packet.Signature) { s.FlagSign = false }
	for name, c := range map[string]struct {
		cert *keyring.Certificate
		why  keyring.Why
	}{
		"primary":           {craft(t, nil).certificate(), ""},
		"subkey":            {signingSubkeyOnly(t).resignUser(noSign).certificate(), ""},
		"nothing signs":     {craft(t, nil).resignUser(noSign).certificate(), keyring.WhyNotSigning},
		"uncross-signed":    {uncrossSigned(t).resignUser(noSign).certificate(), keyring.WhyNotSigning},
		"weakly cross-sig.": {weaklyCrossSigned(t).resignUser(noSign).certificate(), keyring.WhyNotSigning},
		"expired":           {craft(t, func(c *packet.Config) { c.KeyLifetimeSecs = 86400 }).certificate(), keyring.WhyExpired},
	} {
		err := c.cert.CanVerify(noon)
		var u *keyring.UnusableError
		if c.why == "" && err != nil || c.why != "" && (!errors.As(err, &u) || u.Why != c.why) {
			t.Errorf("%s: %v, want %q", name, err, c.why)
		}
	}
}

// uncrossSigned has a signing subkey that did not sign the primary key: whose
// subkey it is, anybody could claim.
func uncrossSigned(t *testing.T) *crafted {
	return signingSubkeyOnly(t).resignSubkey(0, func(s *packet.Signature) { s.EmbeddedSignature = nil })
}

func weaklyCrossSigned(t *testing.T) *crafted {
	c := signingSubkeyOnly(t)
	sub := &c.Subkeys[0]
	e := sub.Sig.EmbeddedSignature
	e.Hash = crypto.SHA1
	c.must(e.CrossSignKey(sub.PublicKey, c.PrimaryKey, sub.PrivateKey, c.config))
	return c.resignSubkey(0, func(*packet.Signature) {})
}

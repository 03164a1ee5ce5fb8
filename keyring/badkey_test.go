package keyring_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
)

// rsaPacket is a public key packet with RSA numbers of that size, all ones.
func rsaPacket(tag byte, bits int) []byte {
	body := binary.BigEndian.AppendUint16([]byte{4, 0x60, 0, 0, 0, 1}, uint16(bits))
	body = append(body, bytes.Repeat([]byte{0xff}, bits/8)...)
	return rawPacket(tag, append(body, 0, 17, 1, 0, 1))
}

// What a person is told of a key that is of no use: one sentence that names the
// key, in a type that tells the reason, so that the party can be named as well.
func TestS7_BadKeys(t *testing.T) {
	t.Parallel()
	noSubkey := craft(t, nil)
	noSubkey.Subkeys = nil
	ended := craft(t, func(c *packet.Config) { c.KeyLifetimeSecs = 86400 })
	for name, c := range map[string]struct {
		data []byte
		why  keyring.Why
		says string
	}{
		"no encryption subkey": {noSubkey.bytes(), keyring.WhyNoSubkey, "it has no encryption subkey"},
		"expired":              {ended.bytes(), keyring.WhyExpired, "expired on 2026-11-02"},
		"RSA 1024":             {craft(t, rsaKey(1024)).bytes(), keyring.WhyTooSmall, "RSA 1024 is too small"},
		"RSA 32768":            {rsaPacket(6, 32768), keyring.WhyTooLarge, "RSA 32768 is larger than the 8192 bits that are read"},
		"SHA-1 only":           {craft(t, nil).resignUser(sha1Sig).bytes(), keyring.WhyWeakHash, "held together by SHA-1 or an older hash only"},
		"bound by nothing":     {craft(t, nil).bytes()[:53], keyring.WhyUnbound, "it has no self-signature"},
	} {
		certs, err := keyring.ParseCertificates(c.data)
		if err == nil {
			err = certs[0].CanEncrypt(noon)
		}
		var u *keyring.UnusableError
		if !errors.As(err, &u) || u.Why != c.why || u.Text != c.says {
			t.Errorf("%s: %v, want %q", name, err, c.says)
			continue
		}
		if len(u.Fingerprint) != 40 || !strings.HasSuffix(err.Error(), "key "+u.Fingerprint.Spaced()+": "+c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: it says %q", name, err)
		}
	}
}

// The fingerprint of a key that is not read is the one that others give for it.
func TestP5_FingerprintOfLargeKey(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{8200, 32768} {
		data := rsaPacket(6, bits)
		p, err := packet.Read(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		var u *keyring.UnusableError
		if _, err := keyring.ParseCertificates(data); !errors.As(err, &u) || string(u.Fingerprint) != strings.ToUpper(hex.EncodeToString(p.(*packet.PublicKey).Fingerprint)) {
			t.Errorf("RSA %d: %v", bits, err)
		}
	}
}

// A secret key by mistake: wherever it stands, nothing of the file is taken, and
// which key has to be revoked can be told.
func TestS7_SecretKeyByMistake(t *testing.T) {
	t.Parallel()
	s, other := secret(t, "a@example.org"), secret(t, "b@example.org")
	armor, err := keyring.EncodeArmor(keyring.ArmorSecretKey, s.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	public, err := other.Certificate().Armor()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"binary":             s.Bytes(),
		"armor":              armor,
		"behind another's":   slices.Concat(public, []byte("and mine\n"), armor),
		"binary, behind":     slices.Concat(other.Certificate().Bytes(), s.Bytes()),
		"called public":      must(keyring.EncodeArmor(keyring.ArmorPublicKey, s.Bytes())),
		"in front of others": slices.Concat(armor, public),
	} {
		certs, err := keyring.ParseCertificates(data)
		if !errors.Is(err, keyring.ErrSecretKey) || len(certs) != 0 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %d certificates, %v", name, len(certs), err)
		}
		if name == "called public" {
			continue
		}
		if found := keyring.FindSecretKeys(data); !slices.Equal(found, []keyring.Fingerprint{s.Certificate().Fingerprint()}) {
			t.Errorf("%s: the key is %v", name, found)
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err) // of test data that is as it is
	}
	return b
}

// BenchmarkP5_RSA32768 reads a certificate of 32768 bits with a user ID, a subkey
// and signatures, which has to take less than 50 ms: no number in it is ever
// computed with.
func BenchmarkP5_RSA32768(b *testing.B) {
	sig := slices.Concat([]byte{4, 0x13, 1, 8, 0, 6, 5, 2, 0x60, 0, 0, 1, 0, 0, 0, 0}, []byte{0x80, 0}, bytes.Repeat([]byte{0xff}, 4096))
	data := slices.Concat(rsaPacket(6, 32768), rawPacket(13, []byte("<a@example.org>")), rawPacket(2, sig), rsaPacket(14, 32768), rawPacket(2, sig))
	for b.Loop() {
		if _, err := keyring.ParseCertificates(data); err == nil {
			b.Fatal("read")
		}
	}
	if d := b.Elapsed() / time.Duration(b.N); d > 50*time.Millisecond {
		b.Errorf("%v for one", d)
	}
}

// BenchmarkP5_RSA32768Subkey has such a subkey under an ordinary primary key.
func BenchmarkP5_RSA32768Subkey(b *testing.B) {
	data := slices.Concat(secret(b, "a@example.org").Certificate().Bytes(), rsaPacket(14, 32768))
	for b.Loop() {
		if certs, err := keyring.ParseCertificates(data); err != nil || len(certs[0].KeyIDs()) != 2 {
			b.Fatal("kept")
		}
	}
}

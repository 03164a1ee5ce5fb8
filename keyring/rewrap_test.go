package keyring_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
)

// What was encrypted to us and others opens for somebody else, and for nobody
// who could read it before; the data, and the signature in it, are as they were.
func TestTrap8_Rewrap(t *testing.T) {
	t.Parallel()
	vendor, us, other, ana := secret(t, "vendor@example.org"), secret(t, "us@example.org"), secret(t, "other@example.org"), secret(t, "ana@example.org")
	for _, n := range []int{0, 1, 8384, 100_000} {
		data := bytes.Repeat([]byte("x\r\n"), n)[:n]
		sent := encrypted(t, data, vendor, other.Certificate(), us.Certificate())
		again, err := keyring.Rewrap(sent, []*keyring.Secret{us}, ana.Certificate(), noon)
		if err != nil {
			t.Fatal(err)
		}
		m, err := decrypt(again, ana)
		if err != nil || !bytes.Equal(m.Data, data) || len(m.Signatures) != 1 {
			t.Fatalf("%d octets: %v, %s", n, err, keyring.Reason(err))
		}
		if err := m.Signatures[0].Verify(m.Data, vendor.Certificate(), noon, []keyring.Fingerprint{us.Certificate().Fingerprint()}); err != nil {
			t.Errorf("%d octets: the signature: %v", n, err)
		}
		before, err := decrypt(sent, us)
		if err != nil || before.Body != m.Body {
			t.Errorf("%d octets: the encrypted data is not as it was", n)
		}
		for _, s := range []*keyring.Secret{us, other} {
			if _, err := decrypt(again, s); err == nil {
				t.Errorf("%d octets: still opens for %s", n, s.Certificate().UserIDs())
			}
		}
		if bytes.Contains(again, sent[:64]) {
			t.Error("a session key packet of the original is left")
		}
	}
}

func TestTrap8_RewrapRefuses(t *testing.T) {
	t.Parallel()
	us, ana := secret(t, "us@example.org"), secret(t, "ana@example.org")
	sent := encrypted(t, []byte("words"), us, us.Certificate())
	_, err := keyring.Rewrap(sent, []*keyring.Secret{ana}, ana.Certificate(), noon)
	wantReason(t, err, keyring.ReasonNoKey)
	_, err = keyring.Rewrap([]byte("words"), []*keyring.Secret{us}, ana.Certificate(), noon)
	wantReason(t, err, keyring.ReasonMalformed)
	_, err = keyring.Rewrap(sent[:len(sent)-9], []*keyring.Secret{us}, ana.Certificate(), noon)
	wantReason(t, err, keyring.ReasonMalformed)
	c := craft(t, func(c *packet.Config) {
		c.V6Keys, c.Algorithm = true, packet.PubKeyAlgoEd25519
		c.AEADConfig = &packet.AEADConfig{}
	})
	v2 := version2(t, c.certificate(), literal(t, []byte("words")))
	if _, err := keyring.Rewrap(v2, []*keyring.Secret{c.secret()}, ana.Certificate(), noon); !errors.Is(err, keyring.ErrNoRewrap) {
		t.Errorf("version 2 data: %v", err)
	}
	late := noon.AddDate(-30, 0, 0)
	var unusable *keyring.UnusableError
	if _, err := keyring.Rewrap(sent, []*keyring.Secret{us}, ana.Certificate(), late); !errors.As(err, &unusable) {
		t.Errorf("to a key that is not valid yet: %v", err)
	}
}

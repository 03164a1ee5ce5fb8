package keyring_test

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
)

func encrypted(t testing.TB, data []byte, s *keyring.Secret, to ...*keyring.Certificate) []byte {
	t.Helper()
	m, err := keyring.Encrypt(data, to, s, noon)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	if !errors.Is(err, keyring.ErrUndecryptable) || keyring.Reason(err) != reason {
		t.Errorf("%v (%s), want %s", err, keyring.Reason(err), reason)
	}
}

func TestEncryptDecrypt(t *testing.T) {
	t.Parallel()
	alice, bob := secret(t, "alice@example.org"), secret(t, "bob@example.org")
	for _, n := range []int{0, 1, 191, 192, 8383, 8384, 100_000} {
		data := bytes.Repeat([]byte("x\r\n"), n)[:n]
		m, err := decrypt(encrypted(t, data, alice, bob.Certificate()), bob)
		if err != nil {
			t.Fatalf("%d bytes: %v, %s", n, err, keyring.Reason(err))
		}
		if !bytes.Equal(m.Data, data) || !m.Encrypted || len(m.Signatures) != 1 || m.Body == ([32]byte{}) {
			t.Errorf("%d bytes: came back as %d, %d signatures", n, len(m.Data), len(m.Signatures))
		}
		us := []keyring.Fingerprint{bob.Certificate().Fingerprint()}
		if err := m.Signatures[0].Verify(m.Data, alice.Certificate(), noon, us); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestReadsVersion6(t *testing.T) {
	t.Parallel()
	c := craft(t, func(c *packet.Config) {
		c.V6Keys, c.Algorithm = true, packet.PubKeyAlgoEd25519
		c.AEADConfig = &packet.AEADConfig{}
	})
	s := c.secret()
	cert := s.Certificate()
	if len(cert.Fingerprint()) != 64 || cert.CanEncrypt(noon) != nil || cert.CanVerify(noon) != nil {
		t.Fatalf("%s: %v, %v", cert.Fingerprint(), cert.CanEncrypt(noon), cert.CanVerify(noon))
	}
	m, err := decrypt(encrypted(t, []byte("one"), s, cert), s)
	if err != nil || string(m.Data) != "one" || m.Signatures[0].Verify(m.Data, cert, noon, cert.KeyFingerprints()) != nil {
		t.Errorf("version 1 data: %v", err)
	}
	if m, err = decrypt(version2(t, cert, literal(t, []byte("two"))), s); err != nil || string(m.Data) != "two" {
		t.Errorf("version 2 data: %v", err)
	}
	broken := version2(t, cert, literal(t, []byte("two")))
	broken[len(broken)-1] ^= 1
	_, err = decrypt(broken, s)
	wantReason(t, err, keyring.ReasonIntegrity)
}

// version2 encrypts packets with SEIPD version 2.
func version2(t *testing.T, c *keyring.Certificate, packets []byte) []byte {
	t.Helper()
	key := bytes.Repeat([]byte{9}, 32)
	conf := &packet.Config{AEADConfig: &packet.AEADConfig{}}
	var b bytes.Buffer
	if err := packet.SerializeEncryptedKeyAEAD(&b, encryptionKey(t, c), packet.CipherAES256, true, key, conf); err != nil {
		t.Fatal(err)
	}
	suite := packet.CipherSuite{Cipher: packet.CipherAES256, Mode: packet.AEADModeOCB}
	w, err := packet.SerializeSymmetricallyEncrypted(&b, packet.CipherAES256, true, suite, key, conf)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(packets)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// gopenpgp, trap 1: the library hands out plaintext before it has seen the end.
// Whatever octet was changed, nothing comes out that was not put in.
func TestP2_Trap1_Tampered(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	m := encrypted(t, bytes.Repeat([]byte("0123456789"), 30), s, s.Certificate())
	const session = 96 // octets of the session key packet, of which one is not looked at
	for i := range m {
		bad := bytes.Clone(m)
		bad[i] ^= 0x10
		got, err := decrypt(bad, s)
		if got == nil && errors.Is(err, keyring.ErrUndecryptable) {
			continue
		}
		if i >= session || !bytes.Equal(got.Data, bytes.Repeat([]byte("0123456789"), 30)) {
			t.Fatalf("octet %d changed: %v, %v", i, got, err)
		}
	}
	for i := range m {
		if got, err := decrypt(m[:i], s); got != nil || !errors.Is(err, keyring.ErrUndecryptable) {
			t.Fatalf("cut at %d: %v, %v", i, got, err)
		}
	}
}

func TestP2_WithoutIntegrity(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	key := bytes.Repeat([]byte{7}, 32)
	session := sessionPacket(t, s.Certificate(), key)
	plain := literal(t, []byte("secret"))
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	stream, prefix := packet.NewOCFBEncrypter(block, bytes.Repeat([]byte{1}, 16), packet.OCFBResync)
	sed := slices.Concat(prefix, xor(stream, plain))
	_, err = decrypt(slices.Concat(session, rawPacket(9, sed)), s)
	wantReason(t, err, keyring.ReasonUnprotected)
	_, err = decrypt(slices.Concat(session, rawPacket(20, append([]byte{1, 9, 2, 0}, make([]byte, 60)...))), s)
	wantReason(t, err, keyring.ReasonUnprotected)

	// SEIPD whose last packet is no MDC.
	stream, prefix = packet.NewOCFBEncrypter(block, bytes.Repeat([]byte{1}, 16), packet.OCFBNoResync)
	noMDC := slices.Concat([]byte{1}, prefix, xor(stream, plain))
	_, err = decrypt(slices.Concat(session, rawPacket(18, noMDC)), s)
	wantReason(t, err, keyring.ReasonIntegrity)
}

// A session key of version 3 with data of version 2, or the other way round, is
// how one would make somebody read data under weaker rules.
func TestP2_Downgrade(t *testing.T) {
	t.Parallel()
	c := craft(t, func(c *packet.Config) {
		c.V6Keys, c.Algorithm = true, packet.PubKeyAlgoEd25519
		c.AEADConfig = &packet.AEADConfig{}
	})
	s := c.secret()
	two := version2(t, s.Certificate(), literal(t, []byte("two")))
	one := encryptRaw(t, s.Certificate(), literal(t, []byte("one")))
	split := func(m []byte) (key, data []byte) {
		n := 2 + int(m[1])
		return m[:n], m[n:]
	}
	key1, data1 := split(one)
	key2, data2 := split(two)
	_, err := decrypt(slices.Concat(key1, data2), s)
	wantReason(t, err, keyring.ReasonMalformed)
	_, err = decrypt(slices.Concat(key2, data1), s)
	wantReason(t, err, keyring.ReasonMalformed)
}

func xor(s cipher.Stream, data []byte) []byte {
	out := make([]byte, len(data))
	s.XORKeyStream(out, data)
	return out
}

// gopenpgp, trap 4: 300 KB that grow to 300 MB.
func TestP4_Trap4_Bomb(t *testing.T) {
	s := secret(t, "a@example.org")
	bomb := encryptRaw(t, s.Certificate(), zeroBomb(t, 300))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	_, err := keyring.Decrypt(context.Background(), bomb, []*keyring.Secret{s}, keyring.DefaultLimits())
	runtime.ReadMemStats(&after)
	wantReason(t, err, keyring.ReasonTooLarge)
	wide := keyring.Limits{Plain: 64 << 20, Ratio: 1 << 20, Nesting: 4}
	m, err := keyring.Decrypt(context.Background(), encryptRaw(t, s.Certificate(), zeroBomb(t, 2)), []*keyring.Secret{s}, wide)
	if err != nil || len(m.Data) != 2<<20 {
		t.Errorf("the bomb is a dud: %v (%s)", err, keyring.Reason(err))
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("a bomb of %d bytes took %d MiB", len(bomb), used>>20)
	}
}

// zeroBomb is a compressed packet with a literal packet of n MiB of zeros. The
// first MiB is deflated, the others are the same octets again.
func zeroBomb(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 9)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(binary.BigEndian.AppendUint32([]byte{0xc0 | 11, 255}, uint32(n<<20+6)))
	w.Write([]byte{'b', 0, 0, 0, 0, 0})
	w.Flush()
	start := b.Len()
	w.Write(make([]byte, 1<<20))
	w.Flush()
	end := b.Len()
	w.Close()
	deflated := b.Bytes()
	return rawPacket(8, slices.Concat([]byte{1}, deflated[:start], bytes.Repeat(deflated[start:end], n), deflated[end:]))
}

func TestP4_Limits(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	zeros := func(n int) []byte { return encryptRaw(t, s.Certificate(), compressed(t, literal(t, make([]byte, n)))) }
	over := len(literal(t, make([]byte, 3<<20))) - 3<<20
	for name, c := range map[string]struct {
		data   []byte
		limits keyring.Limits
		reason string
	}{
		"ratio is free up to 1 MiB": {zeros(900_000), keyring.Limits{Plain: 64 << 20, Ratio: 2, Nesting: 4}, ""},
		"ratio above it":            {zeros(3 << 20), keyring.Limits{Plain: 64 << 20, Ratio: 100, Nesting: 4}, keyring.ReasonTooLarge},
		"within the ratio":          {zeros(3 << 20), keyring.Limits{Plain: 64 << 20, Ratio: 2000, Nesting: 4}, ""},
		"exactly the limit":         {zeros(3 << 20), keyring.Limits{Plain: 3<<20 + int64(over), Ratio: 2000, Nesting: 4}, ""},
		"one byte over":             {zeros(3 << 20), keyring.Limits{Plain: 3<<20 + int64(over) - 1, Ratio: 2000, Nesting: 4}, keyring.ReasonTooLarge},
	} {
		m, err := decryptWith(context.Background(), c.data, []*keyring.Secret{s}, c.limits)
		if c.reason != "" {
			t.Run(name, func(t *testing.T) { wantReason(t, err, c.reason) })
		} else if err != nil || len(m.Data) == 0 {
			t.Errorf("%s: %v, %s", name, err, keyring.Reason(err))
		}
	}
}

// 50 MiB of bzip2 would take a quarter of a minute, so they are not unpacked;
// a little of it is.
func TestP4_Bzip2(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	// "bz" in a literal packet, compressed.
	small := []byte("BZh91AY&SY\xea\x82v|\x00\x00\x04\xc1\x84`@\x10\x00\x00\x10\x00\x08 \x000\xc0\x06\x9am\x11\xa5@\xb8]\xc9\x14\xe1BC\xaa\x09\xd9\xf0")
	large := append(bytes.Clone(small), make([]byte, 1<<20)...)
	_, err := decrypt(encryptRaw(t, s.Certificate(), rawPacket(8, append([]byte{3}, large...))), s)
	wantReason(t, err, keyring.ReasonTooLarge)
	m, err := decrypt(encryptRaw(t, s.Certificate(), rawPacket(8, append([]byte{3}, small...))), s)
	if err != nil || string(m.Data) != "bz" {
		t.Errorf("%v, %s", err, keyring.Reason(err))
	}
}

// A packet without a length ends where the packet that it stands in does, whatever
// stands behind that (RFC 9580 section 4.2.2). gpg 2.2.40 reads on, sq 0.27 does not.
func TestOpenSigned_EndsWithItsContainer(t *testing.T) {
	t.Parallel()
	inside := append([]byte{0, 0x80 | 11<<2 | 3, 'b', 0, 0, 0, 0, 0}, "inside"...) // uncompressed: a literal of the old format
	data := append(rawPacket(8, inside), rawPacket(12, []byte("out"))...)          // and a trust packet, which is ignored
	m, err := keyring.OpenSigned(context.Background(), data, keyring.DefaultLimits())
	if err != nil || string(m.Data) != "inside" {
		t.Fatalf("%+v, %v", m, err)
	}
}

func TestP4_Nesting(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	packets := literal(t, []byte("core"))
	for depth := range 7 {
		m, err := decrypt(encryptRaw(t, s.Certificate(), packets), s)
		if depth <= 4 && (err != nil || string(m.Data) != "core") {
			t.Errorf("%d layers: %v, %s", depth, err, keyring.Reason(err))
		}
		if depth > 4 {
			wantReason(t, err, keyring.ReasonNesting)
		}
		packets = compressed(t, packets)
	}
}

// P9: all failures are one error, with one text, and hold nothing to unwrap.
func TestP9_OneFailure(t *testing.T) {
	t.Parallel()
	s, other := secret(t, "a@example.org"), secret(t, "b@example.org")
	good := encrypted(t, []byte("x"), s, s.Certificate())
	changed := bytes.Clone(good)
	changed[len(changed)-3] ^= 1
	session := bytes.Clone(good)
	session[60] ^= 1
	var password bytes.Buffer
	if _, err := packet.SerializeSymmetricKeyEncrypted(&password, []byte("guess"), nil); err != nil {
		t.Fatal(err)
	}
	seipd := good[96:]
	for name, c := range map[string]struct {
		data   []byte
		reason string
	}{
		"no key":           {encrypted(t, []byte("x"), s, other.Certificate()), keyring.ReasonNoKey},
		"integrity":        {changed, keyring.ReasonIntegrity},
		"session key":      {session, keyring.ReasonSession},
		"password":         {slices.Concat(password.Bytes(), seipd), keyring.ReasonPassword},
		"no key packet":    {seipd, keyring.ReasonNoKey},
		"nothing":          {nil, keyring.ReasonMalformed},
		"garbage":          {[]byte("garbage"), keyring.ReasonMalformed},
		"not encrypted":    {literal(t, []byte("x")), keyring.ReasonPlain},
		"a key":            {s.Certificate().Bytes(), keyring.ReasonMalformed},
		"empty inside":     {encryptRaw(t, s.Certificate(), nil), keyring.ReasonMalformed},
		"two literals":     {encryptRaw(t, s.Certificate(), slices.Concat(literal(t, []byte("a")), literal(t, []byte("b")))), keyring.ReasonMalformed},
		"encrypted inside": {encryptRaw(t, s.Certificate(), good), keyring.ReasonMalformed},
		"text behind":      {slices.Concat(good, literal(t, []byte("b"))), keyring.ReasonMalformed},
		"twice":            {slices.Concat(good, good), keyring.ReasonMalformed},
		"behind the data":  {encryptRaw(t, s.Certificate(), slices.Concat(compressed(t, literal(t, []byte("a"))), literal(t, []byte("b")))), keyring.ReasonMalformed},
		"a bomb":           {encryptRaw(t, s.Certificate(), compressed(t, literal(t, make([]byte, 2<<20)))), keyring.ReasonTooLarge},
		"broken deflate":   {encryptRaw(t, s.Certificate(), rawPacket(8, []byte{1, 0xff, 0xff})), keyring.ReasonMalformed},
	} {
		m, err := decrypt(c.data, s)
		if m != nil || err == nil || err.Error() != keyring.ErrUndecryptable.Error() || errors.Unwrap(err) != nil {
			t.Errorf("%s: %v, %v", name, m, err)
		}
		if got := keyring.Reason(err); got != c.reason {
			t.Errorf("%s: reason %s, want %s", name, got, c.reason)
		}
	}
	if keyring.Reason(errors.New("x")) != "" || keyring.Reason(nil) != "" {
		t.Error("other errors have a reason")
	}
}

// Passwords are not tried, even beside a key of ours.
func TestP5_PasswordNotTried(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	var password bytes.Buffer
	if _, err := packet.SerializeSymmetricKeyEncrypted(&password, []byte(""), nil); err != nil {
		t.Fatal(err)
	}
	m, err := decrypt(slices.Concat(password.Bytes(), encrypted(t, []byte("x"), s, s.Certificate())), s)
	if err != nil || string(m.Data) != "x" {
		t.Errorf("%v, %s", err, keyring.Reason(err))
	}
}

// Thousands of session keys addressed to us must not each cost a decryption.
func TestP5_ManySessionKeys(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	good := encrypted(t, []byte("x"), s, s.Certificate())
	junk := sessionPacket(t, s.Certificate(), bytes.Repeat([]byte{7}, 32))
	junk[60] ^= 1
	if m, err := decrypt(slices.Concat(bytes.Repeat(junk, 10), good), s); err != nil || string(m.Data) != "x" {
		t.Errorf("ten: %v", err)
	}
	_, err := decrypt(slices.Concat(bytes.Repeat(junk, 100), good), s)
	wantReason(t, err, keyring.ReasonSession)
	_, err = decrypt(slices.Concat(bytes.Repeat(junk, 2000), good), s)
	wantReason(t, err, keyring.ReasonMalformed)
}

// A message that hides whom it is for is tried with every key of ours.
func TestHiddenRecipient(t *testing.T) {
	t.Parallel()
	s, other := secret(t, "a@example.org"), secret(t, "b@example.org")
	m := encrypted(t, []byte("x"), s, s.Certificate())
	copy(m[3:11], make([]byte, 8))
	if got, err := decrypt(m, other, s); err != nil || string(got.Data) != "x" {
		t.Errorf("%v, %s", err, keyring.Reason(err))
	}
}

// V1: a session key packet for each of the party's keys, and no other.
func TestV1_Recipients(t *testing.T) {
	t.Parallel()
	us, a, b := secret(t, "us@example.org"), secret(t, "a@example.org"), secret(t, "b@example.org")
	m := encrypted(t, []byte("x"), us, a.Certificate(), b.Certificate(), a.Certificate())
	var ids []uint64
	r := packet.NewReader(bytes.NewReader(m))
	for {
		p, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		k, ok := p.(*packet.EncryptedKey)
		if !ok {
			break
		}
		ids = append(ids, k.KeyId)
	}
	if want := []uint64{a.Certificate().KeyIDs()[1], b.Certificate().KeyIDs()[1]}; !slices.Equal(ids, want) {
		t.Errorf("for %x, want %x", ids, want)
	}
	if _, err := decrypt(m, us); err == nil {
		t.Error("we can read it ourselves")
	}
}

func TestV5_NeverToNobody(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	expired := craft(t, func(c *packet.Config) { c.KeyLifetimeSecs = 86400 })
	for name, c := range map[string]struct {
		to     []*keyring.Certificate
		signer *keyring.Secret
	}{
		"nobody":       {nil, s},
		"unsigned":     {[]*keyring.Certificate{s.Certificate()}, nil},
		"one expired":  {[]*keyring.Certificate{s.Certificate(), expired.certificate()}, s},
		"ours expired": {[]*keyring.Certificate{s.Certificate()}, expired.secret()},
	} {
		if m, err := keyring.Encrypt([]byte("x"), c.to, c.signer, noon); err == nil || m != nil {
			t.Errorf("%s: %d bytes, %v", name, len(m), err)
		}
	}
}

// gopenpgp, trap 5: a key ring shared by goroutines lost 63 of 1,600 good
// signatures.
func TestTrap5_Concurrent(t *testing.T) {
	t.Parallel()
	alice, bob := secret(t, "alice@example.org"), secret(t, "bob@example.org")
	m := encrypted(t, []byte("concurrent"), alice, bob.Certificate())
	us := bob.Certificate().KeyFingerprints()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 100 {
				got, err := decrypt(m, bob)
				if err == nil {
					err = got.Signatures[0].Verify(got.Data, alice.Certificate(), noon, us)
				}
				if err == nil {
					_, err = keyring.Encrypt(got.Data, []*keyring.Certificate{bob.Certificate()}, alice, noon)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// gopenpgp, trap 8: padding is none of the packets' business.
func TestV8_Trap8_NoPaddingPacket(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	m := encrypted(t, []byte("x"), s, s.Certificate())
	inner, err := packet.Read(bytes.NewReader(m[96:]))
	if err != nil {
		t.Fatal(err)
	}
	if se, ok := inner.(*packet.SymmetricallyEncrypted); !ok || se.Version != 1 || !se.IntegrityProtected {
		t.Errorf("%T", inner)
	}
	m2 := encrypted(t, []byte("x"), s, s.Certificate())
	if d := len(m) - len(m2); d < -4 || d > 4 {
		t.Errorf("one text has two sizes, %d and %d", len(m), len(m2))
	}
}

// When the gateway stops, the message is not to blame.
func TestT2_Stopped(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, data := range map[string][]byte{
		"encrypted":   encrypted(t, []byte("x"), s, s.Certificate()),
		"session key": damagedSession(encrypted(t, []byte("x"), s, s.Certificate())),
	} {
		_, err := decryptWith(ctx, data, []*keyring.Secret{s}, keyring.DefaultLimits())
		if !errors.Is(err, context.Canceled) || errors.Is(err, keyring.ErrUndecryptable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := keyring.OpenSigned(ctx, compressed(t, literal(t, []byte("x"))), keyring.DefaultLimits())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("compressed: %v", err)
	}
}

func damagedSession(m []byte) []byte {
	m[60] ^= 1
	return m
}

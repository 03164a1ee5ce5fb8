package keyring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
)

// edges are sizes around those of blocks, pieces and lengths, and some others.
func edges() []int {
	var all []int
	for n := range 50 {
		all = append(all, n)
	}
	for _, edge := range []int{192, 512, 8384, 16 << 10, 32 << 10} {
		for _, d := range []int{-120, -100, -41, -40, -24, -23, -22, -21, -20, -7, -6, -5, -2, -1, 0, 1, 2} {
			all = append(all, edge+d)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		all = append(all, r.IntN(200_000))
	}
	return all
}

func random(n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})
	b := make([]byte, n)
	_, _ = r.Read(b)
	return b
}

// What Parley writes, the library reads, whatever the size.
func TestEncryptedForTheLibrary(t *testing.T) {
	t.Parallel()
	alice, bob := secret(t, "alice@example.org"), secret(t, "bob@example.org")
	ring, err := openpgp.ReadKeyRing(bytes.NewReader(append(bytes.Clone(bob.Bytes()), alice.Certificate().Bytes()...)))
	if err != nil {
		t.Fatal(err)
	}
	conf := &packet.Config{Time: func() time.Time { return noon }}
	for _, n := range edges() {
		data := random(n)
		m, err := openpgp.ReadMessage(bytes.NewReader(encrypted(t, data, alice, bob.Certificate())), ring, nil, conf)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		got, err := io.ReadAll(m.UnverifiedBody)
		if err != nil || m.SignatureError != nil || m.SignedBy == nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes: %v, %v, read %d", n, err, m.SignatureError, len(got))
		}
	}
}

// What the library writes, in pieces of any size and with every cipher, Parley
// reads in each of its ways.
func TestDecryptedFromTheLibrary(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	r := rand.New(rand.NewPCG(3, 4))
	ciphers := []packet.CipherFunction{packet.CipherAES128, packet.CipherAES192, packet.CipherAES256, packet.CipherCAST5, packet.Cipher3DES}
	for i, n := range edges() {
		c := ciphers[i%len(ciphers)]
		if !c.IsSupported() || c < packet.CipherAES128 { // the library writes no older ones
			c = packet.CipherAES256
		}
		data := random(n)
		m, err := decrypt(inPieces(t, s.Certificate(), c, i%2 == 1, literal(t, data), r), s)
		if err != nil || !bytes.Equal(m.Data, data) {
			t.Fatalf("%d bytes with cipher %d: %v (%s)", n, c, err, keyring.Reason(err))
		}
	}
}

// inPieces encrypts packets to c, written in random pieces.
func inPieces(t *testing.T, c *keyring.Certificate, cipher packet.CipherFunction, v2 bool, packets []byte, r *rand.Rand) []byte {
	t.Helper()
	key := random(cipher.KeySize())
	conf := &packet.Config{AEADConfig: &packet.AEADConfig{}}
	var b bytes.Buffer
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(packet.SerializeEncryptedKeyAEAD(&b, encryptionKey(t, c), cipher, v2, key, conf))
	suite := packet.CipherSuite{Cipher: cipher, Mode: packet.AEADModeOCB}
	w, err := packet.SerializeSymmetricallyEncrypted(&b, cipher, v2, suite, key, conf)
	must(err)
	for len(packets) > 0 {
		n := min(len(packets), 1+r.IntN(20_000))
		_, err := w.Write(packets[:n])
		must(err)
		packets = packets[n:]
	}
	must(w.Close())
	return b.Bytes()
}

// From a reader to a writer and back, through armor, with the signature verified
// on the way.
func TestStream(t *testing.T) {
	t.Parallel()
	alice, bob := secret(t, "alice@example.org"), secret(t, "bob@example.org")
	us := bob.Certificate().KeyFingerprints()
	for _, n := range []int{0, 1, 4096, 16_000, 16 << 10, 100_000, 1 << 20} {
		data := random(n)
		text := streamed(t, data, alice, bob)
		var spool testSpool
		a := keyring.NewArmorReader(iotest.HalfReader(strings.NewReader(text)), keyring.ArmorMessage)
		m, err := keyring.DecryptTo(context.Background(), &spool, a, []*keyring.Secret{bob}, keyring.DefaultLimits())
		if err != nil || spool.abandoned || !bytes.Equal(spool.Bytes(), data) || a.Mismatch() {
			t.Fatalf("%d bytes: %v (%s), abandoned %v", n, err, keyring.Reason(err), spool.abandoned)
		}
		s := m.Signatures[0]
		for range 2 { // asking changes nothing
			if err := s.VerifyWritten(alice.Certificate(), noon, us); err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		if err := s.Verify(data, alice.Certificate(), noon, us); err != nil {
			t.Errorf("%d bytes, in memory: %v", n, err)
		}
		if err := s.VerifyWritten(bob.Certificate(), noon, us); err == nil {
			t.Errorf("%d bytes: verified with another's key", n)
		}
	}
}

// streamed encrypts data in CRLF armor, through writers that see small pieces.
func streamed(t *testing.T, data []byte, from, to *keyring.Secret) string {
	t.Helper()
	w := &limitedPieces{t: t}
	a, err := keyring.NewArmorWriter(w, keyring.ArmorMessage, "\r\n")
	if err != nil {
		t.Fatal(err)
	}
	certs := []*keyring.Certificate{to.Certificate()}
	if err := keyring.EncryptTo(a, iotest.HalfReader(bytes.NewReader(data)), int64(len(data)), certs, from, noon); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return w.String()
}

type limitedPieces struct {
	strings.Builder
	t *testing.T
}

func (w *limitedPieces) Write(p []byte) (int, error) {
	if len(p) > 32<<10 {
		w.t.Errorf("a piece of %d bytes", len(p))
	}
	return w.Builder.Write(p)
}

// A signature in a message that was not streamed, or made over other data than
// was announced, is none over what was written.
func TestP2_WrittenIsWhatWasSigned(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	m, err := decrypt(encrypted(t, text, s, s.Certificate()), s)
	if err != nil {
		t.Fatal(err)
	}
	us := s.Certificate().KeyFingerprints()
	if err := m.Signatures[0].VerifyWritten(s.Certificate(), noon, us); err != keyring.FaultWrong {
		t.Errorf("a message in memory: %v", err)
	}
	good := signedPackets(t, s)
	for name, edit := range map[string]func([]byte){
		"hash": func(onePass []byte) { onePass[8] = 8 },
		"kind": func(onePass []byte) { onePass[7] = 1 },
	} {
		packets := bytes.Clone(good)
		edit(packets)
		m, err := decrypt(encryptRaw(t, s.Certificate(), packets), s)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Signatures[0].Verify(m.Data, s.Certificate(), noon, us); err != keyring.FaultMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// signedPackets are the packets of a one-pass signed message.
func signedPackets(t *testing.T, s *keyring.Secret) []byte {
	t.Helper()
	sig, err := keyring.Sign(text, s, noon)
	if err != nil {
		t.Fatal(err)
	}
	id := s.Certificate().KeyIDs()[0]
	onePass := []byte{3, 0, 10, 22}
	for shift := 56; shift >= 0; shift -= 8 {
		onePass = append(onePass, byte(id>>shift))
	}
	packets := rawPacket(4, append(onePass, 1))
	return append(append(packets, literal(t, text)...), sig...)
}

// A one-pass message that is as it should be is good in both ways.
func TestOnePass(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	for name, packets := range map[string][]byte{
		"one-pass":        signedPackets(t, s),
		"signature first": append(signedPackets(t, s)[len(signedPackets(t, s))-sigLen(t, s):], literal(t, text)...),
	} {
		sealed := encryptRaw(t, s.Certificate(), packets)
		m, err := decrypt(sealed, s)
		if err != nil || m.Signatures[0].Verify(m.Data, s.Certificate(), noon, nil) != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m, err = keyring.DecryptTo(context.Background(), &testSpool{}, bytes.NewReader(sealed), []*keyring.Secret{s}, keyring.DefaultLimits())
		if err != nil || m.Signatures[0].VerifyWritten(s.Certificate(), noon, nil) != nil {
			t.Errorf("%s, streamed: %v", name, err)
		}
	}
}

func sigLen(t *testing.T, s *keyring.Secret) int {
	t.Helper()
	sig, err := keyring.Sign(text, s, noon)
	if err != nil {
		t.Fatal(err)
	}
	return len(sig)
}

var errDisk = errors.New("disk full")

type brokenSpool struct{ testSpool }

func (*brokenSpool) Write([]byte) (int, error) { return 0, errDisk }

// shortSpool takes less than it is given, and does not say so.
type shortSpool struct{ testSpool }

func (s *shortSpool) Write(p []byte) (int, error) { return s.testSpool.Write(p[:len(p)/2]) }

// What is lost on the way is an error even where the writer keeps silent.
func TestP2_ShortWrites(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	to := []*keyring.Certificate{s.Certificate()}
	var short shortSpool
	_, err := keyring.DecryptTo(context.Background(), &short, bytes.NewReader(encrypted(t, text, s, to[0])), []*keyring.Secret{s}, keyring.DefaultLimits())
	if !errors.Is(err, io.ErrShortWrite) || !short.abandoned {
		t.Errorf("decrypting: %v", err)
	}
	for _, n := range []int{0, 100, 100_000} {
		w := &shortSpool{}
		if err := keyring.EncryptTo(w, bytes.NewReader(random(n)), int64(n), to, s, noon); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("encrypting %d bytes: %v", n, err)
		}
		a, err := keyring.NewArmorWriter(w, keyring.ArmorMessage, "\n")
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Write(random(n))
		if err := errors.Join(err, a.Close()); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("armor of %d bytes: %v", n, err)
		}
	}
}

// Session key packets are held until the data comes, however large the message:
// so all of them together are bounded.
func TestP4_KeyPacketsAreBounded(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	sealed := encrypted(t, text, s, s.Certificate())
	filler := append([]byte{0xc1, 0xff, 0, 0, 0xff, 0xff}, make([]byte, 0xffff)...)
	for n, fits := range map[int]bool{8: true, 40: false} {
		in := bytes.NewReader(append(bytes.Repeat(filler, n), sealed...))
		_, err := keyring.DecryptTo(context.Background(), &testSpool{}, in, []*keyring.Secret{s}, keyring.DefaultLimits())
		if (err == nil) != fits {
			t.Errorf("%d packets of 64 KiB: %v", n, err)
		}
	}
}

// What ails the spool or the source is not the message's fault.
func TestT2_StreamFaults(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	sealed := encrypted(t, text, s, s.Certificate())
	var broken brokenSpool
	_, err := keyring.DecryptTo(context.Background(), &broken, bytes.NewReader(sealed), []*keyring.Secret{s}, keyring.DefaultLimits())
	if !errors.Is(err, errDisk) || errors.Is(err, keyring.ErrUndecryptable) || !broken.abandoned {
		t.Errorf("spool: %v", err)
	}
	var spool testSpool
	failing := io.MultiReader(bytes.NewReader(sealed[:200]), iotest.ErrReader(errDisk))
	_, err = keyring.DecryptTo(context.Background(), &spool, failing, []*keyring.Secret{s}, keyring.DefaultLimits())
	if !errors.Is(err, errDisk) || errors.Is(err, keyring.ErrUndecryptable) || !spool.abandoned {
		t.Errorf("source: %v", err)
	}
}

// A size that is not that of the data is an error, not a mail.
func TestEncryptToSize(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	to := []*keyring.Certificate{s.Certificate()}
	for _, size := range []int64{math.MinInt64, -1 << 20, -1, 0, 99, 101, 1 << 31, 1 << 40} {
		if err := keyring.EncryptTo(io.Discard, bytes.NewReader(random(100)), size, to, s, noon); err == nil {
			t.Errorf("100 bytes are %d", size)
		}
	}
	if err := keyring.EncryptTo(io.Discard, iotest.ErrReader(errDisk), 5, to, s, noon); !errors.Is(err, errDisk) {
		t.Errorf("%v", err)
	}
}

// Armor is read the same from a stream as from memory.
func TestArmorReader(t *testing.T) {
	t.Parallel()
	for name, c := range armorCases(t) {
		if name == "begin before good" {
			continue // a stream cannot go back to look for another beginning
		}
		want := keyring.FindArmor([]byte(c.text))
		for _, cut := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
			a := keyring.NewArmorReader(cut(strings.NewReader(c.text)), keyring.ArmorMessage)
			got, err := io.ReadAll(a)
			switch {
			case len(want) == 0 && err == nil:
				t.Errorf("%s: read %q", name, got)
			case len(want) > 0 && (err != nil || !bytes.Equal(got, want[0].Data) || a.Mismatch() != want[0].Mismatch):
				t.Errorf("%s: %v, %d bytes, want %d", name, err, len(got), len(want[0].Data))
			}
		}
	}
}

// Whatever is written in whatever pieces reads back.
func TestArmorStream(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range edges() {
		data := random(n)
		var b bytes.Buffer
		w, err := keyring.NewArmorWriter(&b, keyring.ArmorMessage, "\n")
		if err != nil {
			t.Fatal(err)
		}
		for rest := data; len(rest) > 0; {
			k := min(len(rest), 1+r.IntN(40_000))
			if _, err := w.Write(rest[:k]); err != nil {
				t.Fatal(err)
			}
			rest = rest[k:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		want, err := keyring.EncodeArmor(keyring.ArmorMessage, data)
		if err != nil || !bytes.Equal(b.Bytes(), want) || int64(b.Len()) > keyring.ArmoredSize(keyring.ArmorMessage, int64(n)) {
			t.Fatalf("%d bytes: other armor, %v", n, err)
		}
		a := keyring.NewArmorReader(&b, keyring.ArmorMessage)
		if got, err := io.ReadAll(a); err != nil || !bytes.Equal(got, data) || a.Mismatch() {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
}

// Broken armor behind a good message is no message, streamed or not.
func TestP2_StreamedArmorEnds(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	good := streamed(t, text, s, s)
	for name, bad := range map[string]string{
		"no end":    strings.TrimSuffix(good, "-----END PGP MESSAGE-----\r\n"),
		"other end": strings.Replace(good, "END PGP MESSAGE", "END PGP SIGNATURE", 1),
	} {
		var spool testSpool
		_, err := keyring.DecryptTo(context.Background(), &spool, keyring.NewArmorReader(strings.NewReader(bad), keyring.ArmorMessage),
			[]*keyring.Secret{s}, keyring.DefaultLimits())
		if !errors.Is(err, keyring.ErrUndecryptable) || !spool.abandoned {
			t.Errorf("%s: %v", name, fmt.Sprint(err))
		}
	}
}

package keyring

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Encrypt is EncryptTo in memory.
func Encrypt(data []byte, to []*Certificate, signer *Secret, at time.Time) ([]byte, error) {
	out := make(sliceWriter, 0, EncryptedSize(int64(len(data)), len(to)))
	if err := EncryptTo(&out, bytes.NewReader(data), int64(len(data)), to, signer, at); err != nil {
		return nil, err
	}
	return out, nil
}

// EncryptedSize is about, and seldom less than, what EncryptTo writes for size
// bytes to n certificates.
func EncryptedSize(size int64, n int) int64 { return size + size/piece + 1536 + int64(n)*576 }

// EncryptTo signs the size bytes that data gives and encrypts them to exactly the
// certificates given, each once, and to nobody else: not to ourselves, and never
// to no one. It fails before anything is written if a single one of them cannot
// be encrypted to at that instant. It holds and writes at most 16 KiB at a time;
// what it wrote before an error is useless.
//
// The result is binary: a version 1 SEIPD packet (RFC 9580, section 5.13.1),
// which every OpenPGP program reads, uncompressed, so that its size tells nothing
// of the content beyond its length.
func EncryptTo(w io.Writer, data io.Reader, size int64, to []*Certificate, signer *Secret, at time.Time) error {
	if size < 0 || size > maxLiteral {
		return fmt.Errorf("encrypt: %d bytes are not what a packet holds", size)
	}
	m, err := address(to, signer, at)
	if err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	if err := writeAll(w, m.keys); err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	sig, err := beginSignature(m.signer, m.to, at)
	if err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	p, err := newProtector(w, m.session, size)
	if err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	if err := writeSigned(p, data, size, sig); err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	return nil
}

// addressed is what is known of a message before its content: whom it is for,
// who signs it, and what it is encrypted with.
type addressed struct {
	to      []*Certificate
	signer  *packet.PrivateKey
	session []byte
	keys    []byte // the packets that give session to each of to
}

// address fails without a recipient, without a signer, and if a single one of the
// recipients cannot be encrypted to at that instant.
func address(to []*Certificate, signer *Secret, at time.Time) (*addressed, error) {
	if len(to) == 0 {
		return nil, errors.New("no recipient")
	}
	if signer == nil {
		return nil, errors.New("nobody to sign")
	}
	key, err := signer.signingKey(at)
	if err != nil {
		return nil, err
	}
	m := &addressed{to: distinct(to), signer: key}
	cipher := cipherFor(m.to, at)
	m.session = make([]byte, cipher.KeySize())
	_, _ = rand.Read(m.session) // never fails (crypto/rand)
	m.keys, err = sessionKeys(m.to, cipher, m.session, at)
	return m, err
}

// sessionKeys are the packets that give the session key to each certificate.
func sessionKeys(to []*Certificate, cipher packet.CipherFunction, session []byte, at time.Time) ([]byte, error) {
	var out sliceWriter
	for _, c := range to {
		k, fault := c.encryptionKey(at)
		if fault != nil {
			return nil, fault.of(c.fingerprint)
		}
		if err := packet.SerializeEncryptedKeyAEAD(&out, k, cipher, false, session, nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// writeSigned writes a one-pass signed message (RFC 9580, section 10.3) and
// closes p.
func writeSigned(p *protector, data io.Reader, size int64, sig *pendingSignature) error {
	head, err := sig.onePass()
	if err != nil {
		return err
	}
	if _, err := p.Write(appendLiteral(head, size)); err != nil {
		return err
	}
	if err := p.take(data, size, sig.hash); err != nil {
		return err
	}
	packet, err := sig.finish()
	if err != nil {
		return err
	}
	if _, err := p.Write(packet); err != nil {
		return err
	}
	return p.Close()
}

// appendLiteral begins a literal packet of size bytes, with no name and no date.
// RFC 9580, section 5.9.
func appendLiteral(dst []byte, size int64) []byte {
	dst = appendHeader(dst, tagLiteral, int(size)+6)
	return append(dst, 'b', 0, 0, 0, 0, 0)
}

// maxLiteral is what an int counts on every machine with the six octets in front
// of the data, half of what a packet may hold (RFC 9580, section 4.2.1.3).
const maxLiteral = math.MaxInt32 - 6

// writeAll writes p, and does not trust w to say when it took less.
func writeAll(w io.Writer, p []byte) error {
	n, err := w.Write(p)
	if err == nil && n != len(p) {
		err = io.ErrShortWrite
	}
	return err
}

func distinct(to []*Certificate) []*Certificate {
	seen := map[Fingerprint]bool{}
	return slices.DeleteFunc(slices.Clone(to), func(c *Certificate) bool {
		again := seen[c.fingerprint]
		seen[c.fingerprint] = true
		return again
	})
}

// cipherFor is AES-256 if everybody says that they read it, else AES-128, which
// everybody must. RFC 9580, section 9.3.
func cipherFor(to []*Certificate, at time.Time) packet.CipherFunction {
	for _, c := range to {
		p := c.properties(at)
		if p == nil || !slices.Contains(p.PreferredSymmetric, byte(packet.CipherAES256)) {
			return packet.CipherAES128
		}
	}
	return packet.CipherAES256
}

package keyring

import (
	"crypto/aes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"hash"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// unprotected is the plaintext of a SEIPD packet. It gives plaintext before the
// packet has shown to be whole: only once Close returns nil it was.
type unprotected struct {
	io.ReadCloser
	digest hash.Hash // of the packet's body
	src    byteSource
}

// alone reports whether nothing but packets that may stand anywhere follows. One
// message is one encrypted packet: RFC 9580, section 10.3.
func (u *unprotected) alone() bool {
	for {
		p, err := readPacket(u.src)
		if err == io.EOF {
			return true
		}
		if err != nil || !ignored(p.tag) || p.skip() != nil {
			return false
		}
	}
}

// sum is the SHA-256 of the packet's body, however it was cut into pieces.
func (u *unprotected) sum() (sum [32]byte) {
	u.digest.Sum(sum[:0])
	return sum
}

// unprotect begins to decrypt a SEIPD packet of version 1 or 2 (RFC 9580, section
// 5.13). Without a session key, or with one that does not go with the packet, it
// goes through the motions, and why says that it does: whether our key could make
// sense of what was addressed to it must not be told by how long the answer takes.
func unprotect(p *packetBody, key *sessionKey) (u *unprotected, why string, err error) {
	digest := sha256.New()
	se, err := readProtected(io.TeeReader(p, digest))
	if err != nil {
		return nil, "", closed(ReasonUnprotected)
	}
	if key != nil && !key.fits(se) {
		key, why = nil, ReasonMalformed
	}
	if key == nil {
		key = blindKey(se)
	}
	u = &unprotected{digest: digest, src: p.src}
	if se.Version == 1 && isAES(key.cipher) {
		u.ReadCloser, err = newMDCReader(p, digest, key)
	} else {
		u.ReadCloser, err = se.Decrypt(key.cipher, key.key)
	}
	if err != nil {
		return nil, why, closed(ReasonIntegrity)
	}
	return u, why, nil
}

// readProtected reads what stands in front of the encrypted data. RFC 9580,
// sections 5.13.1 and 5.13.2.
func readProtected(r io.Reader) (*packet.SymmetricallyEncrypted, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:1]); err != nil {
		return nil, err
	}
	se := &packet.SymmetricallyEncrypted{Version: int(head[0]), IntegrityProtected: true, Contents: r}
	switch se.Version {
	case 1:
		return se, nil
	case 2:
	default:
		return nil, errPackets
	}
	if _, err := io.ReadFull(r, head[1:]); err != nil {
		return nil, err
	}
	se.Cipher, se.Mode, se.ChunkSizeByte = packet.CipherFunction(head[1]), packet.AEADMode(head[2]), head[3]
	if !isAES(se.Cipher) || se.Mode.TagLength() == 0 || se.ChunkSizeByte > 16 {
		return nil, errPackets
	}
	_, err := io.ReadFull(r, se.Salt[:])
	return se, err
}

func isAES(c packet.CipherFunction) bool {
	return c == packet.CipherAES128 || c == packet.CipherAES192 || c == packet.CipherAES256
}

// mdcReader decrypts a version 1 SEIPD packet with AES, a piece at a time. RFC
// 9580, section 5.13.1.
type mdcReader struct {
	src    io.Reader
	cfb    *cfb
	digest hash.Hash // SHA-256 of the ciphertext
	mdc    hash.Hash
	buf    []byte // the piece, decrypted
	at     int    // how much of it was given out
	end    int    // where what may be given out ends: a code's length before the end
	err    error  // what reading the packet came to
}

var errIntegrity = errors.New("modification detection code is wrong")

func newMDCReader(src *packetBody, digest hash.Hash, key *sessionKey) (*mdcReader, error) {
	size := bufferFor(src)
	c, err := newCFB(key.key)
	if err != nil {
		return nil, err
	}
	if len(key.key) != key.cipher.KeySize() {
		return nil, errIntegrity
	}
	r := &mdcReader{src: src, cfb: c, digest: digest, mdc: sha1.New(), buf: make([]byte, 0, max(size, 4*mdcSize))}
	r.fill(aes.BlockSize + 2)
	if r.end < aes.BlockSize+2 {
		return nil, errIntegrity
	}
	r.at = aes.BlockSize + 2 // the random prefix
	return r, nil
}

// fill reads, decrypts and hashes until at least n octets may be given out, or
// the packet ends.
func (r *mdcReader) fill(n int) {
	kept := copy(r.buf, r.buf[r.at:])
	r.buf, r.at = r.buf[:kept], 0
	r.end = max(0, kept-mdcSize)
	for r.end < n && r.err == nil {
		var got int
		got, r.err = r.src.Read(r.buf[len(r.buf):cap(r.buf)])
		fresh := r.buf[len(r.buf) : len(r.buf)+got]
		r.digest.Write(fresh)
		r.cfb.decrypt(fresh)
		r.buf = r.buf[:len(r.buf)+got]
		end := max(0, len(r.buf)-mdcSize)
		r.mdc.Write(r.buf[r.end:end])
		r.end = end
	}
}

func (r *mdcReader) Read(p []byte) (int, error) {
	if err := r.ready(); err != nil {
		return 0, err
	}
	n := copy(p, r.buf[r.at:r.end])
	r.at += n
	return n, nil
}

func (r *mdcReader) ReadByte() (byte, error) {
	if err := r.ready(); err != nil {
		return 0, err
	}
	r.at++
	return r.buf[r.at-1], nil
}

// ready sees to it that there is something to give out; io.EOF at the end.
func (r *mdcReader) ready() error {
	if r.at == r.end {
		r.fill(1)
	}
	if r.at == r.end {
		return r.err
	}
	return nil
}

// Close reads what is left and compares the code.
func (r *mdcReader) Close() error {
	for r.err == nil {
		r.at = r.end
		r.fill(1)
	}
	code := r.buf[r.end:]
	if r.err != io.EOF || len(code) != mdcSize {
		return errIntegrity
	}
	r.mdc.Write(code[:2])
	if subtle.ConstantTimeCompare(r.mdc.Sum(nil), code[2:]) != 1 || code[0] != 0xc0|tagIntegrity || code[1] != sha1.Size {
		return errIntegrity
	}
	return nil
}

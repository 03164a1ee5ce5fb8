package keyring

import (
	"crypto/aes"
	"crypto/rand"
	"crypto/sha1"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Sizes of the pieces of a packet that is written as it comes.
const (
	pieceBits = 14
	piece     = 1 << pieceBits
)

// protector writes one version 1 SEIPD packet (RFC 9580, section 5.13.1): what
// fits into one piece as a packet of known length, more in partial lengths of
// 16 KiB (section 4.2.1.4), so that no more than that is held.
type protector struct {
	w      io.Writer
	cfb    *cfb
	digest hash.Hash
	buf    []byte // room for a header, then what is not written yet
	ready  int    // octets of it that are ciphertext already
	begun  bool   // the packet's first octet is written
}

// headerRoom is what the longest header in front of a piece takes.
const headerRoom = 6

// newProtector begins a packet; size is how much will about be written.
func newProtector(w io.Writer, key []byte, size int64) (*protector, error) {
	c, err := newCFB(key)
	if err != nil {
		return nil, err
	}
	p := &protector{w: w, cfb: c, digest: sha1.New()}
	p.buf = make([]byte, headerRoom, headerRoom+int(min(size+mdcSize+1024, piece)))
	p.buf = append(p.buf, 1) // version
	p.ready = 1
	var prefix [aes.BlockSize + 2]byte
	_, _ = rand.Read(prefix[:aes.BlockSize]) // never fails (crypto/rand)
	copy(prefix[aes.BlockSize:], prefix[aes.BlockSize-2:])
	p.buf = append(p.buf, prefix[:]...)
	return p, nil
}

// Write adds plaintext.
func (p *protector) Write(data []byte) (int, error) {
	written := len(data)
	for len(data) > 0 {
		room, err := p.room(len(data))
		if err != nil {
			return 0, err
		}
		n := copy(room, data)
		p.wrote(n)
		data = data[n:]
	}
	return written, nil
}

// room returns where the next octets of plaintext go: some at least, at most n.
// What was put there is then told to wrote.
func (p *protector) room(n int) ([]byte, error) {
	if len(p.buf) == headerRoom+piece {
		if err := p.flush(); err != nil {
			return nil, err
		}
	}
	n = min(n, headerRoom+piece-len(p.buf))
	if free := cap(p.buf) - len(p.buf); free < n {
		p.buf = append(p.buf, make([]byte, n)...)[:len(p.buf)]
	}
	return p.buf[len(p.buf) : len(p.buf)+n], nil
}

func (p *protector) wrote(n int) { p.buf = p.buf[:len(p.buf)+n] }

// take adds size bytes of data, and puts them through h on the way. It is an
// error if data gives less, or more.
func (p *protector) take(data io.Reader, size int64, h hash.Hash) error {
	for size > 0 {
		room, err := p.room(int(min(size, piece)))
		if err != nil {
			return err
		}
		n, err := io.ReadFull(data, room)
		if err != nil {
			return fmt.Errorf("read what to encrypt, %d bytes before its end: %w", size-int64(n), err)
		}
		h.Write(room)
		p.wrote(n)
		size -= int64(n)
	}
	switch _, err := io.ReadFull(data, make([]byte, 1)); err {
	case nil:
		return errors.New("there is more to encrypt than was said")
	case io.EOF:
		return nil
	default:
		return fmt.Errorf("read what to encrypt: %w", err)
	}
}

// seal hashes and encrypts what is plaintext yet, and returns how much is ready.
func (p *protector) seal() int {
	body := p.buf[headerRoom:]
	p.digest.Write(body[p.ready:])
	p.cfb.encrypt(body[p.ready:])
	p.ready = len(body)
	return p.ready
}

// flush writes a full piece.
func (p *protector) flush() error {
	p.seal()
	return p.emit([]byte{0xe0 | pieceBits})
}

// emit writes what is there behind a length of that form.
func (p *protector) emit(length []byte) error {
	at := headerRoom - len(length)
	copy(p.buf[at:], length)
	if !p.begun {
		at--
		p.buf[at], p.begun = 0xc0|tagProtected, true
	}
	err := writeAll(p.w, p.buf[at:])
	p.buf, p.ready = p.buf[:headerRoom], 0
	return err
}

// mdcSize is the size of the modification detection code packet at the end.
const mdcSize = 2 + sha1.Size

// Close writes the modification detection code and the end of the packet. RFC
// 9580, section 5.13.1.
func (p *protector) Close() error {
	if _, err := p.Write([]byte{0xc0 | tagIntegrity, sha1.Size}); err != nil {
		return err
	}
	p.seal()
	if _, err := p.Write(p.digest.Sum(nil)); err != nil {
		return err
	}
	return p.emit(appendLength(nil, p.seal()))
}

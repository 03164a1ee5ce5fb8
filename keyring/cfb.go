package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// cfb is AES in the cipher feedback mode that a version 1 SEIPD packet is in:
// all of it, random prefix included, from an initial vector of zeros, without
// the resynchronisation of older packets. RFC 9580, section 5.13.1. It works in
// place, on pieces that may be cut anywhere, in one direction.
//
// The standard library's mode is deprecated, and the OpenPGP library's goes
// octet by octet.
type cfb struct {
	block cipher.Block
	mask  [aes.BlockSize]byte                 // what the block under way is masked with
	seen  [aes.BlockSize]byte                 // its ciphertext so far
	used  int                                 // how many octets that is
	masks [decryptBlocks * aes.BlockSize]byte // for decrypting many blocks at once
}

func newCFB(key []byte) (*cfb, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	c := &cfb{block: b}
	b.Encrypt(c.mask[:], c.seen[:])
	return c, nil
}

// encrypt encrypts p in place. Each block waits for the one before it.
func (c *cfb) encrypt(p []byte) {
	if c.used > 0 {
		p = p[c.octets(p, false):]
	}
	for ; len(p) >= aes.BlockSize; p = p[aes.BlockSize:] {
		subtle.XORBytes(p, p[:aes.BlockSize], c.mask[:])
		c.block.Encrypt(c.mask[:], p)
	}
	c.octets(p, false)
}

// decryptBlocks is how many blocks are decrypted at once.
const decryptBlocks = 32

// decrypt decrypts p in place. All ciphertext is there already, so the blocks'
// masks do not wait for one another.
func (c *cfb) decrypt(p []byte) {
	if c.used > 0 {
		p = p[c.octets(p, true):]
	}
	for len(p) >= aes.BlockSize {
		n := min(len(p), len(c.masks)) / aes.BlockSize * aes.BlockSize
		copy(c.masks[:], c.mask[:])
		for i := aes.BlockSize; i < n; i += aes.BlockSize {
			c.block.Encrypt(c.masks[i:i+aes.BlockSize], p[i-aes.BlockSize:i])
		}
		c.block.Encrypt(c.mask[:], p[n-aes.BlockSize:n])
		subtle.XORBytes(p, p[:n], c.masks[:])
		p = p[n:]
	}
	c.octets(p, true)
}

// octets goes on to the end of a block that is under way, or of p, and returns
// how many octets that were.
func (c *cfb) octets(p []byte, decrypting bool) int {
	n := min(len(p), aes.BlockSize-c.used)
	for i, b := range p[:n] {
		p[i] = b ^ c.mask[c.used]
		c.seen[c.used] = p[i]
		if decrypting {
			c.seen[c.used] = b
		}
		c.used++
	}
	if c.used == aes.BlockSize {
		c.block.Encrypt(c.mask[:], c.seen[:])
		c.used = 0
	}
	return n
}

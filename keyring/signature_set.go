package keyring

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // makes the hashes available to package crypto
	_ "crypto/sha3"
	"hash"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// signatureSet is what is known of the signatures of one message while it is read.
type signatureSet struct {
	announced []*announcement
	found     []*Signature
	hashing   bool // hash the data as it comes
	passes    bool // one-pass signatures announced them
}

// announcement is how the data of a signature is hashed, known before the data:
// from a one-pass packet, or from a signature that stands in front.
type announcement struct {
	kind    packet.SignatureType
	hash    byte // number of RFC 9580, section 9.5
	salt    []byte
	claimed bool
	state   hash.Hash // after the data; nil if it is not hashed
	w       io.Writer // writes into state
}

// announce takes a one-pass packet. RFC 9580, section 5.4.
func (s *signatureSet) announce(p rawPacket) error {
	if len(s.found) > 0 || len(s.announced) == maxSignatures || len(p.body) < 5 {
		return errPackets
	}
	a := &announcement{kind: packet.SignatureType(p.body[1]), hash: p.body[2]}
	if n := 5 + int(p.body[4]); p.body[0] == 6 {
		if len(p.body) < n {
			return errPackets
		}
		a.salt = p.body[5:n]
	}
	s.announced, s.passes = append(s.announced, a), true
	return nil
}

// add takes a signature packet, which stands behind the data if one-pass packets
// announced it, and in front of it if none did.
func (s *signatureSet) add(p rawPacket, behind bool) error {
	if len(s.found) == maxSignatures || behind != s.passes {
		return errPackets
	}
	sig := newSignature(p)
	s.found = append(s.found, sig)
	if !behind {
		a := &announcement{claimed: true}
		if sig.sig != nil {
			a.kind, a.hash, a.salt = sig.sig.SigType, p.body[3], sig.sig.Salt()
		}
		sig.how, s.announced = a, append(s.announced, a)
		return nil
	}
	if sig.how = s.claim(sig, p.body); sig.how == nil && sig.fault == "" {
		sig.fault = FaultMalformed // over something else than what was announced
	}
	return nil
}

// claim finds what announced the signature.
func (s *signatureSet) claim(sig *Signature, body []byte) *announcement {
	if sig.sig == nil {
		return nil
	}
	for _, a := range s.announced {
		if !a.claimed && a.kind == sig.sig.SigType && a.hash == body[3] && bytes.Equal(a.salt, sig.sig.Salt()) {
			a.claimed = true
			return a
		}
	}
	return nil
}

// complete reports whether every announced signature came, or none was announced.
func (s *signatureSet) complete() bool { return !s.passes || len(s.found) == len(s.announced) }

// hashNumbers are the hashes whose signatures count. RFC 9580, section 9.5.
var hashNumbers = map[byte]crypto.Hash{8: crypto.SHA256, 9: crypto.SHA384, 10: crypto.SHA512, 11: crypto.SHA224,
	12: crypto.SHA3_256, 14: crypto.SHA3_512}

// start prepares for the data.
func (s *signatureSet) start() {
	if !s.hashing {
		return
	}
	for i, a := range s.announced {
		h := hashNumbers[a.hash]
		if !h.Available() {
			continue
		}
		if same := s.like(a, i); same != nil {
			a.state = same.state
			continue
		}
		a.state = h.New()
		a.state.Write(a.salt)
		a.w = a.state
		if a.kind == packet.SigTypeText {
			a.w = openpgp.NewCanonicalTextHash(a.state)
		}
	}
}

// like finds an earlier announcement of the same hash over the same.
func (s *signatureSet) like(a *announcement, before int) *announcement {
	for _, b := range s.announced[:before] {
		if b.hash == a.hash && b.kind == a.kind && bytes.Equal(b.salt, a.salt) {
			return b
		}
	}
	return nil
}

// hash takes a piece of the data.
func (s *signatureSet) hash(p []byte) {
	for _, a := range s.announced {
		if a.w != nil {
			_, _ = a.w.Write(p) // never fails (hash.Hash)
		}
	}
}

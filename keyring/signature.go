package keyring

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Fault is one of a closed set of words that say what is wrong with a signature.
type Fault string

// The words.
const (
	FaultMalformed   Fault = "malformed"     // not readable, or of a kind that is not supported
	FaultUnknownKey  Fault = "unknown-key"   // no certificate for it
	FaultWrong       Fault = "wrong"         // not a signature over this data by this key
	FaultWeakHash    Fault = "weak-hash"     // MD5, SHA-1 or RIPEMD-160
	FaultNotYet      Fault = "not-yet-valid" // made in the future
	FaultExpired     Fault = "expired"       // the signature itself has ended
	FaultKeyExpired  Fault = "key-expired"   // the key had ended, or has by now
	FaultKeyRevoked  Fault = "key-revoked"   // the key is revoked
	FaultKeyUnusable Fault = "key-unusable"  // the key may not sign, is too small, or is not bound
	FaultNotForUs    Fault = "not-for-us"    // made for recipients that are named and are not us
	FaultTooMany     Fault = "too-many"      // not looked at: the message has more than are
)

// Error gives the word.
func (f Fault) Error() string { return "signature: " + string(f) }

// Signature is a signature packet over data: one inside a message or a detached
// one. It has not been verified.
type Signature struct {
	sig    *packet.Signature // nil if it could not be read
	fault  Fault             // why it could not
	digest [32]byte
	how    *announcement // how the data it came with was hashed
}

// KeyID is the ID of the key that claims to have made it; 0 if it names none.
func (s *Signature) KeyID() uint64 {
	if s.sig == nil || s.sig.IssuerKeyId == nil {
		return 0
	}
	return *s.sig.IssuerKeyId
}

// Created is when it claims to have been made.
func (s *Signature) Created() time.Time {
	if s.sig == nil {
		return time.Time{}
	}
	return s.sig.CreationTime.UTC()
}

// Digest is the SHA-256 of what a signature packet says and of the two octets
// that it gives of the hash. Its unhashed subpackets and its numbers are left
// out: both can be written in other ways that verify just as well, and anybody
// could make a used signature look like a new one.
func (s *Signature) Digest() [32]byte { return s.digest }

// ParseSignatures reads the packets of a detached signature, binary or in armor.
// What cannot be read is reported as a signature that does not verify, and so is
// what is more than is looked at; data with no signature at all gives none.
func ParseSignatures(data []byte) []*Signature {
	if len(data) > 0 && data[0]&0x80 == 0 {
		data = joinBlocks(data, ArmorSignature)
	}
	var found []*Signature
	for len(data) > 0 && len(found) < maxSignatures {
		p, rest, err := nextPacket(data)
		if err != nil {
			return append(found, &Signature{fault: FaultMalformed, digest: sha256.Sum256(data)})
		}
		data = rest
		if p.tag == tagSignature {
			found = append(found, newSignature(p))
		}
	}
	if len(data) > 0 { // each of them must be judged (rule S4)
		found = append(found, &Signature{fault: FaultTooMany, digest: sha256.Sum256(data)})
	}
	return found
}

func joinBlocks(text []byte, kind string) []byte {
	var data []byte
	for _, b := range FindArmor(text) {
		if b.Kind == kind {
			data = append(data, b.Data...)
		}
	}
	return data
}

func newSignature(p rawPacket) *Signature {
	s := &Signature{digest: sha256.Sum256(protected(p.body))}
	parsed, err := p.parse()
	sig, ok := parsed.(*packet.Signature)
	switch {
	case len(p.body) > 4 && weakHashID(p.body[3]):
		s.fault = FaultWeakHash
		if err == nil && ok {
			s.sig = sig
		}
	case err != nil || !ok:
		s.fault = FaultMalformed
	case sig.SigType != packet.SigTypeBinary && sig.SigType != packet.SigTypeText:
		s.sig, s.fault = sig, FaultMalformed
	default:
		s.sig = sig
	}
	return s
}

// protected cuts the unhashed subpackets and the numbers out of a signature's
// body. RFC 9580, section 5.2.3.
func protected(body []byte) []byte {
	if len(body) < 8 {
		return body
	}
	hashed, width := 4, 2
	if body[0] == 6 {
		width = 4
	}
	start, ok := skipSized(body, hashed, width)
	if !ok {
		return body
	}
	end, ok := skipSized(body, start, width)
	if !ok {
		return body
	}
	return append(bytes.Clone(body[:start]), body[end:min(end+2, len(body))]...)
}

// skipSized returns the offset behind an area that its size, width octets wide,
// stands in front of.
func skipSized(body []byte, at, width int) (int, bool) {
	if len(body) < at+width {
		return 0, false
	}
	n := uint64(binary.BigEndian.Uint16(body[at:]))
	if width == 4 {
		n = uint64(binary.BigEndian.Uint32(body[at:]))
	}
	end := uint64(at+width) + n
	return int(end), end <= uint64(len(body))
}

// Verify checks the signature over data as one of c made at the time it says,
// looked at at that instant by the owner of the keys us. It returns nil or a
// Fault. The key must have been good when the signature was made and must not
// have ended since; a key that is revoked because it was compromised never was
// good. Parsing alone proves nothing: a nil error of this method is the only way
// to a good signature.
func (s *Signature) Verify(data []byte, c *Certificate, at time.Time, us []Fingerprint) error {
	return s.verify(func() (hash.Hash, bool) { return s.hash(data) }, c, at, us)
}

// VerifyWritten is Verify over the data that DecryptTo has written, which was
// hashed on the way. A signature that came in no other way is FaultWrong.
func (s *Signature) VerifyWritten(c *Certificate, at time.Time, us []Fingerprint) error {
	return s.verify(s.written, c, at, us)
}

func (s *Signature) verify(over func() (hash.Hash, bool), c *Certificate, at time.Time, us []Fingerprint) error {
	if s.fault != "" {
		return s.fault
	}
	if c == nil {
		return FaultUnknownKey
	}
	key, f := c.signedWith(s.sig, at)
	if f != "" {
		return f
	}
	h, ok := over()
	if !ok || key.VerifySignature(h, s.sig) != nil {
		return FaultWrong
	}
	if s.sig.CreationTime.After(at.Add(clockSkew)) {
		return FaultNotYet
	}
	if signatureEnded(s.sig, at) {
		return FaultExpired
	}
	if criticalNotation(s.sig) {
		return FaultMalformed
	}
	if !intended(s.sig, us) {
		return FaultNotForUs
	}
	return nil
}

func (s *Signature) hash(data []byte) (hash.Hash, bool) {
	h, err := s.sig.PrepareVerify()
	if err != nil {
		return nil, false
	}
	var w hash.Hash = h
	if s.sig.SigType == packet.SigTypeText {
		w = openpgp.NewCanonicalTextHash(h)
	}
	w.Write(data)
	return h, true
}

// written is the state of the hash behind what was written.
func (s *Signature) written() (hash.Hash, bool) {
	if s.how == nil || s.how.state == nil {
		return nil, false
	}
	state, ok := s.how.state.(hash.Cloner)
	if !ok {
		return nil, false
	}
	h, err := state.Clone()
	return h, err == nil
}

// signedWith finds the key of c that made the signature, or says why it does
// not count.
func (c *Certificate) signedWith(s *packet.Signature, at time.Time) (*packet.PublicKey, Fault) {
	made := s.CreationTime
	if made.After(at) {
		at = made
	}
	if f := lasted(c.usable, made, at); f != "" {
		return nil, f
	}
	if s.CheckKeyIdOrFingerprint(c.primary) {
		if !c.signsItself(made) {
			return nil, FaultKeyUnusable
		}
		return c.primary, ""
	}
	for _, sub := range c.subkeys {
		if !s.CheckKeyIdOrFingerprint(sub.key) {
			continue
		}
		if f := lasted(sub.fault, made, at); f != "" {
			return nil, f
		}
		if !newest(sub.self, made).sig.FlagSign {
			return nil, FaultKeyUnusable
		}
		return sub.key, ""
	}
	return nil, FaultUnknownKey
}

// lasted says why a key that must have been good when it signed, and must not
// have ended since, does not count. A revocation that is not retroactive spares
// what was signed before it.
func lasted(fault func(time.Time) *UnusableError, made, now time.Time) Fault {
	if f := fault(made); f != nil {
		return keyFault(f)
	}
	if f := fault(now); f != nil && f.Why != WhyRevoked {
		return keyFault(f)
	}
	return ""
}

func keyFault(f *UnusableError) Fault {
	switch f.Why {
	case WhyExpired:
		return FaultKeyExpired
	case WhyRevoked:
		return FaultKeyRevoked
	}
	return FaultKeyUnusable
}

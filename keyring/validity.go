package keyring

import (
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// clockSkew is how far ahead of ours another clock may be: what was signed a
// little later than now still counts as signed.
const clockSkew = 5 * time.Minute

// day is how instants are shown to people in reasons.
const day = "2006-01-02"

// CanEncrypt returns nil if messages can be encrypted to the certificate at that
// instant, and otherwise an *UnusableError whose text tells a person why.
func (c *Certificate) CanEncrypt(at time.Time) error {
	if _, err := c.encryptionKey(at); err != nil {
		return err.of(c.fingerprint)
	}
	return nil
}

// CanVerify returns nil if signatures made at that instant can count, and
// otherwise an *UnusableError.
func (c *Certificate) CanVerify(at time.Time) error {
	if err := c.usable(at); err != nil {
		return err.of(c.fingerprint)
	}
	if c.signsItself(at) {
		return nil
	}
	why := unusable(WhyNotSigning, "it has no signing key")
	for _, s := range c.subkeys {
		b := newest(s.self, at)
		if b == nil || !b.sig.FlagSign {
			continue
		}
		f := s.fault(at)
		if f == nil {
			return nil
		}
		why = f
	}
	return why.of(c.fingerprint)
}

// signsItself reports whether the primary key may make signatures.
func (c *Certificate) signsItself(at time.Time) bool {
	p := c.properties(at)
	return p != nil && p.FlagsValid && p.FlagSign && c.primary.CanSign()
}

// usable says why nothing at all may be done with the certificate.
func (c *Certificate) usable(at time.Time) *UnusableError {
	if c.barred != nil {
		return c.barred
	}
	if f := revoked(c.revocations, at, "revoked"); f != nil {
		return f
	}
	if c.primary.CreationTime.After(at.Add(clockSkew)) {
		return unusable(WhyNotYet, "not valid before "+c.primary.CreationTime.UTC().Format(day))
	}
	p := c.properties(at)
	if p == nil {
		return c.whyUnbound(at)
	}
	if end := c.primaryEnd(p, at); !end.IsZero() && !at.Before(end) {
		return unusable(WhyExpired, "expired on "+end.UTC().Format(day))
	}
	return nil
}

// whyUnbound explains a certificate with no self-signature that counts.
func (c *Certificate) whyUnbound(at time.Time) *UnusableError {
	future, gone := false, false
	for _, u := range c.users {
		future = future || anyStrong(u.self) && newest(u.self, at) == nil
		gone = gone || u.revoked(at)
	}
	switch {
	case gone:
		return unusable(WhyRevoked, "its user ID is revoked")
	case future:
		return unusable(WhyNotYet, "its self-signature does not count at this time")
	case c.weak:
		return unusable(WhyWeakHash, "held together by SHA-1 or an older hash only")
	}
	return unusable(WhyUnbound, "it has no self-signature")
}

// encryptionKey chooses the one key that messages are encrypted to: the newest
// usable encryption subkey, or the primary key where it says so itself.
func (c *Certificate) encryptionKey(at time.Time) (*packet.PublicKey, *UnusableError) {
	if f := c.usable(at); f != nil {
		return nil, f
	}
	var best *subkey
	why := unusable(WhyNoSubkey, "it has no encryption subkey")
	for _, s := range c.subkeys {
		b := newest(s.self, at)
		if b == nil || !forMessages(b.sig) {
			continue
		}
		f := s.fault(at)
		if f == nil {
			f = encryptionFault(s.key)
		}
		if f != nil {
			why = unusable(f.Why, "its encryption subkey: "+f.Text)
			continue
		}
		if best == nil || s.key.CreationTime.After(best.key.CreationTime) {
			best = s
		}
	}
	if best != nil {
		return best.key, nil
	}
	if p := c.properties(at); forMessages(p) && c.primary.PubKeyAlgo.CanEncrypt() {
		return c.primary, encryptionFault(c.primary)
	}
	return nil, why
}

// EncryptsTo names the component key that messages are encrypted to at that
// instant; "" where CanEncrypt gives an error.
func (c *Certificate) EncryptsTo(at time.Time) Fingerprint {
	k, err := c.encryptionKey(at)
	if err != nil {
		return ""
	}
	return fingerprintOf(k.Fingerprint)
}

// forMessages reports whether a self-signature lets its key encrypt mail.
func forMessages(s *packet.Signature) bool {
	return s.FlagsValid && (s.FlagEncryptCommunications || s.FlagEncryptStorage)
}

// fault says why a subkey does not count at that instant.
func (s *subkey) fault(at time.Time) *UnusableError {
	if f := algorithmFault(s.key); f != nil {
		return f
	}
	if f := revoked(s.revs, at, "revoked"); f != nil {
		return f
	}
	b := newest(s.self, at)
	if b == nil {
		return unusable(WhyUnbound, "it is not bound at this time")
	}
	if s.key.CreationTime.After(at.Add(clockSkew)) {
		return unusable(WhyNotYet, "not valid before "+s.key.CreationTime.UTC().Format(day))
	}
	if end := keyEnd(s.key, b.sig); !end.IsZero() && !at.Before(end) {
		return unusable(WhyExpired, "expired on "+end.UTC().Format(day))
	}
	return nil
}

// properties is the self-signature that speaks for the primary key: that of the
// primary user ID for version 4, the direct-key signature for version 6. RFC
// 9580, section 5.2.3.10.
func (c *Certificate) properties(at time.Time) *packet.Signature {
	if c.primary.Version < 6 {
		if u := c.primaryUser(at); u != nil {
			return newest(u.self, at).sig
		}
		return nil
	}
	if b := newest(c.direct, at); b != nil {
		return b.sig
	}
	return nil
}

// primaryUser is the user ID marked as primary, else the one signed last.
func (c *Certificate) primaryUser(at time.Time) *userID {
	var best *userID
	var bestSig *packet.Signature
	for _, u := range c.users {
		b := newest(u.self, at)
		if b == nil || u.revoked(at) {
			continue
		}
		if best == nil || outranks(b.sig, bestSig) {
			best, bestSig = u, b.sig
		}
	}
	return best
}

func outranks(a, b *packet.Signature) bool {
	pa, pb := a.IsPrimaryId != nil && *a.IsPrimaryId, b.IsPrimaryId != nil && *b.IsPrimaryId
	if pa != pb {
		return pa
	}
	return a.CreationTime.After(b.CreationTime)
}

// revoked reports whether the user ID is taken back and not signed again since.
func (u *userID) revoked(at time.Time) bool {
	last := newest(u.self, at)
	for _, r := range u.revs {
		if r.sig.CreationTime.After(at.Add(clockSkew)) {
			continue
		}
		if last == nil || !r.sig.CreationTime.Before(last.sig.CreationTime) {
			return true
		}
	}
	return false
}

// newest is the latest statement that counts at that instant; list is sorted.
func newest(list []*binding, at time.Time) *binding {
	for _, b := range list {
		if b.weak || b.sig.CreationTime.After(at.Add(clockSkew)) || signatureEnded(b.sig, at) || criticalNotation(b.sig) {
			continue
		}
		return b
	}
	return nil
}

func signatureEnded(s *packet.Signature, at time.Time) bool {
	end := statementEnd(s)
	return !end.IsZero() && !at.Before(end)
}

func criticalNotation(s *packet.Signature) bool {
	for _, n := range s.Notations {
		if n.IsCritical {
			return true
		}
	}
	return false
}

// revoked says that a key is revoked. A revocation without a reason or because
// of a compromise counts for the past as well; one that says that the key is
// superseded or retired counts from when it was made. RFC 9580, section 5.2.3.31.
func revoked(revs []*binding, at time.Time, text string) *UnusableError {
	for _, r := range revs {
		made := r.sig.CreationTime
		if hard(r.sig) || !made.After(at) {
			return unusable(WhyRevoked, text+" on "+made.UTC().Format(day))
		}
	}
	return nil
}

func hard(s *packet.Signature) bool {
	if s.RevocationReason == nil {
		return true
	}
	return *s.RevocationReason != packet.KeySuperseded && *s.RevocationReason != packet.KeyRetired
}

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }

// keyEnd is when a key ends according to s; zero for never.
func keyEnd(k *packet.PublicKey, s *packet.Signature) time.Time {
	if s.KeyLifetimeSecs == nil || *s.KeyLifetimeSecs == 0 {
		return time.Time{}
	}
	return k.CreationTime.Add(seconds(*s.KeyLifetimeSecs))
}

// primaryEnd is when the primary key ends. A version 4 key may say so in a
// direct-key signature alone.
func (c *Certificate) primaryEnd(p *packet.Signature, at time.Time) time.Time {
	if p.KeyLifetimeSecs == nil {
		if d := newest(c.direct, at); d != nil {
			return keyEnd(c.primary, d.sig)
		}
	}
	return keyEnd(c.primary, p)
}

package keyring

import (
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// CertifiedBy reports whether o's primary key vouches at that instant, with a
// signature that counts and is not taken back, for a user ID of c with this
// mail address (in any case) that c itself has signed. RFC 9580, section
// 5.2.1.4.
func (c *Certificate) CertifiedBy(o *Certificate, address string, at time.Time) bool {
	if o.fingerprint == c.fingerprint || o.usable(at) != nil || c.usable(at) != nil {
		return false
	}
	for _, u := range c.users {
		if !SameAddress(addressIn(u.id), address) || address == "" {
			continue
		}
		if newest(u.self, at) != nil && !u.revoked(at) && u.certifiedBy(c, o, at) {
			return true
		}
	}
	return false
}

// certifiedBy looks for the newest statement of o about the user ID.
func (u *userID) certifiedBy(c, o *Certificate, at time.Time) bool {
	var last *packet.Signature
	for _, b := range u.others {
		s := b.sig
		if !s.CheckKeyIdOrFingerprint(o.primary) || s.CreationTime.After(at.Add(clockSkew)) || criticalNotation(s) {
			continue
		}
		if last != nil && last.CreationTime.After(s.CreationTime) {
			continue
		}
		if b.certifies(u.id, c, o) {
			last = s
		}
	}
	return last != nil && isCertification(last.SigType) && !signatureEnded(last, at)
}

// certifies reports whether o's primary key made the certification of that user
// ID of c.
func (b *binding) certifies(id string, c, o *Certificate) bool {
	if v := b.by.Load(); v != nil && v.key == o.fingerprint {
		return v.good
	}
	good := o.primary.VerifyUserIdSignature(id, c.primary, b.sig) == nil
	b.by.Store(&verification{o.fingerprint, good})
	return good
}

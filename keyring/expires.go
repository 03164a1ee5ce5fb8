package keyring

import (
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Expires is the first instant at which messages can no longer be encrypted to
// the certificate, by what it says about itself today; zero if it does not end
// by itself. A certificate that never could be encrypted to, or is revoked, has
// ended when its key was made or revoked.
func (c *Certificate) Expires() time.Time {
	now := c.latest()
	if len(c.revocations) > 0 {
		return c.revocations[0].sig.CreationTime.UTC()
	}
	p := c.properties(now)
	if c.barred != nil || p == nil {
		return c.primary.CreationTime.UTC()
	}
	return sooner(sooner(c.primaryEnd(p, now), statementEnd(p)), c.encryptionEnds(now)).UTC()
}

// encryptionEnds is when the last of the keys that encrypt ends.
func (c *Certificate) encryptionEnds(now time.Time) time.Time {
	end, any := c.primary.CreationTime, false
	for _, s := range c.subkeys {
		b := newest(s.self, now)
		if b == nil || !forMessages(b.sig) || len(s.revs) > 0 || encryptionFault(s.key) != nil {
			continue
		}
		e := sooner(keyEnd(s.key, b.sig), statementEnd(b.sig))
		if e.IsZero() {
			return e
		}
		if !any || e.After(end) {
			end, any = e, true
		}
	}
	if p := c.properties(now); !any && forMessages(p) && encryptionFault(c.primary) == nil {
		return time.Time{}
	}
	return end
}

// statementEnd is when a signature itself ends, whatever it says of its key;
// zero for never. RFC 9580, section 5.2.3.18.
func statementEnd(s *packet.Signature) time.Time {
	if s.SigLifetimeSecs == nil || *s.SigLifetimeSecs == 0 {
		return time.Time{}
	}
	return s.CreationTime.Add(seconds(*s.SigLifetimeSecs))
}

// latest is an instant at which everything that the certificate says has been
// said, so that the newest statements speak.
func (c *Certificate) latest() time.Time {
	at := c.primary.CreationTime
	each := func(list []*binding) {
		for _, b := range list {
			if b.sig.CreationTime.After(at) {
				at = b.sig.CreationTime
			}
		}
	}
	each(c.direct)
	for _, u := range c.users {
		each(u.self)
	}
	for _, s := range c.subkeys {
		each(s.self)
	}
	return at
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Made is when the primary key was made.
func (c *Certificate) Made() time.Time { return c.primary.CreationTime }

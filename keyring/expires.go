package keyring

import "time"

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
	return sooner(c.primaryEnd(p, now), c.encryptionEnds(now)).UTC()
}

// encryptionEnds is when the last of the keys that encrypt ends.
func (c *Certificate) encryptionEnds(now time.Time) time.Time {
	end, any := c.primary.CreationTime, false
	for _, s := range c.subkeys {
		b := newest(s.self, now)
		if b == nil || !forMessages(b.sig) || len(s.revs) > 0 || encryptionFault(s.key) != nil {
			continue
		}
		e := keyEnd(s.key, b.sig)
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

package keyring

// Minimal is the certificate cut down to one user ID and one encryption subkey
// with their newest self-signatures, as Autocrypt wants it for a mail header
// (Autocrypt Level 1, section 2.1.1). It is nil for a certificate that cannot be
// encrypted to.
func (c *Certificate) Minimal() []byte {
	now := c.latest()
	key, fault := c.encryptionKey(now)
	if fault != nil {
		return nil
	}
	small := &Certificate{primaryRaw: c.primaryRaw}
	if d := newest(c.direct, now); d != nil && c.primary.Version >= 6 {
		small.direct = []*binding{d}
	}
	if u := c.primaryUser(now); u != nil {
		small.users = []*userID{{raw: u.raw, self: []*binding{newest(u.self, now)}}}
	}
	for _, s := range c.subkeys {
		if s.key == key {
			small.subkeys = []*subkey{{raw: s.raw, self: []*binding{newest(s.self, now)}}}
		}
	}
	return small.serialize()
}

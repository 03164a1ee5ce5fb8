package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Merge adds to old what fresh says about the same key: revocations, longer or
// shorter lifetimes, user IDs, signing subkeys, certifications by others. The
// sentences say what changed. An encryption subkey that old does not have is
// reported, not taken, since whoever got hold of the primary key for an hour
// could have added it: a person is asked, and Adopt takes it. See
// NewEncryptionSubkeys.
func Merge(old, fresh *Certificate) (*Certificate, []string, error) {
	return merge(old, fresh, nil)
}

// Adopt is Merge once a person has agreed to these new encryption subkeys.
func Adopt(old, fresh *Certificate, agreed ...Fingerprint) (*Certificate, []string, error) {
	return merge(old, fresh, agreed)
}

// NewEncryptionSubkeys lists the encryption subkeys of fresh that old does not
// have as such.
func NewEncryptionSubkeys(old, fresh *Certificate) []Fingerprint {
	var found []Fingerprint
	for _, s := range fresh.subkeys {
		if s.encrypts() && !old.encryptsWith(s.key) {
			found = append(found, fingerprintOf(s.key.Fingerprint))
		}
	}
	return found
}

func merge(old, fresh *Certificate, agreed []Fingerprint) (*Certificate, []string, error) {
	if old.fingerprint != fresh.fingerprint {
		return nil, nil, errors.New("merge certificates: they are of different keys")
	}
	if old.covers(fresh) {
		return old, nil, nil
	}
	held := map[Fingerprint]bool{}
	for _, f := range NewEncryptionSubkeys(old, fresh) {
		held[f] = !slices.Contains(agreed, f)
	}
	data := old.serialize()
	data = append(data, fresh.serializeWithout(held)...)
	packets, err := joinPackets(data)
	if err != nil {
		return nil, nil, fmt.Errorf("merge certificates: %w", err)
	}
	merged, err := newCertificate(packets)
	if err != nil {
		return nil, nil, fmt.Errorf("merge certificates: %w", err)
	}
	said := changes(old, merged)
	for f, h := range held {
		if h {
			said = append(said, fmt.Sprintf("a new encryption subkey %s is offered and not used until a person agrees", f.Spaced()))
		}
	}
	return merged, said, nil
}

// covers reports whether c holds every packet of fresh: nearly every mail of a
// party brings its key along, and nearly none brings anything new.
func (c *Certificate) covers(fresh *Certificate) bool {
	known, err := joinPackets(c.bytes)
	if err != nil {
		return false
	}
	held := make(map[string]bool, len(known))
	for _, p := range known {
		held[string(p.raw)] = true
	}
	said, err := joinPackets(fresh.bytes)
	return err == nil && !slices.ContainsFunc(said, func(p rawPacket) bool { return !held[string(p.raw)] })
}

// joinPackets lists the packets of two serialisations of one certificate.
func joinPackets(data []byte) ([]rawPacket, error) {
	var out []rawPacket
	for len(data) > 0 {
		p, rest, err := nextPacket(data)
		if err != nil {
			return nil, err
		}
		data = rest
		out = append(out, p)
	}
	return out, nil
}

func (c *Certificate) serializeWithout(held map[Fingerprint]bool) []byte {
	cut := *c
	cut.subkeys = nil
	for _, s := range c.subkeys {
		if !held[fingerprintOf(s.key.Fingerprint)] {
			cut.subkeys = append(cut.subkeys, s)
		}
	}
	return cut.serialize()
}

func (s *subkey) encrypts() bool {
	for _, b := range s.self {
		if forMessages(b.sig) {
			return true
		}
	}
	return false
}

func (c *Certificate) encryptsWith(k *packet.PublicKey) bool {
	for _, s := range c.subkeys {
		if bytes.Equal(s.key.Fingerprint, k.Fingerprint) && s.encrypts() {
			return true
		}
	}
	return false
}

// changes says in words what merged has that old had not.
func changes(old, merged *Certificate) []string {
	var said []string
	if len(merged.revocations) > len(old.revocations) {
		said = append(said, "the key is revoked")
	}
	if a, b := old.Expires(), merged.Expires(); !a.Equal(b) && len(merged.revocations) == len(old.revocations) {
		if b.IsZero() {
			said = append(said, "it does not expire any more")
		} else {
			said = append(said, "it expires on "+b.Format(day))
		}
	}
	had := map[string]bool{}
	for _, id := range old.UserIDs() {
		had[id] = true
	}
	for _, id := range merged.UserIDs() {
		if !had[id] {
			said = append(said, fmt.Sprintf("it has a new user ID %q", id))
		}
	}
	return append(said, subkeyChanges(old, merged)...)
}

func subkeyChanges(old, merged *Certificate) []string {
	had := map[string]int{}
	for _, s := range old.subkeys {
		had[string(s.key.Fingerprint)] = 1 + len(s.revs)
	}
	var said []string
	for _, s := range merged.subkeys {
		name := fingerprintOf(s.key.Fingerprint).Spaced()
		switch n := had[string(s.key.Fingerprint)]; {
		case n == 0 && s.encrypts():
			said = append(said, "it has a new encryption subkey "+name)
		case n == 0:
			said = append(said, "it has a new subkey "+name)
		case len(s.revs) >= n:
			said = append(said, "its subkey "+name+" is revoked")
		}
	}
	return said
}

// CanEncryptWith returns nil if the encryption subkey of that fingerprint may be
// used at that instant, and otherwise an *UnusableError.
func (c *Certificate) CanEncryptWith(f Fingerprint, at time.Time) error {
	if err := c.usable(at); err != nil {
		return err.of(c.fingerprint)
	}
	for _, s := range c.subkeys {
		if fingerprintOf(s.key.Fingerprint) != f {
			continue
		}
		fault := s.fault(at)
		if fault == nil {
			fault = encryptionFault(s.key)
		}
		if fault == nil && !forMessages(newest(s.self, at).sig) {
			fault = unusable(WhyNoSubkey, "it does not encrypt mail")
		}
		if fault == nil {
			return nil
		}
		return fault.of(f)
	}
	return unusable(WhyNoSubkey, "it has no such subkey").of(c.fingerprint)
}

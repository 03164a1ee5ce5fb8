package keyring

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// builder reads the packets of one certificate.
type builder struct {
	cert   *Certificate
	user   *userID
	sub    *subkey
	skip   bool // signatures belong to a component that was left out
	checks int
	others int
	seen   map[[32]byte]bool
}

func newCertificate(packets []rawPacket) (*Certificate, error) {
	b := &builder{seen: map[[32]byte]bool{}}
	if err := b.start(packets[0]); err != nil {
		return nil, err
	}
	for _, p := range packets[1:] {
		if len(p.body) > maxPacket {
			b.skip = b.skip || p.tag != tagSignature
			continue
		}
		b.add(p)
	}
	return b.finish()
}

func (b *builder) start(p rawPacket) error {
	k, err := parseKey(p)
	if err != nil {
		return err
	}
	b.cert = &Certificate{
		primary:     k,
		primaryRaw:  appendPacket(nil, tagPublicKey, p.body),
		fingerprint: fingerprintOf(k.Fingerprint),
	}
	if f := algorithmFault(k); f != nil {
		b.cert.barred = f.of(b.cert.fingerprint)
	}
	return nil
}

func parseKey(p rawPacket) (*packet.PublicKey, error) {
	if err := checkKeySize(p.body); err != nil {
		return nil, err
	}
	parsed, err := p.parse()
	if err != nil {
		return nil, fmt.Errorf("read key packet: %w", err)
	}
	k, ok := parsed.(*packet.PublicKey)
	if !ok {
		return nil, errPackets
	}
	return k, nil
}

func (b *builder) add(p rawPacket) {
	switch p.tag {
	case tagPublicKey: // the primary key again: Merge joins two serialisations
		b.user, b.sub, b.skip = nil, nil, false
	case tagUserID:
		b.user, b.sub, b.skip = b.addUser(p), nil, false
	case tagPublicSubkey:
		b.user, b.sub = nil, b.addSubkey(p)
		b.skip = b.sub == nil
	case tagUserAttribute:
		b.user, b.sub, b.skip = nil, nil, true
	case tagSignature:
		b.addSignature(p)
	}
}

func (b *builder) addUser(p rawPacket) *userID {
	for _, u := range b.cert.users {
		if u.id == string(p.body) {
			return u
		}
	}
	u := &userID{id: string(p.body), raw: appendPacket(nil, tagUserID, p.body)}
	b.cert.users = append(b.cert.users, u)
	return u
}

func (b *builder) addSubkey(p rawPacket) *subkey {
	k, err := parseKey(p)
	if err != nil {
		return nil
	}
	for _, s := range b.cert.subkeys {
		if bytes.Equal(s.key.Fingerprint, k.Fingerprint) {
			return s
		}
	}
	s := &subkey{key: k, raw: appendPacket(nil, tagPublicSubkey, p.body)}
	b.cert.subkeys = append(b.cert.subkeys, s)
	return s
}

func (b *builder) addSignature(p rawPacket) {
	raw := appendPacket(nil, tagSignature, p.body)
	sum := sha256.Sum256(raw)
	if b.skip || b.seen[sum] {
		return
	}
	b.seen[sum] = true
	if len(p.body) > 4 && weakHashID(p.body[3]) {
		b.cert.weak = true
	}
	parsed, err := p.parse()
	sig, ok := parsed.(*packet.Signature)
	if err != nil || !ok {
		return
	}
	b.place(&binding{raw: raw, sig: sig, weak: !strongHash(sig.Hash)})
}

// place verifies a signature and puts it where it belongs. RFC 9580, section 10.1.
func (b *builder) place(s *binding) {
	own := s.sig.CheckKeyIdOrFingerprint(b.cert.primary)
	switch {
	case b.sub != nil:
		b.placeOnSubkey(s)
	case b.user != nil && own:
		b.placeOnUser(s)
	case b.user != nil && b.others < maxOthers && !s.weak:
		b.others++
		b.user.others = append(b.user.others, s)
	case b.user == nil && own:
		b.placeOnPrimary(s)
	}
}

func (b *builder) placeOnPrimary(s *binding) {
	switch s.sig.SigType {
	case packet.SigTypeKeyRevocation:
		if b.check(func() error { return b.cert.primary.VerifyRevocationSignature(s.sig) }) {
			b.cert.revocations = append(b.cert.revocations, s)
		}
	case packet.SigTypeDirectSignature:
		if b.check(func() error { return b.cert.primary.VerifyDirectKeySignature(s.sig) }) {
			b.cert.direct = append(b.cert.direct, s)
		}
	}
}

func (b *builder) placeOnUser(s *binding) {
	if !isCertification(s.sig.SigType) && s.sig.SigType != packet.SigTypeCertificationRevocation {
		return
	}
	if !b.check(func() error { return b.cert.primary.VerifyUserIdSignature(b.user.id, b.cert.primary, s.sig) }) {
		return
	}
	if s.sig.SigType == packet.SigTypeCertificationRevocation {
		b.user.revs = append(b.user.revs, s)
	} else {
		b.user.self = append(b.user.self, s)
	}
}

func (b *builder) placeOnSubkey(s *binding) {
	switch s.sig.SigType {
	case packet.SigTypeSubkeyBinding:
		// The library verifies the signing subkey's own signature over the
		// primary key too; its hash has to count as well.
		if e := s.sig.EmbeddedSignature; e != nil && !strongHash(e.Hash) {
			s.weak = true
		}
		// A kind of key that is not used is not computed with either.
		if algorithmFault(b.sub.key) != nil || b.check(func() error { return b.cert.primary.VerifyKeySignature(b.sub.key, s.sig) }) {
			b.sub.self = append(b.sub.self, s)
		}
	case packet.SigTypeSubkeyRevocation:
		if b.check(func() error { return b.cert.primary.VerifySubkeyRevocationSignature(s.sig, b.sub.key) }) {
			b.sub.revs = append(b.sub.revs, s)
		}
	}
}

// check runs one verification within the budget. Keys of a kind that is not
// used are never computed with: their statements are taken as they stand, which
// harms nobody since the certificate as a whole is not used.
func (b *builder) check(verify func() error) bool {
	if b.cert.barred != nil {
		return true
	}
	b.checks++
	return b.checks <= maxChecks && verify() == nil
}

func isCertification(t packet.SignatureType) bool {
	return t >= packet.SigTypeGenericCert && t <= packet.SigTypePositiveCert
}

func (b *builder) finish() (*Certificate, error) {
	c := b.cert
	c.users = slices.DeleteFunc(c.users, func(u *userID) bool { return len(u.self) == 0 })
	c.subkeys = slices.DeleteFunc(c.subkeys, func(s *subkey) bool { return len(s.self) == 0 && len(s.revs) == 0 })
	newestFirst(c.direct)
	for _, u := range c.users {
		newestFirst(u.self)
	}
	for _, s := range c.subkeys {
		newestFirst(s.self)
	}
	c.bytes = c.serialize()
	return c, nil
}

func newestFirst(list []*binding) {
	slices.SortStableFunc(list, func(a, b *binding) int { return b.sig.CreationTime.Compare(a.sig.CreationTime) })
}

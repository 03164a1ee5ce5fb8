package keyring

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Extend signs everything that holds our certificate together anew, so that it
// ends at that instant, sooner or later than it said; zero is never. What it said
// before stays in it. Only version 4 keys can be extended.
func (s *Secret) Extend(end, at time.Time) (*Secret, error) {
	c := s.cert
	if c.primary.Version != 4 {
		return nil, fmt.Errorf("extend key: version %d is not extended", c.primary.Version)
	}
	if !end.IsZero() && !end.After(at) {
		return nil, fmt.Errorf("extend key: %s has passed", end.UTC().Format(day))
	}
	// Of two statements of one second nobody could say which is the newer, and a
	// signature's date has no parts of one (RFC 9580 section 3.5).
	at = at.Truncate(time.Second)
	if last := c.latest(); !at.After(last) {
		at = last.Add(time.Second)
	}
	x := extension{s, end, at}
	longer := *c
	longer.users, longer.subkeys = nil, nil
	for _, u := range c.users {
		fresh, err := x.user(u)
		if err != nil {
			return nil, fmt.Errorf("extend key: %w", err)
		}
		longer.users = append(longer.users, fresh)
	}
	for _, k := range c.subkeys {
		fresh, err := x.subkey(k)
		if err != nil {
			return nil, fmt.Errorf("extend key: %w", err)
		}
		longer.subkeys = append(longer.subkeys, fresh)
	}
	fresh, err := longer.again()
	if err != nil {
		return nil, fmt.Errorf("extend key: %w", err)
	}
	return s.With(fresh)
}

// extension is one renewal of all that holds a certificate together.
type extension struct {
	*Secret
	end, at time.Time
}

func (x extension) user(u *userID) (*userID, error) {
	old, primary := newest(u.self, x.at), x.cert.primary
	if old == nil || u.revoked(x.at) {
		return u, nil
	}
	raw, err := x.anew(old, primary, func(sig *packet.Signature) error {
		return sig.SignUserId(u.id, primary, x.primaryKey(), signing(x.at))
	})
	fresh := *u
	fresh.self = append(slices.Clone(u.self), raw)
	return &fresh, err
}

// subkey renews the binding of a subkey. That of one which signs keeps its own
// signature over the primary key, which says nothing of an end.
func (x extension) subkey(k *subkey) (*subkey, error) {
	old := newest(k.self, x.at)
	if old == nil || len(k.revs) > 0 {
		return k, nil
	}
	raw, err := x.anew(old, k.key, func(sig *packet.Signature) error {
		return sig.SignKey(k.key, x.primaryKey(), signing(x.at))
	})
	fresh := *k
	fresh.self = append(slices.Clone(k.self), raw)
	return &fresh, err
}

// anew makes a self-signature again with the new end of its key.
func (x extension) anew(old *binding, key *packet.PublicKey, sign func(*packet.Signature) error) (*binding, error) {
	n, err := lifetime(key.CreationTime, x.end)
	if err != nil {
		return nil, err
	}
	sig := *old.sig
	sig.CreationTime, sig.KeyLifetimeSecs, sig.Hash = x.at, &n, crypto.SHA512
	if err := sign(&sig); err != nil {
		return nil, err
	}
	raw, err := packetOf(&sig)
	return &binding{raw: raw}, err
}

// With is the same secret key under another state of its certificate: with
// certifications, or an end, that it did not have. The certificate must be of
// the same key, with all its subkeys.
func (s *Secret) With(c *Certificate) (*Secret, error) {
	halves := map[string]rawPacket{}
	own, err := joinPackets(s.data)
	if err != nil {
		return nil, fmt.Errorf("renew secret key: %w", err)
	}
	for _, p := range own {
		if p.tag == tagSecretKey || p.tag == tagSecretSubkey {
			public, err := (&Secret{keys: map[uint64]*packet.PrivateKey{}}).take(p)
			if err != nil {
				return nil, fmt.Errorf("renew secret key: %w", err)
			}
			halves[string(public.body)] = p
		}
	}
	packets, err := joinPackets(c.bytes)
	if err != nil {
		return nil, fmt.Errorf("renew secret key: %w", err)
	}
	var data []byte
	for _, p := range packets {
		if secret, ok := halves[string(p.body)]; ok && (p.tag == tagPublicKey || p.tag == tagPublicSubkey) {
			delete(halves, string(p.body))
			p = secret
		}
		data = append(data, p.raw...)
	}
	if len(halves) > 0 {
		return nil, errors.New("renew secret key: the certificate lacks a part of it")
	}
	return ParseSecret(data)
}

// CanSign returns nil if signatures can be made with the key at that instant,
// and otherwise an *UnusableError whose text tells a person why.
func (s *Secret) CanSign(at time.Time) error {
	_, err := s.signingKey(at)
	return err
}

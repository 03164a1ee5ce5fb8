package keyring

import (
	"net/mail"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Certificate is a public certificate: a primary key with what it has signed
// about itself. Only components with a good self-signature are kept, in the
// order in which they came. A Certificate never changes.
type Certificate struct {
	primary     *packet.PublicKey
	primaryRaw  []byte
	fingerprint Fingerprint
	barred      *UnusableError // the primary key's kind is not used, whatever the time
	direct      []*binding     // direct-key self-signatures, newest first
	revocations []*binding
	users       []*userID
	subkeys     []*subkey
	weak        bool // a self-signature with a hash that does not count was seen
	bytes       []byte
}

// binding is a self-signature or a revocation that has been verified, or a
// certification by somebody else that has not.
type binding struct {
	raw  []byte // the whole packet
	sig  *packet.Signature
	weak bool                         // made with SHA-1
	by   atomic.Pointer[verification] // of a certification: what was found last
}

// verification says whether a certification is really that key's. It never
// changes, so that it is worked out once for a certificate that is asked often.
type verification struct {
	key  Fingerprint
	good bool
}

type userID struct {
	id     string
	raw    []byte
	self   []*binding // newest first
	revs   []*binding
	others []*binding // certifications and their revocations by other keys, not verified
}

type subkey struct {
	key  *packet.PublicKey
	raw  []byte
	self []*binding // newest first
	revs []*binding
}

// Fingerprint of the primary key, by which the certificate is pinned.
func (c *Certificate) Fingerprint() Fingerprint { return c.fingerprint }

// KeyIDs lists the key IDs of the primary key and the subkeys, which is what
// signatures and encrypted messages name. They are hints, not names: two keys
// may share one.
func (c *Certificate) KeyIDs() []uint64 {
	ids := []uint64{c.primary.KeyId}
	for _, s := range c.subkeys {
		ids = append(ids, s.key.KeyId)
	}
	return ids
}

// SignerIDs lists the key IDs of the components that may have made signatures. Unlike
// KeyIDs it names no component of somebody else: a signing subkey has signed that it
// belongs to the primary key (RFC 9580, section 5.2.1.8).
func (c *Certificate) SignerIDs() []uint64 {
	ids := []uint64{c.primary.KeyId}
	if c.barred != nil { // its statements were not verified
		return ids
	}
	for _, s := range c.subkeys {
		if algorithmFault(s.key) == nil && slices.ContainsFunc(s.self, func(b *binding) bool { return b.sig.FlagSign }) {
			ids = append(ids, s.key.KeyId)
		}
	}
	return ids
}

// UserIDs lists the user IDs that the key itself has signed, with a hash that
// counts if there are any such.
func (c *Certificate) UserIDs() []string {
	var strong, all []string
	for _, u := range c.users {
		if len(u.self) == 0 {
			continue
		}
		all = append(all, u.id)
		if anyStrong(u.self) {
			strong = append(strong, u.id)
		}
	}
	if strong != nil {
		return strong
	}
	return all
}

// Addresses lists the mail addresses in UserIDs, in lower case, each once.
func (c *Certificate) Addresses() []string {
	var found []string
	seen := map[string]bool{}
	for _, id := range c.UserIDs() {
		if a := addressIn(id); a != "" && !seen[a] {
			seen[a] = true
			found = append(found, a)
		}
	}
	return found
}

// Bytes is the certificate in binary form. The caller must not change it.
func (c *Certificate) Bytes() []byte { return c.bytes }

// Armor is the certificate in ASCII armor, without version and comment lines.
func (c *Certificate) Armor() ([]byte, error) { return EncodeArmor(ArmorPublicKey, c.bytes) }

func anyStrong(list []*binding) bool {
	for _, b := range list {
		if !b.weak {
			return true
		}
	}
	return false
}

// addressIn finds the mail address in a user ID, which by convention is
// "Name (comment) <address>" or the bare address. RFC 9580, section 5.11.
func addressIn(id string) string {
	a := strings.TrimSpace(id)
	if strings.HasSuffix(a, ">") {
		a = a[strings.LastIndexByte(a, '<')+1 : len(a)-1]
	}
	p, err := mail.ParseAddress(a)
	if err != nil || p.Name != "" || strings.ContainsAny(a, "<> \t\r\n\"") {
		return ""
	}
	return FoldAddress(p.Address)
}

// serialize writes the kept components, in order, with or without what others
// have certified.
func (c *Certificate) serialize() []byte {
	out := append([]byte(nil), c.primaryRaw...)
	out = appendRaw(out, c.revocations, c.direct)
	for _, u := range c.users {
		out = append(out, u.raw...)
		out = appendRaw(out, u.self, u.revs, u.others)
	}
	for _, s := range c.subkeys {
		out = append(out, s.raw...)
		out = appendRaw(out, s.self, s.revs)
	}
	return out
}

func appendRaw(out []byte, lists ...[]*binding) []byte {
	for _, list := range lists {
		for _, b := range list {
			out = append(out, b.raw...)
		}
	}
	return out
}

// KeyFingerprints lists the fingerprints of the primary key and the subkeys.
func (c *Certificate) KeyFingerprints() []Fingerprint {
	all := []Fingerprint{c.fingerprint}
	for _, s := range c.subkeys {
		all = append(all, fingerprintOf(s.key.Fingerprint))
	}
	return all
}

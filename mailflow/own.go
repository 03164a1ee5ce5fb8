package mailflow

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"parley/keyring"
	"parley/mailflow/store"
)

// OwnState says what one of our own keys does.
type OwnState string

// States of our own keys. A key goes through them in this order, and never
// back.
const (
	OwnNext    OwnState = "next"    // decrypts, is announced, does not sign yet
	OwnSigning OwnState = "signing" // exactly one: signs and decrypts
	OwnOld     OwnState = "old"     // decrypts only
	OwnRetired OwnState = "retired" // its secret is destroyed; the certificate is kept
)

// OwnKey is one of our own keys.
type OwnKey struct {
	Number      uint64 // in the order in which they were made, from 1
	State       OwnState
	Certificate *keyring.Certificate
	Secret      *keyring.Secret // nil once it is retired
	Since       time.Time       // when it came into this state; zero for one from before states were kept
	Signs       time.Time       // when it begins, or began, to sign; zero likewise
	Until       time.Time       // when it leaves this state, where that is known
}

// Fingerprint of the key's certificate.
func (k OwnKey) Fingerprint() keyring.Fingerprint { return k.Certificate.Fingerprint() }

// ownSet is all our keys at one instant: the one that signs, the next one, then
// those that signed before, the newest first. It never changes.
type ownSet struct {
	keys    []OwnKey
	secrets []*keyring.Secret // all that decrypt
}

// ownOrder puts what is in use first.
var ownOrder = []OwnState{OwnSigning, OwnNext, OwnOld, OwnRetired}

func newOwnSet(keys []OwnKey) *ownSet {
	slices.SortFunc(keys, func(a, b OwnKey) int {
		return cmp.Or(cmp.Compare(slices.Index(ownOrder, a.State), slices.Index(ownOrder, b.State)), cmp.Compare(b.Number, a.Number))
	})
	s := &ownSet{keys: keys}
	for i, k := range keys {
		if k.Secret != nil {
			s.secrets = append(s.secrets, k.Secret)
		}
		if k.State == OwnNext {
			keys[0].Until, keys[i].Until = k.Signs, k.Signs
		}
	}
	return s
}

func (s *ownSet) signing() OwnKey { return s.keys[0] }

// next is the key that is announced, if one is.
func (s *ownSet) next() (OwnKey, bool) {
	if len(s.keys) > 1 && s.keys[1].State == OwnNext {
		return s.keys[1], true
	}
	return OwnKey{}, false
}

// before is the key that signed before the one that signs now.
func (s *ownSet) before() (OwnKey, bool) {
	var last OwnKey
	for _, k := range s.keys[1:] {
		if k.State != OwnNext && k.Number > last.Number {
			last = k
		}
	}
	return last, last.Number > 0
}

// published are the certificates that every mail of ours brings along: of the
// key that signs and, once one is announced, of the next.
func (s *ownSet) published() []*keyring.Certificate {
	out := []*keyring.Certificate{s.signing().Certificate}
	if next, ok := s.next(); ok {
		out = append(out, next.Certificate)
	}
	return out
}

// mark names what a mail that leaves now is signed with and brings along.
func (s *ownSet) mark() []string {
	var out []string
	for _, c := range s.published() {
		out = append(out, string(c.Fingerprint()))
	}
	return out
}

// named is the key of ours that a text names last, where it says who writes.
func (s *ownSet) named(text string) keyring.Fingerprint {
	last, at := keyring.Fingerprint(""), -1
	for _, k := range s.keys {
		if i := strings.LastIndex(text, k.Fingerprint().Spaced()); i > at {
			last, at = k.Fingerprint(), i
		}
	}
	return last
}

// sign is the text of a letter with the fingerprint of the key that signs it,
// where another key signed when it was written.
func (s *ownSet) sign(l *Letter) string {
	was, now := l.OurKey.Spaced(), s.signing().Fingerprint().Spaced()
	i := strings.LastIndex(l.Text, was)
	if was == "" || was == now || i < 0 {
		return l.Text
	}
	return l.Text[:i] + now + l.Text[i+len(was):]
}

// find gives the key with a fingerprint.
func (s *ownSet) find(f keyring.Fingerprint) (OwnKey, bool) {
	i := slices.IndexFunc(s.keys, func(k OwnKey) bool { return k.Fingerprint() == f })
	if i < 0 {
		return OwnKey{}, false
	}
	return s.keys[i], true
}

// cannotSign says why nothing can be signed at an instant, or "".
func (s *ownSet) cannotSign(at time.Time) string {
	if err := s.signing().Secret.CanSign(at); err != nil {
		return ownKeyWhy + err.Error()
	}
	return ""
}

// ownKeyWhy begins every reason to hold a notice that our own key is.
const ownKeyWhy = "our own signing "

// OwnKeys are our own keys as they stand. It is safe for concurrent use: what
// signs, decrypts or writes takes one state of them and stays with it, while a
// rotation puts another one in its place. The store is where they live.
type OwnKeys struct {
	now      atomic.Pointer[ownSet]
	changing sync.Mutex // held while they change, in the store and then here
}

// NewOwnKeys are keys that are in no store: the first signs, the others are old.
func NewOwnKeys(secrets ...*keyring.Secret) *OwnKeys {
	var keys []OwnKey
	for i, s := range secrets {
		k := OwnKey{Number: uint64(len(secrets) - i), State: OwnOld, Secret: s, Certificate: s.Certificate()}
		if i == 0 {
			k.State = OwnSigning
		}
		keys = append(keys, k)
	}
	o := &OwnKeys{}
	o.now.Store(newOwnSet(keys))
	return o
}

// Signing is the key that signs now.
func (o *OwnKeys) Signing() *keyring.Secret { return o.now.Load().signing().Secret }

// Secrets are all keys that decrypt, the signing one first. The caller must not
// change the list.
func (o *OwnKeys) Secrets() []*keyring.Secret { return o.now.Load().secrets }

// All lists our keys: the signing one, the next, the old and the retired ones.
func (o *OwnKeys) All() []OwnKey { return slices.Clone(o.now.Load().keys) }

// Export is what others need of our keys, in one block of armor: the
// certificate that signs first, then the next one, then the old ones, with
// which earlier mails were signed.
func (o *OwnKeys) Export() ([]byte, error) {
	var certs []*keyring.Certificate
	for _, k := range o.now.Load().keys {
		if k.State != OwnRetired {
			certs = append(certs, k.Certificate)
		}
	}
	return keyring.ArmorCertificates(certs...)
}

// change runs one change of our keys: first in the store, then for everybody
// who signs or decrypts from now on.
func (o *OwnKeys) change(st *store.Store, fn func(*store.Tx) error) error {
	if err := st.Update(fn); err != nil {
		return err
	}
	return o.load(st)
}

// load takes the state that the store has.
func (o *OwnKeys) load(st *store.Store) error {
	var set *ownSet
	err := st.View(func(tx *store.Tx) (err error) {
		set, err = readOwnKeys(tx)
		return err
	})
	if err == nil {
		o.now.Store(set)
	}
	return err
}

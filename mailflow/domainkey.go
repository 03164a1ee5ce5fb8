package mailflow

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/dkim"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// DomainKeyState says what one of the keys does that sign for our domain (DKIM).
type DomainKeyState string

// States of such a key. It goes through them in this order, and never back.
const (
	DomainKeyNext    DomainKeyState = "next"    // made; signs once its record is seen in DNS
	DomainKeySigning DomainKeyState = "signing" // one of each algorithm at most
	DomainKeyOld     DomainKeyState = "old"     // its secret is gone; its record is still asked for
)

// DomainKey is a key that signs for our domain. It is no OpenPGP key, and nothing
// of a case is protected by it: it lets mail servers see that a mail is not forged.
type DomainKey struct {
	Number    uint64
	Selector  string
	Algorithm dkim.Algorithm
	State     DomainKeyState
	Record    string    // what is published under dkim.Name of the selector
	Since     time.Time // when it came into this state
	key       *dkim.Key // nil of an old one
}

// domainKeyRow is a key in the store. The secret goes when another takes over:
// what was signed is kept as it leaves, and needs it no more.
type domainKeyRow struct {
	Selector string
	State    DomainKeyState
	Record   string
	Secret   []byte
	Since    time.Time
}

var domainKeys = store.Versioned[domainKeyRow]("domain-keys")

// DomainKeys are the keys that sign for our domain, as they stand. It is safe for
// concurrent use.
type DomainKeys struct {
	now      atomic.Pointer[[]DomainKey]
	changing sync.Mutex
}

// OpenDomainKeys reads them; there may be none, and then mails leave without a
// signature of ours, for the smarthost to sign.
func OpenDomainKeys(st *store.Store) (*DomainKeys, error) {
	d := &DomainKeys{}
	return d, d.load(st)
}

func (d *DomainKeys) load(st *store.Store) error {
	var all []DomainKey
	err := st.View(func(tx *store.Tx) (err error) {
		all, err = readDomainKeys(tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("read our DKIM keys: %w", err)
	}
	d.now.Store(&all)
	return nil
}

func readDomainKeys(tx *store.Tx) ([]DomainKey, error) {
	var all []DomainKey
	for r, err := range domainKeys.All(tx, nil) {
		if err != nil {
			return nil, err
		}
		k, err := readDomainKey(numberOf(r.Key), r.Value)
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	order := []DomainKeyState{DomainKeySigning, DomainKeyNext, DomainKeyOld}
	slices.SortFunc(all, func(a, b DomainKey) int { // RSA first, which everybody knows
		return cmp.Or(cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State)), cmp.Compare(b.Algorithm, a.Algorithm), cmp.Compare(b.Number, a.Number))
	})
	return all, nil
}

func readDomainKey(number uint64, r domainKeyRow) (DomainKey, error) {
	k := DomainKey{Number: number, Selector: r.Selector, State: r.State, Record: r.Record, Since: r.Since, Algorithm: dkim.RSA2048}
	if strings.Contains(r.Record, "k=ed25519") {
		k.Algorithm = dkim.Ed25519
	}
	var err error
	if r.State != DomainKeyOld {
		k.key, err = dkim.Parse(r.Selector, r.Secret)
	}
	return k, err
}

// All lists them: those that sign, the next ones, the old ones.
func (d *DomainKeys) All() []DomainKey {
	if d == nil {
		return nil
	}
	return slices.Clone(*d.now.Load())
}

// signing are the keys that sign now.
func (d *DomainKeys) signing() []*dkim.Key {
	var out []*dkim.Key
	for _, k := range d.All() {
		if k.State == DomainKeySigning {
			out = append(out, k.key)
		}
	}
	return out
}

// sealSigned seals a mail as it leaves, and gives the fields that sign it for our
// domain and stand in front of it. Encrypted or in clear, all are signed alike. A
// mail that cannot be signed does not leave: under p=reject nobody would take it.
func (o *Outbox) sealSigned(r io.Reader) (d *store.Draft, head string, err error) {
	s, err := dkim.NewSigning(o.Domain, o.DomainKeys.signing())
	if err != nil {
		return nil, "", err
	}
	defer s.Abort()
	if d, err = o.Store.Seal(io.TeeReader(r, s)); err != nil {
		return nil, "", err
	}
	if head, err = s.Fields(); err != nil {
		d.Drop()
		return nil, "", err
	}
	return d, head, nil
}

// afterTransit is how long after the last attempt somebody may still verify a
// mail: RFC 5321 section 4.5.4.1 lets a server on the way keep one for five days.
const afterTransit = 7 * cvd.Day

// NeededBy says until when the record of an old key must stay published for mails
// that are on their way, as far as that is known, and how many mails of ours that
// it signed have not left yet: while there are any, nobody knows.
func (b *Base) NeededBy(tx *store.Tx, k DomainKey) (until time.Time, waiting int, err error) {
	until = k.Since.Add(afterTransit)
	all, err := b.Queue.All(tx)
	for _, it := range all {
		if !strings.Contains(it.Head, " s="+k.Selector+";") {
			continue
		}
		switch it.State {
		case queue.Waiting, queue.Sending, queue.Unknown:
			waiting++
		}
		if last := it.Last.Add(afterTransit); last.After(until) {
			until = last
		}
	}
	return until, waiting, err
}

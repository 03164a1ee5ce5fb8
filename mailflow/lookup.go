package mailflow

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"parley/keyring/discover"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// lookup is a standing order to look for keys of a party: in the Web Key
// Directory of one of its addresses, or in a security.txt that a coordinator
// named. It is written where an address comes up, and carried out after the
// commit, in nobody's way.
type lookup struct {
	ID      uint64
	Party   cvd.PartyID
	Address string // in whose directory; empty for a URL
	URL     string // of a security.txt
	Due     time.Time
	Tries   int            // since it last found something, those cut off included
	Last    time.Time      // when it last ended; zero: not yet
	Missed  discover.Fault // why it found nothing then
	Said    []string       // what is to be said about keys that were left out
}

// lookupDue points from the instant in its key to an order.
type lookupDue struct{ Order []byte }

var (
	lookups    = store.Versioned[lookup]("lookups")
	lookupRows = store.WriteOnce[lookupDue]("lookupdue")
)

func (l lookup) key(tx *store.Tx) []byte {
	return tx.Name("lookup", string(l.Party), strings.ToLower(l.Address), l.URL)
}

// domain is whose server it asks; no two orders ask one at a time.
func (l lookup) domain() string {
	if u, err := url.Parse(l.URL); l.URL != "" && err == nil {
		return strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
	}
	return discover.Domain(l.Address)
}

// where says for people what it asks.
func (l lookup) where() string {
	if l.URL != "" {
		return "security.txt at " + l.URL
	}
	return "WKD for " + l.Address
}

// seek orders a look-up at once, also where one was made before.
func seek(tx *store.Tx, l lookup) error {
	old, err := lookups.Get(tx, l.key(tx))
	switch {
	case err == nil:
		l = old
	case !errors.Is(err, store.ErrNotFound):
		return err
	default:
		if l.ID, err = tx.Next("lookup"); err != nil {
			return err
		}
	}
	l.Tries = 0
	tx.Changed(store.Change{Topic: "lookup"})
	return l.put(tx, tx.Now)
}

// put writes an order that falls due at that instant.
func (l lookup) put(tx *store.Tx, due time.Time) error {
	if err := l.unplan(tx); err != nil {
		return err
	}
	l.Due = due
	if err := lookupRows.Put(tx, DeskScope, dueKey(l.Due, l.ID), lookupDue{l.key(tx)}); err != nil {
		return err
	}
	return lookups.Put(tx, DeskScope, l.key(tx), l)
}

func (l lookup) unplan(tx *store.Tx) error {
	if l.Due.IsZero() {
		return nil
	}
	return lookupRows.Delete(tx, dueKey(l.Due, l.ID))
}

// drop forgets an order.
func (l lookup) drop(tx *store.Tx) error {
	if err := l.unplan(tx); err != nil {
		return err
	}
	return lookups.Delete(tx, l.key(tx))
}

// seekParty orders look-ups for the addresses of a party: for all of them, or
// for those that were never looked for. It gives how many there are.
func (b *Base) seekParty(tx *store.Tx, p cvd.Party, again bool) (int, error) {
	n := 0
	for _, addr := range p.Addresses() {
		l := lookup{Party: p.ID, Address: addr}
		if b.ours(addr) || discover.Domain(addr) == "" || !again && lookups.Has(tx, l.key(tx)) {
			continue
		}
		n++
		if err := seek(tx, l); err != nil {
			return n, err
		}
	}
	return n, nil
}

// ours says whether an address is one of ours: nobody asks us for its key.
func (b *Base) ours(addr string) bool {
	return inDomain(addr, b.Domain) || inDomain(addr, b.DeskDomain)
}

// lookupLines says for each look-up about a party's keys how it ended last.
func (b *Base) lookupLines(tx *store.Tx, party cvd.PartyID) ([]string, error) {
	all, err := collect(lookups.All(tx, tx.Name("lookup", string(party))), func(x, y lookup) int { return strings.Compare(x.where(), y.where()) })
	if err != nil {
		return nil, err
	}
	var out []string
	for _, l := range all {
		out = append(out, fmt.Sprintf("%s: %s", l.where(), l.outcome(b.Discovery)))
	}
	return out, nil
}

func (l lookup) outcome(on bool) string {
	switch {
	case l.Last.IsZero() && !on:
		return "not looked for; discovery is off in the configuration"
	case l.Last.IsZero():
		return "being looked for"
	case l.Missed == "":
		return strings.Join(append([]string{"found on " + day(l.Last)}, l.Said...), "; ")
	}
	return strings.Join(append([]string{"nothing found on " + day(l.Last) + ": " + l.Missed.Sentence()}, l.Said...), "; ")
}

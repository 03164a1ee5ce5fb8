package mailflow

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"parley/keyring"
	"parley/keyring/discover"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

const (
	// lookupLease is when a look-up that was cut off is made again: longer than
	// any takes.
	lookupLease = 5 * time.Minute
	// lookupRefresh is how often a known address is looked for again.
	lookupRefresh = 7 * cvd.Day
	// lookupBatch is how many are read at once, and lookupParallel how many ask
	// at once, each another domain.
	lookupBatch    = 64
	lookupParallel = 4
)

// lookupRetry is how long after a miss it is tried again; then it is as if it
// had been found.
var lookupRetry = []time.Duration{time.Hour, 6 * time.Hour, cvd.Day}

// Lookups looks for keys where their owners publish them.
type Lookups struct {
	*Base
	Client *discover.Client
}

// Run looks for keys until ctx ends.
func (l *Lookups) Run(ctx context.Context) error {
	changes := l.Store.Subscribe("lookup")
	defer changes.Close()
	for {
		next, err := l.RunDue(ctx, l.clock())
		if err != nil && ctx.Err() == nil {
			l.Log.Error("look for keys", "err", err)
		}
		if l.Clock.wait(ctx, changes, next) != nil {
			return nil
		}
	}
}

// RunDue makes the look-ups that are due at now, and returns when the next one
// is (zero: when something changes). The cost grows with what is due.
func (l *Lookups) RunDue(ctx context.Context, now time.Time) (time.Time, error) {
	failed := map[uint64]bool{}
	var errs []error
	for ctx.Err() == nil {
		batch, next, err := l.due(now, failed)
		if err != nil || len(batch) == 0 {
			if soon := now.Add(time.Minute); len(failed) > 0 && (next.IsZero() || soon.Before(next)) {
				next = soon
			}
			return next, errors.Join(append(errs, err)...)
		}
		for id, err := range l.runAll(ctx, batch, now) {
			failed[id] = true
			errs = append(errs, err)
		}
	}
	return time.Time{}, ctx.Err()
}

// due reads the next orders that are due, and the instant of the first that is
// not.
func (l *Lookups) due(now time.Time, skip map[uint64]bool) (batch []lookup, next time.Time, err error) {
	err = l.Store.View(func(tx *store.Tx) error {
		for r, err := range lookupRows.Due(tx, now, &next) {
			if err != nil {
				return err
			}
			order, err := lookups.Get(tx, r.Value.Order)
			if err != nil {
				return err
			}
			if skip[order.ID] {
				continue
			}
			if batch = append(batch, order); len(batch) == lookupBatch {
				return nil
			}
		}
		return nil
	})
	return batch, next, err
}

// runAll makes a batch of look-ups, those of one domain one after the other. It
// gives the errors by order.
func (l *Lookups) runAll(ctx context.Context, batch []lookup, now time.Time) map[uint64]error {
	lanes := map[string][]lookup{}
	for _, o := range batch {
		lanes[o.domain()] = append(lanes[o.domain()], o)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	failed, room := map[uint64]error{}, make(chan struct{}, lookupParallel)
	for _, lane := range lanes {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			for _, o := range lane {
				if err := guarded(func() error { return l.run(ctx, o, now) }); err != nil {
					mu.Lock()
					failed[o.ID] = err
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return failed
}

// run makes one look-up: its next try is written before anybody is asked, and
// what was found is committed at once or, after a kill, looked for again.
func (l *Lookups) run(ctx context.Context, o lookup, now time.Time) error {
	about, err := l.begin(o, now)
	if err != nil || about == nil {
		return err
	}
	var found discover.Finding
	if o.URL != "" {
		found, err = l.Client.SecurityTxt(ctx, o.URL, about.addresses, about.known, now)
	} else {
		found, err = l.Client.WKD(ctx, o.Address, now)
	}
	var missed discover.Fault
	if err != nil && !errors.As(err, &missed) {
		return nil // we stop; the order stands
	}
	l.Log.Debug("looked for keys", "lookup", o.ID, "keys", len(found.Keys), "missed", string(missed))
	return l.end(o, found, missed)
}

// subject is what a look-up needs to know of a party.
type subject struct {
	addresses []string
	known     []*keyring.Certificate
}

// begin takes an order in hand. An order whose address is no longer the
// party's is forgotten, and gives nothing.
func (l *Lookups) begin(o lookup, now time.Time) (about *subject, err error) {
	err = l.Store.Update(func(tx *store.Tx) error {
		about = nil
		row, err := l.still(tx, o)
		if err != nil || row == nil {
			return err
		}
		row.Tries++
		if err := row.put(tx, now.Add(lookupLease)); err != nil {
			return err
		}
		about, err = l.subject(tx, o.Party)
		return err
	})
	return about, err
}

// still reads an order again, and forgets it where the party or its address is
// gone.
func (l *Lookups) still(tx *store.Tx, o lookup) (*lookup, error) {
	row, err := lookups.Get(tx, o.key(tx))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := PartyByID(tx, row.Party)
	if err != nil && !errors.Is(err, ErrNoParty) {
		return nil, err
	}
	gone := !slices.Contains(p.Addresses(), row.Address)
	if row.URL != "" {
		gone = discover.CheckURL(row.URL, p.Addresses()) != nil
	}
	if gone {
		return nil, row.drop(tx)
	}
	return &row, nil
}

func (l *Lookups) subject(tx *store.Tx, party cvd.PartyID) (*subject, error) {
	p, err := PartyByID(tx, party)
	if err != nil {
		return nil, err
	}
	keys, err := ownerKeys(tx, string(party))
	if err != nil {
		return nil, err
	}
	s := &subject{addresses: p.Addresses()}
	for _, k := range keys {
		if k.Trust == keyring.Rejected {
			continue
		}
		c, err := l.Certs.Certificate(k.Cert)
		if err != nil {
			return nil, err
		}
		s.known = append(s.known, c)
	}
	return s, nil
}

// end writes what a look-up brought, in one transaction.
func (l *Lookups) end(o lookup, found discover.Finding, missed discover.Fault) error {
	return l.Store.Update(func(tx *store.Tx) error {
		row, err := l.still(tx, o)
		if err != nil || row == nil {
			return err
		}
		if err := l.took(tx, *row, found, missed); err != nil {
			return err
		}
		news := missed != "" && (row.Last.IsZero() || row.Missed == "")
		row.Last, row.Missed, row.Said = tx.Now, missed, found.Said
		next := lookupRefresh
		if missed == "" {
			row.Tries = 0
		} else if n := row.Tries - 1; n >= 0 && n < len(lookupRetry) {
			next = lookupRetry[n]
		}
		if news {
			err := record(tx, journal.Record{Party: string(row.Party), Kind: "key.not-found", Detail: row.kind() + ": " + string(missed)})
			if err != nil {
				return err
			}
		}
		return row.put(tx, tx.Now.Add(next))
	})
}

// kind is what it asks, without an address, for the journal.
func (l lookup) kind() string {
	if l.URL != "" {
		return "security.txt"
	}
	return "WKD"
}

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"parley/mailflow/store"
)

// pause lets a server come to rest between the mails of a lone session: one that files
// the last mail still is not one that waits for the next.
const pause = 50 * time.Millisecond

// atMost is how many times one Update a lone mail may take in Parley.
const atMost = 1.3

// alone lets one session send, and one bbolt Update of the same mail take its turn.
func (b *bench) alone() (err error) {
	update, err := rawUpdates(filepath.Join(b.o.work, "raw.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, update.Close()) }()
	mails, err := b.letters(b.o.lone)
	if err != nil {
		return err
	}
	ours, err := b.parley.connect()
	if err != nil {
		return err
	}
	theirs, err := b.postfix.connect()
	if err != nil {
		return err
	}
	var parley, postfix, floor []time.Duration
	for i, l := range mails {
		for _, turn := range []struct {
			took *[]time.Duration
			do   func() (time.Duration, error)
		}{
			{&parley, func() (time.Duration, error) { return b.parley.takesAlone(ours, l) }},
			{&postfix, func() (time.Duration, error) { return b.postfix.takesAlone(theirs, l) }},
			{&floor, func() (time.Duration, error) { return update.put(uint64(i), l.raw) }},
		} {
			time.Sleep(pause)
			took, err := turn.do()
			if err != nil {
				return err
			}
			*turn.took = append(*turn.took, took)
		}
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	ratio := middle(parley, ms) / middle(floor, ms)
	fmt.Printf("one lone session, DATA to 250, median in ms: parley %.2f, postfix %.2f, one Update of bbolt %.2f; parley/Update %.2f, at most %.1f: %s\n",
		middle(parley, ms), middle(postfix, ms), middle(floor, ms), ratio, atMost, verdict(ratio <= atMost))
	return errors.Join(ours.Quit(), theirs.Quit())
}

// raw is a bbolt database of its own.
type raw struct{ *bbolt.DB }

func rawUpdates(path string) (raw, error) {
	db, err := bbolt.Open(path, 0o600, nil)
	return raw{db}, err
}

// put is one Update with its fsync.
func (r raw) put(n uint64, value []byte) (time.Duration, error) {
	begun := time.Now()
	err := r.Update(func(tx *bbolt.Tx) error {
		rows, err := tx.CreateBucketIfNotExists([]byte("rows"))
		if err != nil {
			return err
		}
		return rows.Put(store.Seq(n), value)
	})
	return time.Since(begun), err
}

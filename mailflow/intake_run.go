package mailflow

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// spoolTries is how often processing a mail may fail before the mail is kept
// as it is, for a person.
const spoolTries = 3

// Run processes what was accepted, oldest first, until ctx ends.
func (in *Intake) Run(ctx context.Context) error {
	changes := in.Store.Subscribe(spoolTopic)
	defer changes.Close()
	for {
		if err := in.RunSpool(ctx); err != nil && ctx.Err() == nil {
			in.Log.Error("process spool", "err", err) // what is left is tried again with the next mail, or in a minute
		}
		if in.Clock.wait(ctx, changes, time.Time{}) != nil {
			return nil
		}
	}
}

// RunSpool processes every accepted mail once. Mails from one sender to one
// address are processed in the order in which they came; others side by side, and none
// while a rush of mail comes in (pace). One that can be neither filed nor kept opaque
// stays in the spool, and holds up no other.
func (in *Intake) RunSpool(ctx context.Context) error {
	var errs []error
	for next := uint64(0); ctx.Err() == nil; {
		rows, err := in.spooled(next)
		if err != nil || len(rows) == 0 {
			return errors.Join(append(errs, err)...)
		}
		next = rows[len(rows)-1].ID + 1
		err = in.processAll(ctx, rows)
		if errors.Is(err, store.ErrBroken) || errors.Is(err, store.ErrFull) {
			return err
		}
		errs = append(errs, err)
	}
	return ctx.Err()
}

// spooled reads the next mails that wait, from a number on.
func (in *Intake) spooled(from uint64) (rows []spoolRow, err error) {
	if err := in.Store.Absorb(); err != nil {
		return nil, err
	}
	err = in.Store.View(func(tx *store.Tx) error {
		for r, err := range spool.From(tx, nil, store.Seq(from)) {
			if err != nil {
				return err
			}
			if rows = append(rows, r.Value); len(rows) == dueBatch {
				return nil
			}
		}
		return nil
	})
	return rows, err
}

func (in *Intake) processAll(ctx context.Context, rows []spoolRow) error {
	free := make(rooms, max(in.Parallel, 1))
	lanes := make([][]spoolRow, cap(free)+in.Waiting)
	for _, r := range rows {
		i := int(laneOf(r.Envelope) % uint32(len(lanes)))
		lanes[i] = append(lanes[i], r)
	}
	errs := make([]error, len(lanes))
	var wg sync.WaitGroup
	for i, lane := range lanes {
		wg.Go(func() {
			for _, r := range lane {
				if err := in.processRow(ctx, r, free); err != nil {
					errs[i] = errors.Join(errs[i], err)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// laneOf is the same for all mails from one sender to one address.
func laneOf(e Envelope) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.ToLower(e.From + "\x00" + strings.Join(e.To, "\x00")))) // never fails (hash.Hash)
	return h.Sum32()
}

// processRow processes one mail. A panic or repeated failure in it keeps that
// mail opaque in Quarantine, and the rest goes on (rule P7).
func (in *Intake) processRow(ctx context.Context, row spoolRow, free rooms) error {
	err := in.try(ctx, row, free)
	if err == nil || ctx.Err() != nil {
		return nil
	}
	if errors.Is(err, store.ErrBroken) || errors.Is(err, store.ErrFull) {
		return err
	}
	in.logFailure(row.ID, row.Tries+1, err)
	if row.Tries++; row.Tries < spoolTries {
		if err := in.Store.Update(func(tx *store.Tx) error {
			key := store.Seq(row.ID)
			if err := spool.Delete(tx, key); err != nil {
				return err
			}
			return spool.Put(tx, spoolScope, key, row)
		}); err != nil {
			return err
		}
		return in.processRow(ctx, row, free)
	}
	return in.giveUp(row)
}

// try waits for the mail's turn, and processes it once.
func (in *Intake) try(ctx context.Context, row spoolRow, free rooms) error {
	filed, err := in.pace.wait(ctx, func() bool { return in.clock().Sub(row.At) >= filedWithin })
	if err != nil {
		return err
	}
	defer filed()
	return guarded(func() error { return in.process(ctx, row, free) })
}

// rooms bound how many mails are held open at once, and so the memory that they take.
type rooms chan struct{}

// enter waits for a room. What it returns leaves it, and does nothing more the second time.
func (r rooms) enter() (leave func()) {
	r <- struct{}{}
	return sync.OnceFunc(func() { <-r })
}

// guarded turns a panic into an error that tells its kind and place, and not
// its value: that may hold anything of a mail (rule H6).
func guarded(do func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &store.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return do()
}

func (in *Intake) logFailure(spoolID uint64, try int, err error) {
	about := []any{"spool", spoolID, "try", try, "err", err}
	if p := (*store.PanicError)(nil); errors.As(err, &p) {
		about = append(about, "stack", string(p.Stack))
	}
	in.Log.Error("process mail", about...)
}

// giveUp keeps a mail that could not be processed as it came.
func (in *Intake) giveUp(row spoolRow) error {
	raw, err := in.Store.Bytes(row.Body)
	if err != nil {
		return err
	}
	a := &arrival{row: row, raw: raw, broken: "it could not be processed"}
	return guarded(func() error {
		return in.commit(a, func(tx *store.Tx) error {
			return in.quarantine(tx, a, place{}, a.broken)
		})
	})
}

// commit runs the one transaction that files a mail and forgets its row.
func (in *Intake) commit(a *arrival, file func(*store.Tx) error) error {
	defer a.dropViews()
	for {
		err := in.commitOnce(a, file)
		if !errors.Is(err, errSealFirst) {
			return err
		}
		if err := in.sealViews(a); err != nil {
			return err
		}
	}
}

func (in *Intake) commitOnce(a *arrival, file func(*store.Tx) error) error {
	return in.Store.Update(func(tx *store.Tx) error {
		if _, err := spool.Get(tx, store.Seq(a.row.ID)); errors.Is(err, store.ErrNotFound) {
			return nil // already filed: a kill came between commit and answer
		}
		if err := file(tx); err != nil {
			return err
		}
		return spool.Delete(tx, store.Seq(a.row.ID))
	})
}

// received journals a mail's arrival.
func received(tx *store.Tx, a *arrival, p place, kind string, m store.Message) error {
	return record(tx, journal.Record{Case: string(p.Case), Party: string(p.Party), Kind: kind,
		Ref: fmt.Sprintf("M%d", m.ID), Detail: "sha256 " + a.sha256()})
}

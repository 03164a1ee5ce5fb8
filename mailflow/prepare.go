package mailflow

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// dirtyCase says that what the desk sees of a case is to be made anew.
type dirtyCase struct {
	Case   cvd.CaseID
	Ask    bool   // something changed that a yes may depend on
	Serial uint64 // of the last commit that changed something
}

// touch says that something of a case changed that its approvals, folders or
// case file show; the scheduler looks at it after the commit.
func (b *Base) touch(tx *store.Tx, c cvd.CaseID) { markDirty(tx, c, true) }

// moved is touch for what only the case file shows: how far a notice is on its
// way.
func (b *Base) moved(tx *store.Tx, c cvd.CaseID) { markDirty(tx, c, false) }

func markDirty(tx *store.Tx, c cvd.CaseID, ask bool) {
	key := tx.Name("dirty", string(c))
	if before, err := dirtyCases.Get(tx, key); err == nil {
		ask = ask || before.Ask
	}
	_ = dirtyCases.Put(tx, caseScope(c), key, dirtyCase{c, ask, tx.Serial()}) // fails with all else where the case is gone
	_ = watchAgain(tx, c)
	tx.Changed(store.Change{Topic: "prepare"})
}

// prepareMost is how long a round makes what the desk sees before notices have
// their turn. At midnight the case file of every case goes on by a day.
const prepareMost = time.Second

// Prepare makes anew what the desk sees of every case that changed: requests
// for approval, and the case file. Reading and rendering keep nobody from
// writing.
func (s *Scheduler) Prepare(ctx context.Context) error {
	_, err := s.prepareWithin(ctx, math.MaxInt64)
	return err
}

// prepareWithin is Prepare until so much time has passed, and says whether
// there is more to make. Requests come first.
func (s *Scheduler) prepareWithin(ctx context.Context, most time.Duration) (more bool, err error) {
	dirty, err := s.dirty()
	if err != nil {
		return false, err
	}
	_, began := s.Clock.Read()
	var errs []error
	for _, d := range dirty {
		if ctx.Err() != nil {
			return true, ctx.Err()
		}
		if _, passed := s.Clock.Read(); passed-began > most {
			return true, errors.Join(errs...)
		}
		if err := s.prepareCase(ctx, d); err != nil {
			errs = append(errs, fmt.Errorf("prepare %s: %w", d.Case, err)) // one bad case keeps no other waiting
		}
	}
	return false, errors.Join(errs...)
}

// dirty lists the cases that changed, those first in which somebody may have to
// be asked for a yes.
func (s *Scheduler) dirty() ([]dirtyCase, error) {
	var ask, moved []dirtyCase
	err := s.Store.View(func(tx *store.Tx) error {
		for r, err := range dirtyCases.All(tx, nil) {
			switch {
			case errors.Is(err, store.ErrShredded):
			case err != nil:
				return err
			case r.Value.Ask:
				ask = append(ask, r.Value)
			default:
				moved = append(moved, r.Value)
			}
		}
		return nil
	})
	return append(ask, moved...), err
}

func (b *Base) prepareCase(ctx context.Context, d dirtyCase) error {
	if d.Ask {
		if err := b.prepareAsk(ctx, d.Case); err != nil {
			return err
		}
	}
	var serial uint64
	var f caseFile
	var next, day time.Time
	err := b.Store.View(func(tx *store.Tx) error {
		serial = tx.Serial()
		c, err := CaseByID(tx, d.Case)
		if errors.Is(err, ErrNoCase) {
			return nil // a report that belongs to no case, or the desk
		}
		if err != nil {
			return err
		}
		l, err := b.look(tx, c)
		if err != nil {
			return err
		}
		behind, err := b.listBehind(tx, l)
		if err != nil {
			return err
		}
		if next = l.ahead.next(l); behind {
			next = l.now
		}
		day = l.nextDay()
		f, err = b.renderCaseFile(tx, l)
		return err
	})
	if err != nil {
		return err
	}
	return b.Store.Update(func(tx *store.Tx) error {
		if f.fresh {
			if err := b.putCaseFile(tx, f); err != nil {
				return err
			}
		}
		if err := b.showScheduled(tx, d.Case); err != nil {
			return err
		}
		if err := b.keepAhead(tx, d.Case, next); err != nil {
			return err
		}
		if err := keepDay(tx, d.Case, day); err != nil {
			return err
		}
		return clean(tx, d.Case, serial)
	})
}

// prepareAsk asks for the yes that is missing, if any is.
func (b *Base) prepareAsk(ctx context.Context, id cvd.CaseID) error {
	if id == deskCase {
		return nil // whoever asked for our key is asked nothing
	}
	var missing bool
	l := &looks{until: ctx}
	err := b.Store.View(func(tx *store.Tx) (err error) {
		if missing, err = b.asksMissing(tx, id, l); err != nil || missing {
			return err
		}
		_, _, kit, err := b.kitToAsk(tx, id, l)
		missing = len(kit) > 0
		return err
	})
	if err != nil || !missing {
		return err
	}
	return b.Store.Update(func(tx *store.Tx) error {
		l := l.inside(tx)
		if err := b.askApprovals(tx, id, l); err != nil {
			return err
		}
		return b.askKit(tx, id, l)
	})
}

// clean says that the desk sees a case as it was at a commit. What changed
// since is looked at again.
func clean(tx *store.Tx, c cvd.CaseID, serial uint64) error {
	key := tx.Name("dirty", string(c))
	now, err := dirtyCases.Get(tx, key)
	if errors.Is(err, store.ErrNotFound) || (err == nil && now.Serial > serial) {
		return nil
	}
	if err != nil {
		return err
	}
	return dirtyCases.Delete(tx, key)
}

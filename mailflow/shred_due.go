package mailflow

import (
	"errors"
	"fmt"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// ShredsDue tells of cases that are about to be destroyed, and destroys them. It
// returns when it wants to be called next. A kill at any instant leaves a case
// as it was, or one whose rows are gone and whose keys go after the restart. A row
// that cannot be read is an error, and keeps no other from its end.
func (s *Scheduler) ShredsDue(now time.Time) (next time.Time, err error) {
	due, next, err := s.shredsToDo(now)
	for _, r := range due {
		wants, failed := s.shredDue(r, now)
		next, err = sooner(next, wants), errors.Join(err, failed)
	}
	return next, err
}

func (b *Base) shredsToDo(now time.Time) (due []shredRow, next time.Time, err error) {
	var bad error
	err = b.Store.View(func(tx *store.Tx) error {
		for row, err := range shredsDue.Due(tx, now, &next) {
			var r shredRow
			if err == nil {
				r, err = shreds.Get(tx, store.DueName(row.Key))
			}
			if err != nil {
				bad = errors.Join(bad, fmt.Errorf("read what is to be shredded: %w", err))
				continue
			}
			due = append(due, r)
		}
		return nil
	})
	return due, next, errors.Join(err, bad)
}

// shredDue does what is due about one, and says when it is due again.
func (s *Scheduler) shredDue(r shredRow, now time.Time) (next time.Time, err error) {
	switch {
	case r.gone():
		return s.finishShred(r, now)
	case r.Warned.IsZero():
		return laterOf(r.Due, now.Add(shredWarning)), s.changeShred(r, s.warnShred)
	}
	return s.carryOutShred(r, now)
}

// changeShred changes a row as it is by now: not one that was stopped, or that is
// of another request, since it was read.
func (b *Base) changeShred(was shredRow, change func(*store.Tx, *shredRow) error) error {
	return b.Store.Update(func(tx *store.Tx) error {
		r, err := shredOf(tx, was.Case)
		if err != nil || r.Approval != was.Approval || !r.Due.Equal(was.Due) || r.gone() != was.gone() {
			return err
		}
		if err := change(tx, &r); err != nil {
			return err
		}
		return putShred(tx, r)
	})
}

// carryOutShred lets the rows of a case go, in one transaction, and its keys after
// that. Nothing goes before the credential is there that the keys need.
func (s *Scheduler) carryOutShred(r shredRow, now time.Time) (next time.Time, err error) {
	if _, err := s.unlocked(); err != nil {
		return s.postponeShred(r, now, err.Error())
	}
	why := ""
	err = s.changeShred(r, func(tx *store.Tx, r *shredRow) error {
		c, err := CaseByID(tx, r.Case)
		if err != nil {
			return err
		}
		var refused *Refusal
		switch err := mayShredNow(tx, c); {
		case errors.As(err, &refused):
			why = refused.Sentence
			return nil
		case err != nil:
			return err
		}
		why = ""
		return s.eraseCase(tx, c, r)
	})
	if err != nil {
		why = "the store could not do it; the log says more"
	}
	if why != "" {
		later, failed := s.postponeShred(r, now, why)
		return later, errors.Join(err, failed)
	}
	err = s.Store.View(func(tx *store.Tx) error {
		r, err = shredOf(tx, r.Case)
		return err
	})
	if err != nil || !r.gone() {
		return next, err
	}
	return s.finishShred(r, now)
}

// mayShredNow is mayShred at the hour. While nothing may leave, because somebody
// said so or the clock jumped (rule T5), nothing is destroyed either.
func mayShredNow(tx *store.Tx, c cvd.Case) error {
	state, err := sendingNow(tx)
	if err != nil {
		return err
	}
	if state.Paused {
		return notDone("sending is paused since %s by %s: %s; `sending resume` ends that", utc(state.At), state.By, state.Because)
	}
	return mayShred(tx, c)
}

// unlocked reads the credential that destroying keys takes.
func (b *Base) unlocked() (store.Unlock, error) {
	if b.Credential == nil {
		return store.Unlock{}, errors.New("no credential of the store is at hand")
	}
	u, err := b.Credential()
	if err == nil {
		err = b.Store.Unlocks(u)
	}
	return u, err
}

// postponeShred tries again in an hour, and tells the desk why.
func (s *Scheduler) postponeShred(r shredRow, now time.Time, why string) (time.Time, error) {
	next := now.Add(shredRetry)
	return next, s.changeShred(r, func(tx *store.Tx, r *shredRow) error {
		r.Again = next
		words, err := s.Templates.Refusal(refusal("destroying "+string(r.Case), "Nothing of "+string(r.Case)+" was destroyed. It is tried again every hour.", why,
			"see to the reason; or, if it is not to go any more, write to control@"+s.DeskDomain+"\n    reject "+r.Approval+` because "..."`))
		if err != nil {
			return err
		}
		return s.task(tx, shredTask(r.Case)+":late", Post{Case: r.Case, Kind: "shred", Subject: fmt.Sprintf("%s could not be destroyed", r.Case), Text: words.Text})
	})
}

// finishShred destroys the keys of a case whose rows are gone, and gives new ones
// to what all of the desk shares: free pages hold digests, transcripts and spooled
// mail that told of it.
func (s *Scheduler) finishShred(r shredRow, now time.Time) (next time.Time, err error) {
	u, err := s.unlocked()
	if err != nil {
		return s.lateKeys(r, now, err.Error())
	}
	shared, err := s.sharedScopes()
	if err != nil {
		return next, err
	}
	// What a mail that was under way meanwhile left under its key goes, too.
	err = s.Store.Update(func(tx *store.Tx) error { return tx.Erase(r.Scopes...) })
	if err == nil {
		err = s.Store.ShredAll(r.Scopes, shared, u)
	}
	if err != nil {
		later, failed := s.lateKeys(r, now, "the store could not do it; the log says more")
		return later, errors.Join(err, failed)
	}
	return next, s.changeShred(r, func(tx *store.Tx, r *shredRow) error {
		r.Done, r.Scopes = tx.Now, nil
		if err := s.taskDone(tx, lateKeysTask(*r)); err != nil {
			return err
		}
		if err := record(tx, journal.Record{Kind: "case.shredded", Ref: string(r.Case)}); err != nil {
			return err
		}
		return s.tellShredded(tx, *r)
	})
}

// sharedScopes seal what is about many cases.
func (b *Base) sharedScopes() ([]store.Scope, error) {
	out := []store.Scope{DeskScope, spoolScope}
	return out, b.Store.View(func(tx *store.Tx) error {
		all, err := collect(coordinators.All(tx, nil), nil)
		for _, c := range all {
			out = append(out, onlyScope(c.Name))
		}
		return err
	})
}

func lateKeysTask(r shredRow) string { return "shred-keys:" + r.Approval }

// lateKeys tells the desk that a key is still there, without a word on whose.
func (s *Scheduler) lateKeys(r shredRow, now time.Time, why string) (time.Time, error) {
	next := now.Add(shredRetry)
	return next, s.changeShred(r, func(tx *store.Tx, r *shredRow) error {
		r.Again = next
		words, err := s.Templates.Refusal(refusal("destroying the key of a case", "The case is gone from every folder, but its key still stands in the key file, so that free pages of the disk may give it back. It is tried again every hour.", why,
			"let the operator make the credential readable for the daemon, from where `unlock` in the configuration says"))
		if err != nil {
			return err
		}
		return s.task(tx, lateKeysTask(*r), Post{Kind: "shred", Subject: "The key of a case could not be destroyed", Text: words.Text})
	})
}

// tellShredded puts the end of a case into Status: of a restricted one only for
// those who could see it (rule A2).
func (b *Base) tellShredded(tx *store.Tx, r shredRow) error {
	copies, err := b.copiesLeft(tx)
	if err != nil {
		return err
	}
	text := paragraphs(fmt.Sprintf("%s was destroyed on %s. Nothing of it is left here, and its key is gone; the desk and the spool have new keys, and the store has a new master key.", r.Case, instant(r.Erased)),
		copies)
	p := Post{Folder: "Status", Kind: "shredded", Subject: fmt.Sprintf("%s was shredded", r.Case), Text: text}
	if len(r.Restricted) == 0 {
		_, _, _, err := b.post(tx, p)
		return err
	}
	for _, name := range r.Restricted {
		if _, err := CoordinatorByName(tx, name); errors.Is(err, ErrNoCoordinator) {
			continue
		}
		p.Only = name
		if _, _, _, err := b.post(tx, p); err != nil {
			return err
		}
	}
	return nil
}

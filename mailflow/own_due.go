package mailflow

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// ownWarnings are how long before the end of our signing key the desk is told,
// if no next key is announced; the last is the end itself.
var ownWarnings = []time.Duration{60 * cvd.Day, 30 * cvd.Day, 14 * cvd.Day, 7 * cvd.Day, cvd.Day, 0}

// ownAlarms remembers what the desk was told last about the end of our key, so
// that each step is told once, whatever happens in between.
var ownAlarms = store.Versioned[ownAlarm]("own-alarms")

type ownAlarm struct {
	Key  keyring.Fingerprint
	End  time.Time
	Left time.Duration // the step of ownWarnings
}

func (a ownAlarm) equal(o ownAlarm) bool {
	return a.Key == o.Key && a.End.Equal(o.End) && a.Left == o.Left
}

// ownTask names the one mail about the end of our key.
const ownTask = "own-key"

// OwnKeysDue does what falls due with our own keys: the next one begins to sign
// at its instant, and the desk is told before the one that signs ends. It returns
// when it wants to be called next (zero: when something changes). All that it
// goes by is in the store, so that it goes on where a process before it ended.
//
// While sending is paused nothing is signed, and the switch waits: a clock that
// jumped must not do what cannot be taken back.
func (b *Base) OwnKeysDue(now time.Time) (time.Time, error) {
	b.Own.changing.Lock()
	defer b.Own.changing.Unlock()
	set := b.Own.now.Load()
	if next, ok := set.next(); ok && !now.Before(next.Signs) {
		if err := b.switchKeys(now); err != nil {
			return now.Add(time.Minute), err
		}
		set = b.Own.now.Load()
	}
	if err := b.warn(set, now); err != nil {
		return now.Add(time.Minute), err
	}
	return ownNext(set, now), nil
}

// ownNext is the next instant at which something falls due with our keys.
func ownNext(set *ownSet, now time.Time) time.Time {
	var first time.Time
	consider := func(t time.Time) {
		if t.After(now) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if next, ok := set.next(); ok {
		consider(next.Signs)
	}
	if end := set.signing().Certificate.Expires(); !end.IsZero() {
		for _, left := range ownWarnings {
			consider(end.Add(-left))
		}
	}
	return first
}

func (b *Base) switchKeys(now time.Time) error {
	return b.Own.change(b.Store, func(tx *store.Tx) error {
		if state, err := sendingNow(tx); err != nil || state.Stops() {
			return err
		}
		set, err := readOwnKeys(tx)
		if err != nil {
			return err
		}
		if next, ok := set.next(); !ok || now.Before(next.Signs) {
			return nil
		}
		return takeOver(tx, set)
	})
}

// dueWarning is the step that the desk has to know of at an instant, if any. A
// next key that begins in time makes all but the end itself needless.
func dueWarning(set *ownSet, now time.Time) (step ownAlarm, ok bool) {
	k := set.signing()
	end := k.Certificate.Expires()
	if end.IsZero() {
		return step, false
	}
	_, next := set.next()
	for _, left := range ownWarnings {
		if !now.Before(end.Add(-left)) && (!next || left == 0) {
			step, ok = ownAlarm{k.Fingerprint(), end, left}, true
		}
	}
	return step, ok
}

// warn puts the step before the desk, once, in place of the one before; and
// takes it away when it is over.
func (b *Base) warn(set *ownSet, now time.Time) error {
	step, due := dueWarning(set, now)
	var told ownAlarm
	err := b.Store.View(func(tx *store.Tx) (err error) {
		told, err = ownAlarms.Get(tx, ownAlarmKey(tx))
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	if err != nil || told.equal(step) {
		return err
	}
	return b.Store.Update(func(tx *store.Tx) error {
		if told.Left == 0 && told.Key != "" { // what it held goes
			if err := b.wakeHeldByKey(tx); err != nil {
				return err
			}
		}
		if !due {
			if err := ownAlarms.Delete(tx, ownAlarmKey(tx)); err != nil {
				return err
			}
			return b.taskDone(tx, ownTask)
		}
		return b.tellEnd(tx, step, set.signing())
	})
}

func ownAlarmKey(tx *store.Tx) []byte { return tx.Name("own-alarm", "signing") }

// tellEnd puts a step before the desk, and remembers that.
func (b *Base) tellEnd(tx *store.Tx, step ownAlarm, k OwnKey) error {
	if err := ownAlarms.Put(tx, DeskScope, ownAlarmKey(tx), step); err != nil {
		return err
	}
	kind := "own-key.expiring"
	if step.Left == 0 {
		kind = "own-key.expired"
	}
	if err := ownRecord(tx, kind, ownActor, k, fmt.Sprintf("%s, %s left", utc(step.End), days(step.Left))); err != nil {
		return err
	}
	return b.postEnd(tx, step)
}

// postEnd is the one mail about the end of our key.
func (b *Base) postEnd(tx *store.Tx, step ownAlarm) error {
	what := "our signing key ends in " + days(step.Left)
	state := fmt.Sprintf("Nothing is held yet. From %s on nothing can be signed, and so nothing leaves. Mail that comes in stays readable.", utc(step.End))
	next := "make the next key on the server. It is announced to everybody who was told something, and takes over a week later:\n" +
		"    parley key rotate --config FILE\nOr keep the one that you have:\n    parley key extend --config FILE"
	if step.Left == 0 {
		what = "our signing key has ended"
		state = "NOTHING LEAVES this server: what falls due is held, sealed, and goes by itself once we have a key that signs. Mail that comes in stays readable."
		next = "on the server, give the key a later end\n    parley key extend --config FILE\nor let a new one sign at once, which peers cannot check as easily:\n" +
			"    parley key rotate --from now --config FILE"
	}
	r, err := b.Templates.Refusal(refusal(what, state, fmt.Sprintf("%s ends %s, and no next key is announced", step.Key.Spaced(), utc(step.End)), next))
	if err != nil {
		return err
	}
	return b.task(tx, ownTask, Post{Subject: strings.ToUpper(what[:1]) + what[1:] + ": " + utc(step.End), Text: r.Text, Kind: "own-key", Ref: string(step.Key)})
}

// days writes a step.
func days(d time.Duration) string { return count(int(d/cvd.Day), "day") }

// wakeHeldByKey asks the gate again for every notice that our key held.
func (b *Base) wakeHeldByKey(tx *store.Tx) error {
	for r, err := range notices.All(tx, nil) {
		if errors.Is(err, store.ErrShredded) {
			continue
		}
		if err != nil {
			return err
		}
		n := r.Value
		if n.State != cvd.Held || !strings.HasPrefix(n.Why, ownKeyWhy) {
			continue
		}
		row := n.Due
		if row.Before(tx.Now) {
			row = tx.Now
		}
		if err := putNotice(tx, n, row); err != nil {
			return err
		}
	}
	return nil
}

// ownKeyLines are what `status` says of our keys where somebody should know it.
func (s *sitting) ownKeyLines() []string {
	set, now := s.Own.now.Load(), s.tx.Now
	if why := set.cannotSign(now); why != "" {
		return []string{"NOTHING LEAVES: " + why}
	}
	if next, ok := set.next(); ok {
		return []string{fmt.Sprintf("our next key %s signs from %s", next.Fingerprint().Spaced(), utc(next.Signs))}
	}
	if step, ok := dueWarning(set, now); ok {
		return []string{fmt.Sprintf("our signing key ends %s: parley key rotate, or parley key extend", utc(step.End))}
	}
	return nil
}

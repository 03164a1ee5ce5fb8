package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// reminding is a world whose policy "fast" reminds after 3, 7 and 14 days, and a
// case that has started; its vendors have the heads-up of Tuesday, 1 December.
func reminding(t *testing.T, vendors ...string) (*world, cvd.CaseID) {
	t.Helper()
	w := newWorld(t)
	p := w.Policies["fast"]
	p.Remind = []time.Duration{3 * cvd.Day, 7 * cvd.Day, 14 * cvd.Day}
	w.Policies["fast"] = p
	return w, w.started(vendors...)
}

// subjected are the mails to a person, opened, whose inner Subject has some words.
func (w *world) subjected(name, words string) (out []letterGot) {
	w.t.Helper()
	for _, l := range w.mails(w.people[name]) {
		if strings.Contains(l.Subject, words) {
			out = append(out, l)
		}
	}
	return out
}

// noticesOf are the notices of a kind to a participant that were not cancelled.
func (w *world) noticesOf(id cvd.CaseID, party cvd.PartyID, kind cvd.NoticeKind) (out []cvd.Notice) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		all, err := Notices(tx, id, party)
		for _, n := range all {
			if n.Kind == kind && n.State != cvd.Cancelled {
				out = append(out, n)
			}
		}
		return err
	})
	return out
}

// reminded are the reminders that a person got, reminders the notices of them.
func (w *world) reminded(name string) []letterGot { return w.subjected(name, "(reminder)") }

func (w *world) reminders(id cvd.CaseID, party cvd.PartyID) []cvd.Notice {
	return w.noticesOf(id, party, cvd.KindReminder)
}

// toCome are those of them that have not left.
func (w *world) toCome(id cvd.CaseID, party cvd.PartyID) (n int) {
	w.t.Helper()
	for _, r := range w.reminders(id, party) {
		if !r.State.Over() {
			n++
		}
	}
	return n
}

// dueReminders counts the rows of reminders among the due ones.
func (w *world) dueReminders() (n int) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		rows, err := collect(dueRows.All(tx, nil), nil)
		if err != nil {
			return err
		}
		for _, r := range rows {
			notice, err := notices.Get(tx, noticeKey(tx, r.Case, r.Party, r.Notice))
			if err != nil {
				return err
			}
			if notice.Kind == cvd.KindReminder {
				n++
			}
		}
		return nil
	})
	return n
}

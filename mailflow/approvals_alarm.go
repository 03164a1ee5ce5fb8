package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// alarmBefore is how long before it is due an undecided request alarms another
// coordinator, and alarmAfter how long after it was made one that is due on no
// day: a letter that a person must see, or a word that a second one confirms.
// The leak kit is needed on a day that nobody knows: kitAlarmAfter.
const (
	alarmBefore   = 4 * time.Hour
	alarmAfter    = 4 * time.Hour
	kitAlarmAfter = 2 * cvd.Day
)

// approvalAlarms hold, under the instant of the alarm, the requests that nobody
// has decided yet.
var approvalAlarms = store.Versioned[string]("approvalalarms")

func alarmTask(id string) string { return "undecided:" + id }

func alarmKey(tx *store.Tx, a cvd.ApprovalRequest) []byte {
	at := a.Due.Add(-alarmBefore)
	if a.Due.IsZero() {
		if at = a.Created.Add(alarmAfter); isKit(a) {
			at = a.Created.Add(kitAlarmAfter)
		}
	}
	return append(store.Instant(at), approvalKey(tx, a.ID)...)
}

// putAlarm keeps the alarm of a request in step with it.
func putAlarm(tx *store.Tx, a cvd.ApprovalRequest) error {
	if a.Due.IsZero() && a.Created.IsZero() {
		return nil
	}
	key := alarmKey(tx, a)
	switch set := approvalAlarms.Has(tx, key); {
	case !a.Open() || !a.Alarmed.IsZero():
		if set {
			return approvalAlarms.Delete(tx, key)
		}
	case !set:
		tx.Changed(store.Change{Topic: "due"})
		return approvalAlarms.Put(tx, caseScope(a.Case), key, a.ID)
	}
	return nil
}

// AlarmApprovals tells another coordinator of every request that is due within
// four hours, or has no day and waits for as long, and is undecided, once for each, and says when the next one will be.
func (s *Scheduler) AlarmApprovals(now time.Time) (next time.Time, err error) {
	var late []string
	err = s.Store.View(func(tx *store.Tx) (err error) {
		late, err = collect(approvalAlarms.Due(tx, now, &next), nil)
		return err
	})
	if err != nil || len(late) == 0 {
		return next, err
	}
	return next, s.Store.Update(func(tx *store.Tx) error {
		for _, id := range late {
			if err := s.alarmApproval(tx, id); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *Base) alarmApproval(tx *store.Tx, id string) error {
	a, err := approvalByID(tx, id)
	if err != nil || !a.Open() || !a.Alarmed.IsZero() {
		return err
	}
	a.Alarmed = tx.Now
	if err := putApproval(tx, a); err != nil {
		return err
	}
	return b.tellUndecided(tx, a)
}

// alarmAnew names those whose yes counts by now, where the desk was told of others
// whose does not: they may not see the case any more.
func (b *Base) alarmAnew(tx *store.Tx, id cvd.CaseID) error {
	open, err := openTasks(tx, id)
	if err != nil {
		return err
	}
	for _, r := range open {
		request, undecided := strings.CutPrefix(r.Key, alarmTask(""))
		if !undecided {
			continue
		}
		a, err := approvalByID(tx, request)
		if err == nil && a.Open() {
			err = b.tellUndecided(tx, a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tellUndecided puts it before those whose yes would count.
func (b *Base) tellUndecided(tx *store.Tx, a cvd.ApprovalRequest) error {
	who, err := b.whoDecides(tx, a)
	if err != nil {
		return err
	}
	name := strings.Join(who, ", ")
	if name == "" {
		name = "nobody on the desk; the operator can add a coordinator"
	}
	what := approvalWhere(a)
	if isReview(a) {
		what = "what was overdue of " + string(a.Case)
	}
	if isShred(a) {
		what = "destroying " + string(a.Case)
	}
	how := "drop the request, which is in Approvals, into Do/Approve or Do/Reject"
	if a.Signed {
		how = "send, signed, to control@" + b.DeskDomain + " one of\n    approve " + a.ID + "\n    reject " + a.ID + ` because "..."`
	}
	state, since := fmt.Sprintf("%s is due %s, and %s is undecided.", what, instant(a.Due), a.ID), "due "+instant(a.Due)
	if a.Due.IsZero() {
		state = fmt.Sprintf("%s waits since %s, and %s is undecided.", what, instant(a.Created), a.ID)
		since = "waits since " + instant(a.Created)
	}
	if isShred(a) {
		state += " Without a yes nothing of it is destroyed."
	} else if _, err := filedOrders.Get(tx, approvalKey(tx, a.ID)); err == nil {
		state += " Until it has a yes what was filed does not count; nothing else happens by itself."
	} else if isKit(a) {
		state += " Without a yes nobody can fire it when something leaks; nothing else happens by itself."
	} else {
		state += " Without a yes it does not leave; nothing else happens by itself."
	}
	r, err := b.Templates.Refusal(refusal("approval "+a.ID, state,
		"it waits for "+name, how))
	if err != nil {
		return err
	}
	if err := record(tx, journal.Record{Case: string(a.Case), Kind: "approval.late", Ref: a.ID, Detail: name}); err != nil {
		return err
	}
	return b.task(tx, alarmTask(a.ID), Post{Case: a.Case, Kind: "approval", Ref: a.ID, Text: r.Text,
		Subject: fmt.Sprintf("%s, please look: %s is undecided, %s", name, what, since)})
}

// whoDecides names the coordinators whose yes would count: the one who answers
// for the case, where it is among them, else all. On a desk of one it is that
// one.
func (b *Base) whoDecides(tx *store.Tx, a cvd.ApprovalRequest) ([]string, error) {
	desk, err := Coordinators(tx)
	if err != nil {
		return nil, err
	}
	c, err := CaseByID(tx, a.Case)
	if err != nil && !errors.Is(err, ErrNoCase) {
		return nil, err
	}
	var out []string
	for _, k := range desk {
		by := Actor{Name: k.Name, Via: ViaMail, Signed: true}
		if _, err := b.mayApprove(tx, a, by); err == nil && maySee(c, k.Name) && (!a.Signed || len(k.Key) > 0) {
			out = append(out, k.Name)
		}
	}
	if slices.Contains(out, c.Responsible) {
		out = []string{c.Responsible}
	}
	return out, nil
}

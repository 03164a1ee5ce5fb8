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
// coordinator.
const alarmBefore = 4 * time.Hour

// approvalAlarms hold, under the instant of the alarm, the requests that nobody
// has decided yet.
var approvalAlarms = store.Versioned[string]("approvalalarms")

func alarmTask(id string) string { return "undecided:" + id }

func alarmKey(tx *store.Tx, a cvd.ApprovalRequest) []byte {
	return append(store.Instant(a.Due.Add(-alarmBefore)), approvalKey(tx, a.ID)...)
}

// putAlarm keeps the alarm of a request in step with it.
func putAlarm(tx *store.Tx, a cvd.ApprovalRequest) error {
	if a.Due.IsZero() {
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
// four hours and undecided, once for each, and says when the next one will be.
func (s *Scheduler) AlarmApprovals(now time.Time) (next time.Time, err error) {
	var late []string
	err = s.Store.View(func(tx *store.Tx) error {
		for row, err := range approvalAlarms.All(tx, nil) {
			if errors.Is(err, store.ErrShredded) {
				continue
			}
			if err != nil {
				return err
			}
			if at := store.ParseInstant(row.Key[:8]); at.After(now) {
				next = at
				return nil
			}
			late = append(late, row.Value)
		}
		return nil
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
	who, err := b.whoDecides(tx, a)
	if err != nil {
		return err
	}
	name := strings.Join(who, ", ")
	if name == "" {
		name = "nobody on the desk; the operator can add a coordinator"
	}
	what := fmt.Sprintf("%s to %s in %s", approvalWhat(a), partyList(a.Parties), a.Case)
	how := "drop the request, which is in Approvals, into Do/Approve or Do/Reject"
	if a.Signed {
		how = "send, signed, to control@" + b.DeskDomain + " one of\n    approve " + a.ID + "\n    reject " + a.ID + ` because "..."`
	}
	r, err := b.Templates.Refusal(refusal("approval "+a.ID, fmt.Sprintf("%s is due %s, and %s is undecided. Without a yes it does not leave; nothing else happens by itself.", what, instant(a.Due), a.ID),
		"it waits for "+name, how))
	if err != nil {
		return err
	}
	a.Alarmed = tx.Now
	if err := putApproval(tx, a); err != nil {
		return err
	}
	if err := record(tx, journal.Record{Case: string(a.Case), Kind: "approval.late", Ref: a.ID, Detail: name}); err != nil {
		return err
	}
	return b.task(tx, alarmTask(a.ID), Post{Case: a.Case, Kind: "approval", Ref: a.ID, Text: r.Text,
		Subject: fmt.Sprintf("%s, please look: %s is undecided, due %s", name, what, instant(a.Due))})
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

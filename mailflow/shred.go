package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// A closed case is destroyed for good by `shred TAG` (rule H3): two coordinators
// say yes, signed; shredDelay passes, in which one person can stop it; then its
// rows go (shred_erase.go), and its key after them (shred_due.go).

const (
	// shredDelay is how long a case that two people gave up can still be saved.
	shredDelay = 7 * cvd.Day
	// shredWarning is how long before its end INBOX says so.
	shredWarning = 24 * time.Hour
	// shredRetry is how long it waits after it could not be carried out.
	shredRetry = time.Hour
	// shredStage stands in a request to destroy a case, which is about no stage.
	shredStage cvd.Stage = "shred"
)

// shredRow is a case that is to be destroyed, and what is known of one that was.
type shredRow struct {
	Case       cvd.CaseID
	Restricted []string // who may know that it was there; nobody: all
	By         string
	Asked      time.Time
	Approval   string        // the request
	Due        time.Time     // zero: it has not enough of a yes
	Warned     time.Time     // when INBOX told of it
	Again      time.Time     // not before, since it could not be carried out
	Erased     time.Time     // its rows are gone
	Scopes     []store.Scope // whose keys go after them
	Done       time.Time     // its keys are gone, too
	Next       time.Time     // of its row among the due ones; zero: it has none
}

var (
	shreds = store.Versioned[shredRow]("shreds")
	// shredsDue are under the instant at which something is to be done, and the key of
	// the shredRow. They outlive the case, and say nothing of it.
	shredsDue = store.WriteOnce[struct{}]("shredsdue")
)

func shredKey(tx *store.Tx, id cvd.CaseID) []byte { return tx.Name("shred", string(id)) }

// shredOf reads what is known of the end of a case; the zero row where it has none.
func shredOf(tx *store.Tx, id cvd.CaseID) (shredRow, error) {
	r, err := shreds.Get(tx, shredKey(tx, id))
	if errors.Is(err, store.ErrNotFound) {
		return shredRow{}, nil
	}
	return r, err
}

// putShred seals it with the case as long as that has a key.
func putShred(tx *store.Tx, r shredRow) error {
	scope, key, next := caseScope(r.Case), shredKey(tx, r.Case), r.wants()
	if r.gone() {
		scope = DeskScope
	}
	if err := moveDue(tx, shredsDue, DeskScope, key, r.Next, next, struct{}{}); err != nil {
		return err
	}
	r.Next = next
	return shreds.Put(tx, scope, key, r)
}

// dropShred forgets that a case was to be destroyed.
func dropShred(tx *store.Tx, r shredRow) error {
	key := shredKey(tx, r.Case)
	if err := moveDue(tx, shredsDue, DeskScope, key, r.Next, time.Time{}, struct{}{}); err != nil {
		return err
	}
	return shreds.Delete(tx, key)
}

// wants is when something is to be done about it: the warning, the end, its keys;
// zero for never.
func (r shredRow) wants() time.Time {
	switch {
	case !r.Done.IsZero() || !r.pending() && !r.gone():
		return time.Time{}
	case r.gone():
		return laterOf(r.Erased, r.Again)
	case r.Warned.IsZero():
		return laterOf(r.Due.Add(-shredWarning), r.Again)
	}
	return laterOf(r.Due, r.Again)
}

// gone says that nothing of the case can be saved any more.
func (r shredRow) gone() bool { return !r.Erased.IsZero() }

// pending says that the case will be destroyed unless somebody stops it.
func (r shredRow) pending() bool { return !r.Due.IsZero() && !r.gone() }

func isShred(a cvd.ApprovalRequest) bool { return a.Stage == shredStage }

func shredTask(id cvd.CaseID) string { return "shred:" + string(id) }

// shredTasks are the mails that stand before the desk because of it.
func shredTasks(id cvd.CaseID) []string {
	return []string{shredTask(id), shredTask(id) + ":soon", shredTask(id) + ":late"}
}

// family is a case with all that became part of it: the cases that were merged
// into it, and the reports of all of them.
type family struct {
	cases   []cvd.Case
	reports []cvd.CaseID // their pseudo cases
}

func familyOf(tx *store.Tx, id cvd.CaseID) (family, error) {
	var f family
	all, err := Cases(tx)
	if err != nil {
		return f, err
	}
	for _, c := range all {
		now, err := caseNow(tx, c.ID)
		if err != nil {
			return f, err
		}
		if now == id {
			f.cases = append(f.cases, c)
		}
	}
	rs, err := collect(reports.All(tx, nil), nil)
	for _, r := range rs {
		if f.has(r.Case) {
			f.reports = append(f.reports, reportCase(r.Number))
		}
	}
	return f, err
}

func (f family) has(id cvd.CaseID) bool {
	return slices.ContainsFunc(f.cases, func(c cvd.Case) bool { return c.ID == id })
}

// ids are the cases, then the reports.
func (f family) ids() []cvd.CaseID {
	var out []cvd.CaseID
	for _, c := range f.cases {
		out = append(out, c.ID)
	}
	return append(out, f.reports...)
}

func (f family) scopes() []store.Scope {
	var out []store.Scope
	for _, id := range f.ids() {
		out = append(out, caseScope(id))
	}
	return out
}

// mayShred says why a case cannot be destroyed now, as a Refusal. It is asked when
// somebody asks for it, at each yes, and when it is carried out.
func mayShred(tx *store.Tx, c cvd.Case) error {
	switch {
	case c.Merged != "":
		return notDone("%s was merged into %s, which has all of it; `shred %s` destroys both", c.ID, c.Merged, c.Merged)
	case c.Closed.IsZero():
		return notDone("%s is open, and only a closed case is destroyed; nothing was changed. `case close` it first", c.ID)
	case c.Hold != nil:
		return notDone("%s is on hold since %s: %s; nothing of it is destroyed until `release case`", c.ID, utc(c.Hold.At), c.Hold.Because)
	}
	f, err := familyOf(tx, c.ID)
	if err != nil {
		return err
	}
	for _, m := range f.cases {
		if h := m.LegalHold; h != nil {
			return notDone("%s is under legal hold since %s: %s; nothing of it is destroyed until `legal-hold off`", m.ID, utc(h.At), h.Because)
		}
		if k := m.Kept; m.KeptAt(tx.Now) {
			return notDone("%s is kept until %s, said %s: %s; nothing of it is destroyed before then, or until `keep %s no`", m.ID, utc(k.Until), k.By, k.Because, m.ID)
		}
	}
	moving, err := f.underWay(tx)
	if err == nil && len(moving) > 0 {
		err = notDone("of %s there is mail on its way (%s), and its end would be lost; nothing was changed. Wait until it has left, or `delivery ID` answers what became of it",
			c.ID, strings.Join(firstOf(moving, mostOf), ", "))
	}
	return err
}

// underWay names what is about to leave, is leaving, or left with an unknown end.
func (f family) underWay(tx *store.Tx) (out []string, err error) {
	for _, id := range f.ids() {
		ps, err := Participants(tx, id)
		if err != nil {
			return nil, err
		}
		for _, p := range ps {
			all, err := Notices(tx, id, p.Party)
			if err != nil {
				return nil, err
			}
			for _, n := range all {
				switch {
				case n.State == cvd.Queued, n.State == cvd.Unknown:
					out = append(out, fmt.Sprintf("%s to %s, D%d", noticeName(n), p.Party, n.Delivery))
				case n.State == cvd.Planned && !n.Row.IsZero():
					out = append(out, fmt.Sprintf("%s to %s, %s", noticeName(n), p.Party, noticeRef(n)))
				}
			}
		}
	}
	return out, nil
}

// noCase is the answer about a tag that names nothing that the actor may know
// of, or a case that was destroyed. Of one that was restricted only the operator
// is told that: what others are answered is filed where all of the desk reads it.
func (s *sitting) noCase(id cvd.CaseID) error {
	r, err := shredOf(s.tx, id)
	switch {
	case err != nil:
		return err
	case r.gone() && (len(r.Restricted) == 0 || s.by.Via == ViaOperator):
		return notDone("%s was shredded on %s; nothing of it is left here, and its tag is not used again", id, day(r.Erased))
	}
	return notDone("there is no case %s; `status` lists the cases", id)
}

// shredLine says in a status, a case file and a digest when a case is destroyed,
// and how that is stopped; "" where it is not.
func shredLine(tx *store.Tx, id cvd.CaseID) (string, error) {
	r, err := shredOf(tx, id)
	if err != nil || !r.pending() {
		return "", err
	}
	return fmt.Sprintf("on %s, unless somebody stops it: `reject %s because \"...\"`", instant(r.Due), r.Approval), nil
}

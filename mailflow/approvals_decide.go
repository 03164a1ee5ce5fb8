package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// approve adds one coordinator's yes to a request. The author never approves,
// unless the desk has one coordinator only: then its own yes counts after
// CoolOff. It answers in words what it did.
func (b *Base) approve(tx *store.Tx, id string, by Actor) (string, error) {
	a, err := approvalByID(tx, id)
	if err != nil {
		return "", err
	}
	alone, err := b.mayApprove(tx, a, by)
	if err != nil {
		return "", err
	}
	shared, err := allWrote(tx, a)
	if err != nil {
		return "", err
	}
	a.Yes = append(a.Yes, cvd.Approved{By: by.Name, At: tx.Now, Signed: by.Signed})
	if err := record(tx, journal.Record{Case: string(a.Case), Actor: by.Name, Kind: "approval.yes", Ref: a.ID, Detail: by.Via}); err != nil {
		return "", err
	}
	if alone {
		a.Cool = tx.Now.Add(b.CoolOff)
	} else if have, need := yeses(a, shared); have < need {
		said := fmt.Sprintf("%s has %d of %d", a.ID, have, need)
		if shared {
			said += "; " + sharedWords(need)
		}
		return said, putApproval(tx, a)
	}
	a.Ended, a.How = tx.Now, "approved"
	if err := b.endApproval(tx, a); err != nil {
		return "", err
	}
	if isKit(a) {
		said := fmt.Sprintf("%s approved: %s is ready, and goes to nobody unless a coordinator fires it with `leak`", a.ID, approvalWhat(a))
		if alone {
			said += fmt.Sprintf(", not before %s since nobody else is on the desk", instant(a.Cool))
		}
		return said, nil
	}
	said := fmt.Sprintf("%s approved: %s to %s goes at %s", a.ID, approvalWhat(a), partyList(a.Parties), instant(laterOf(a.Due, tx.Now.Add(b.Undo))))
	if alone {
		said += fmt.Sprintf(", not before %s since nobody else is on the desk", instant(a.Cool))
	}
	return said, nil
}

// mayApprove says whether this coordinator's yes counts; alone is true where
// the author approves because there is nobody else.
func (b *Base) mayApprove(tx *store.Tx, a cvd.ApprovalRequest, by Actor) (alone bool, err error) {
	desk, err := Coordinators(tx)
	if err != nil {
		return false, err
	}
	said := slices.ContainsFunc(a.Yes, func(y cvd.Approved) bool { return y.By == by.Name })
	author := slices.Contains(a.Authors, by.Name)
	alone = author && len(desk) == 1 && desk[0].Name == by.Name
	shared, err := allWrote(tx, a)
	if err != nil {
		return false, err
	}
	blind, err := blindTo(tx, a, by)
	if err != nil {
		return false, err
	}
	switch {
	case a.Granted():
		return false, already("%s is over: %s", a.ID, a.How)
	case !a.Open():
		return false, overNow(a)
	case blind:
		return false, fmt.Errorf("%s must be seen by somebody else; your yes does not count for it, and nothing leaves. Leave it to another coordinator, or write the text anew", a.ID)
	case said:
		return false, already("%s has your yes already; it needs another coordinator", a.ID)
	case author && !alone && !shared: // before the signature, which would not help
		return false, fmt.Errorf("%s is your own text; another coordinator approves it", a.ID)
	case a.Signed && !by.Signed:
		return false, b.onlySigned(tx, a, by)
	}
	return alone, nil
}

// allWrote says that each of several coordinators who may see a case wrote part of
// what a request is about, so that nobody is left who wrote none. Then two of them
// say yes: whoever wrote a part, another one said yes to it. For the desk of one there
// is cool_off; a case that one of several alone may see has nobody.
func allWrote(tx *store.Tx, a cvd.ApprovalRequest) (bool, error) {
	desk, err := Coordinators(tx)
	if err != nil || len(a.Authors) < 2 {
		return false, err
	}
	c, err := CaseByID(tx, a.Case)
	if err != nil && !errors.Is(err, ErrNoCase) {
		return false, err
	}
	see := 0
	for _, k := range desk {
		switch {
		case !maySee(c, k.Name):
		case !slices.Contains(a.Authors, k.Name):
			return false, nil
		default:
			see++
		}
	}
	return see > 1, nil
}

// yeses are how many coordinators said yes to a request, and how many have to. The
// yes of an author counts where all of them are that.
func yeses(a cvd.ApprovalRequest, shared bool) (have, need int) {
	for _, y := range a.Yes {
		if shared || !slices.Contains(a.Authors, y.By) {
			have++
		}
	}
	if shared {
		return have, max(a.Need, 2)
	}
	return have, a.Need
}

// sharedWords says why a request takes more yeses than its policy asks for.
func sharedWords(need int) string {
	who := "two of you"
	if need > 2 {
		who = fmt.Sprintf("%d of you", need)
	}
	return "each of you wrote part of it, so that " + who + " say yes: every part has that of another then"
}

// reject ends a request; what it held stays held until something changes.
func (b *Base) reject(tx *store.Tx, id string, by Actor, because string) (string, error) {
	a, err := approvalByID(tx, id)
	if err != nil {
		return "", err
	}
	switch {
	case strings.HasPrefix(a.How, "rejected"):
		return "", already("%s is over: %s", a.ID, a.How)
	case !a.Open():
		return "", overNow(a)
	}
	a.Ended, a.How = tx.Now, "rejected by "+by.Name+": "+because
	err = record(tx, journal.Record{Case: string(a.Case), Actor: by.Name, Kind: "approval.no", Ref: a.ID, Detail: because})
	if err != nil {
		return "", err
	}
	if err := b.endApproval(tx, a); err != nil {
		return "", err
	}
	if isDraft(a) {
		return fmt.Sprintf("%s rejected; the letter to %s does not leave", a.ID, partyList(a.Parties)), b.endDraft(tx, a, by, because)
	}
	if isKit(a) {
		return fmt.Sprintf("%s rejected; %s cannot be fired until what is in it changes", a.ID, approvalWhat(a)), nil
	}
	return fmt.Sprintf("%s rejected; %s to %s is held", a.ID, a.Stage, partyList(a.Parties)), nil
}

// overNow says that a request is over, and where one stands in its place.
func overNow(a cvd.ApprovalRequest) error {
	if a.Next != "" {
		return fmt.Errorf("%s is over: %s; %s stands in its place, see Approvals", a.ID, a.How, a.Next)
	}
	return fmt.Errorf("%s is over: %s", a.ID, a.How)
}

package mailflow

import (
	"fmt"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// void ends an open request that no longer says what would leave, and tells the
// desk why. next stands in its place, if anything does.
func (b *Base) void(tx *store.Tx, id, why, next string) error {
	now, err := approvalByID(tx, id)
	if err != nil || !now.Open() {
		return err
	}
	now.Ended, now.How, now.Next = tx.Now, "void: "+why, next
	if err := putApproval(tx, now); err != nil {
		return err
	}
	if err := record(tx, journal.Record{Case: string(now.Case), Kind: "approval.void", Ref: id, Detail: why}); err != nil {
		return err
	}
	if err := b.nothingToDecide(tx, now); err != nil {
		return err
	}
	return b.tellVoid(tx, now, why)
}

// tellVoid says in Status what changed.
func (b *Base) tellVoid(tx *store.Tx, a cvd.ApprovalRequest, why string) error {
	what := approvalWhere(a)
	next := "there is nothing to do; it is not to leave any more"
	if a.Next != "" {
		next = "look at " + a.Next + " in Approvals, which stands in its place and says what would leave now"
	}
	r, err := b.Templates.Refusal(refusal("approval "+a.ID, "The request "+a.ID+" for "+what+" is void. A yes that it had does not count, and nothing left because of it.", why, next))
	if err != nil {
		return err
	}
	_, _, _, err = b.post(tx, Post{Folder: "Status", Case: a.Case, Subject: fmt.Sprintf("Void: %s, %s", a.ID, what), Text: r.Text, Kind: "transcript"})
	return err
}

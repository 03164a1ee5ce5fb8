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

// What a request names never changes, and may be a thousand notices. It is
// kept beside the request, so that the gate reads only what concerns the
// notice that it is asked about.
type approvalSubject struct {
	Notices []uint64
	Parties []cvd.PartyID
}

var (
	approvalSubjects = store.WriteOnce[approvalSubject]("approvalsubjects")
	approvalHashes   = store.WriteOnce[string]("approvalhashes") // request and notice
	approvalDetails  = store.WriteOnce[approvalParts]("approvalparts")
)

// approvalParts are digests of what a yes to one notice is bound to, by what it
// is in words.
type approvalParts map[string]string

// sum is the hash that binds a yes.
func (p approvalParts) sum() string {
	for _, d := range p {
		if d == "" {
			return "" // never equal to an approved hash
		}
	}
	return digestAll(map[string]string(p))
}

// changed names what is not as it was.
func (p approvalParts) changed(now approvalParts) []string {
	var out []string
	for what, d := range now {
		if p[what] != d {
			out = append(out, what)
		}
	}
	slices.Sort(out)
	return out
}

// digestAll is digestOf of values that can always be written.
func digestAll(what ...any) string {
	d, err := digestOf(what...)
	if err != nil {
		return ""
	}
	return d
}

// approvalByID reads a request with all that it names, its hashes excepted; a
// clear error when there is none.
func approvalByID(tx *store.Tx, id string) (cvd.ApprovalRequest, error) {
	key := approvalKey(tx, strings.ToLower(strings.TrimSpace(id)))
	a, err := approvals.Get(tx, key)
	if errors.Is(err, store.ErrNotFound) {
		return a, fmt.Errorf("there is no approval %s", id)
	}
	if err != nil {
		return a, err
	}
	about, err := approvalSubjects.Get(tx, key)
	a.Notices, a.Parties = about.Notices, about.Parties
	return a, err
}

// approvalOf reads the request that names a notice, with its hash of that
// notice alone; store.ErrNotFound when there is none.
func approvalOf(tx *store.Tx, n cvd.Notice) (cvd.ApprovalRequest, error) {
	key := approvalKey(tx, n.ApprovalID)
	a, err := approvals.Get(tx, key)
	if err != nil {
		return a, err
	}
	hash, err := approvalHashes.Get(tx, append(key, store.Seq(n.ID)...))
	if errors.Is(err, store.ErrNotFound) {
		return a, nil // bound to nothing
	}
	a.Hashes = map[uint64]string{n.ID: hash}
	return a, err
}

// putApproval writes a request, and with its first version all that it names.
func putApproval(tx *store.Tx, a cvd.ApprovalRequest) error {
	scope, key := caseScope(a.Case), approvalKey(tx, a.ID)
	if !approvals.Has(tx, key) {
		if err := approvalSubjects.Put(tx, scope, key, approvalSubject{a.Notices, a.Parties}); err != nil {
			return err
		}
		for n, hash := range a.Hashes {
			if err := approvalHashes.Put(tx, scope, slices.Concat(key, store.Seq(n)), hash); err != nil {
				return err
			}
		}
	}
	if isDraft(a) {
		for _, n := range a.Notices {
			if err := letterChanged(tx, n); err != nil {
				return err
			}
		}
	}
	a.Notices, a.Parties, a.Hashes = nil, nil, nil
	if err := approvals.Put(tx, scope, key, a); err != nil {
		return err
	}
	return putAlarm(tx, a)
}

// approvalWhat is what a request is about, in words.
func approvalWhat(a cvd.ApprovalRequest) string {
	if isDraft(a) {
		return "the letter"
	}
	if isKit(a) {
		return "the leak kit (" + kitLevels(a) + ")"
	}
	return string(a.Stage)
}

// approvalWhere is what a request is about, to whom and in which case.
func approvalWhere(a cvd.ApprovalRequest) string {
	if isKit(a) {
		return fmt.Sprintf("%s in %s", approvalWhat(a), a.Case)
	}
	return fmt.Sprintf("%s to %s in %s", approvalWhat(a), partyList(a.Parties), a.Case)
}

// endApproval writes the end of a request, takes its mail away and asks the
// gate again.
func (b *Base) endApproval(tx *store.Tx, a cvd.ApprovalRequest) error {
	if err := putApproval(tx, a); err != nil {
		return err
	}
	if err := b.nothingToDecide(tx, a); err != nil {
		return err
	}
	return b.wakeRequest(tx, a)
}

// nothingToDecide takes away the mails that stand before the desk because of a
// request, what tells of buttons that were refused for them, and the drafts that
// only lack a signature.
func (b *Base) nothingToDecide(tx *store.Tx, a cvd.ApprovalRequest) error {
	desk, err := Coordinators(tx)
	if err != nil {
		return err
	}
	for _, key := range approvalTasks(a) {
		id, err := taskMessage(tx, key)
		if err == nil {
			err = b.taskDone(tx, key)
		}
		if err == nil && id != 0 {
			err = b.notRefused(tx, desk, id)
		}
		if err != nil {
			return err
		}
	}
	for _, c := range desk {
		if err := b.drafted(tx, c.Name, []string{"approve " + a.ID}, ""); err != nil {
			return err
		}
	}
	return nil
}

// notRefused takes away what tells coordinators that a button was refused for the
// mail of a request.
func (b *Base) notRefused(tx *store.Tx, desk []Coordinator, id uint64) error {
	for _, name := range []string{"Approve", "Reject"} {
		box, err := b.folder(tx, buttonsFolder+delimiter+name)
		if err != nil {
			return err
		}
		for _, c := range desk {
			if err := b.taskDone(tx, refusedKey(c.Name, box, id)); err != nil {
				return err
			}
		}
	}
	return nil
}

// approvalTasks are the mails that stand before the desk because of a request.
func approvalTasks(a cvd.ApprovalRequest) []string {
	out := []string{"approval:" + a.ID, draftTask(a.ID), alarmTask(a.ID)}
	for _, id := range a.Beside {
		out = append(out, veiledTask(a.ID, id))
	}
	return out
}

// wakeRequest asks the gate again about what a request names.
func (b *Base) wakeRequest(tx *store.Tx, a cvd.ApprovalRequest) error {
	if isKit(a) {
		return b.wakeLeaks(tx, a.Case)
	}
	for _, p := range a.Parties {
		all, err := Notices(tx, a.Case, p)
		if err != nil {
			return err
		}
		for _, n := range all {
			if n.ApprovalID != a.ID {
				continue
			}
			if err := wakeOne(tx, n, false); err != nil {
				return err
			}
		}
	}
	b.touch(tx, a.Case)
	return nil
}

// partyList names parties; of many only the first.
func partyList(ps []cvd.PartyID) string {
	const most = 20
	var out []string
	for _, p := range ps[:min(len(ps), most)] {
		out = append(out, string(p))
	}
	if len(ps) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(out, ", "), len(ps)-most)
	}
	return strings.Join(out, ", ")
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// newApprovalID makes an ID that was never used.
func newApprovalID(tx *store.Tx) (string, error) {
	for {
		h := randomHex(4)
		id := h[:4] + "-" + h[4:]
		_, err := approvals.Get(tx, approvalKey(tx, id))
		if errors.Is(err, store.ErrNotFound) {
			return id, nil
		}
		if err != nil {
			return "", err
		}
	}
}

package mailflow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// moves makes a gesture and wants it done.
func (r *deskRig) moves(by Actor, button string, message uint64) {
	r.t.Helper()
	r.must(r.Gesture(context.Background(), by, Gesture{Button: button, Message: message}))
}

// movesRefused makes a gesture and wants it refused with these words, and
// everything as it was.
func (r *deskRig) movesRefused(by Actor, button string, message uint64, why string) {
	r.t.Helper()
	before := r.head()
	err := r.Gesture(context.Background(), by, Gesture{Button: button, Message: message})
	var refusal *Refusal
	if !errors.As(err, &refusal) || !strings.Contains(refusal.Sentence, why) {
		r.t.Errorf("%s: %v, want a refusal with %q", button, err, why)
	}
	if strings.Contains(fmt.Sprint(err), "\n") {
		r.t.Errorf("%s: more than a sentence: %q", button, err)
	}
	if r.head() != before {
		r.t.Errorf("%s was refused and left a record", button)
	}
}

// mail puts a message of some kind into the store.
func (r *deskRig) mail(p Post, change func(*store.Message)) uint64 {
	r.t.Helper()
	var id uint64
	r.update(func(tx *store.Tx) error {
		m, _, _, err := r.post(tx, p)
		if err != nil {
			return err
		}
		id = m.ID
		return tx.MoveMessage(id, m.Scope, change)
	})
	return id
}

func same(*store.Message) {}

// A case opened by dropping a report is named by its inner Subject, follows
// the default policy, and whoever dropped it answers for it.
func TestGesture_NewCase(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	m := r.fileReport(17, "Fwd: 100% of a/b overflow")
	r.moves(anaMoves, "New case", m)
	c := r.theCaseIs("PAR-2026-0001")
	if c.Title != "100- of a-b overflow" || c.Policy.Name != "default" || c.Responsible != "ana" {
		t.Errorf("case %q, policy %s, responsible %s", c.Title, c.Policy.Name, c.Responsible)
	}
	r.movesRefused(anaMoves, "New case", m, "report #17 is case PAR-2026-0001 already")
	r.movesRefused(anaMoves, "New case", 999, "not here any more")
	r.movesRefused(anaMoves, "New case", r.mail(Post{Folder: "Status", Subject: "s", Text: "t\n"}, same), "no report from Intake")
	r.say(asOperator, "case PAR-2026-0001", "case restrict ana")
	r.movesRefused(Actor{Name: "ben", Via: ViaGesture}, "New case", m, "not here any more")
}

func TestGesture_Decides(t *testing.T) {
	t.Parallel()
	r := strictRig(t)
	id := r.stageRequest(1, false)
	ask := r.mail(Post{Folder: "Approvals", Case: "PAR-2026-0001", Subject: "s", Text: "t\n", Kind: "approval", Ref: id}, same)
	other := r.mail(Post{Folder: "Status", Subject: "s", Text: "t\n", Kind: "transcript"}, same)
	r.movesRefused(anaMoves, "Approve", ask, "is your own text")
	r.movesRefused(anaMoves, "Approve", other, "no request for approval")
	r.movesRefused(anaMoves, "Reject", other, "no request for approval")
	r.moves(Actor{Name: "ben", Via: ViaGesture}, "Approve", ask)
	r.movesRefused(anaMoves, "Reject", ask, "is over: approved")

	signed := strictRig(t)
	signed.stageRequest(1, true)
	ask = signed.mail(Post{Folder: "Approvals", Case: "PAR-2026-0001", Subject: "s", Text: "t\n", Kind: "approval", Ref: id}, same)
	signed.movesRefused(Actor{Name: "ben", Via: ViaGesture}, "Approve", ask, "send `approve 9f3a-27c1`, signed, to control@")
	signed.moves(anaMoves, "Reject", ask)
}

func TestGesture_HoldAndRelease(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	letter := r.mail(Post{Folder: "Vendor acme", Case: "PAR-2026-0001", Subject: "s", Text: "t\n", Kind: "letter"},
		func(m *store.Message) { m.Party, m.Direction = "acme", "in" })
	file := r.mail(Post{Folder: "Case file", Case: "PAR-2026-0001", Subject: "s", Text: "t\n", Kind: "casefile"}, same)
	none := r.mail(Post{Folder: "Status", Subject: "s", Text: "t\n", Kind: "transcript"}, same)
	held := r.mail(Post{Folder: "Held", Case: "PAR-2026-0001", Subject: "s", Text: "t\n", Kind: "held",
		Ref: noticeRef(r.stageNotice("PAR-2026-0001", "acme", cvd.Scope))}, same)
	r.movesRefused(anaMoves, "Hold", none, "of no case")
	r.movesRefused(anaMoves, "Release", letter, "nothing of acme is held")
	r.moves(anaMoves, "Hold", letter)
	if who := r.participantIs("PAR-2026-0001", "acme"); who.Hold == nil || who.Hold.By != "ana" {
		t.Errorf("acme: %+v", who.Hold)
	}
	r.movesRefused(anaMoves, "Hold", letter, "acme is on hold since")
	r.moves(anaMoves, "Release", held)
	if who := r.participantIs("PAR-2026-0001", "acme"); who.Hold != nil {
		t.Errorf("acme is on hold still")
	}
	r.moves(anaMoves, "Hold", file)
	if c := r.theCaseIs("PAR-2026-0001"); c.Hold == nil {
		t.Error("the case is not on hold")
	}
	r.movesRefused(anaMoves, "Release", held, "the whole case PAR-2026-0001 is on hold")
	r.moves(anaMoves, "Release", file)
	if c := r.theCaseIs("PAR-2026-0001"); c.Hold != nil {
		t.Error("the case is on hold still")
	}
	gone := r.mail(Post{Folder: "Held", Case: "PAR-2026-0001", Subject: "s", Text: "t\n", Kind: "held", Ref: "N999"}, same)
	r.movesRefused(anaMoves, "Release", gone, "is gone")
	r.say(asOperator, "case PAR-2026-0001", "case restrict ana")
	r.movesRefused(Actor{Name: "ben", Via: ViaGesture}, "Hold", letter, "not here any more")
}

func TestGesture_Acknowledge(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	letter := r.mail(Post{Folder: "Vendor acme", Case: "PAR-2026-0001", Subject: "s", Text: "t\n", Kind: "letter"},
		func(m *store.Message) { m.Party, m.Direction = "acme", "in" })
	task := r.mail(Post{Folder: "INBOX", Case: "PAR-2026-0001", Subject: "s", Text: "t\n", Kind: "letter", Ref: fmt.Sprint(letter)}, same)
	out := r.mail(Post{Folder: "Vendor acme", Case: "PAR-2026-0001", Subject: "s", Text: "t\n", Kind: "stage"},
		func(m *store.Message) { m.Party, m.Direction = "acme", "out" })
	fromGlobex := r.mail(Post{Folder: "Vendor globex", Case: "PAR-2026-0001", Subject: "s", Text: "t\n", Kind: "letter"},
		func(m *store.Message) { m.Party, m.Direction = "globex", "in" })
	r.movesRefused(anaMoves, "Acknowledge", out, "no letter of a vendor")
	r.movesRefused(anaMoves, "Acknowledge", fromGlobex, "was told nothing")
	r.moves(anaMoves, "Acknowledge", task)
	if who := r.participantIs("PAR-2026-0001", "acme"); who.Acknowledged == nil || who.Acknowledged.Via != "mail" || who.Acknowledged.By != "ana" {
		t.Errorf("acknowledged: %+v", who.Acknowledged)
	}
	r.movesRefused(anaMoves, "Acknowledge", letter, "acknowledged already")
}

func TestGesture_Others(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	m := r.fileReport(17, "x")
	r.movesRefused(anaMoves, "", m, "not here any more")
	r.movesRefused(anaMoves, "Hold", m, "of no case")
	r.movesRefused(anaMoves, "Acknowledge", m, "no letter of a vendor")
}

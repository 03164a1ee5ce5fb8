package mailflow

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

var undoID = regexp.MustCompile(`undo (U[0-9]+) takes it back, until (\S+)`)

var heldSince = regexp.MustCompile(`since \S+Z`)

// offers gives commands and wants the last one to name how it is taken back.
func (r *deskRig) offers(by Actor, lines ...string) string {
	r.t.Helper()
	tr, err := r.Do(context.Background(), by, lines)
	r.must(err)
	m := undoID.FindStringSubmatch(tr.Lines[len(tr.Lines)-1].Undo)
	if !tr.Done() || m == nil || !strings.Contains(tr.String(), "    undo "+m[1]) {
		r.t.Fatalf("%q cannot be taken back:\n%s", lines, tr)
	}
	return m[1]
}

// looks is how the case reads: what a command changed and its undo put back. A
// hold that is put back begins anew, and says so.
func (r *deskRig) looks() string {
	r.t.Helper()
	return heldSince.ReplaceAllString(r.say(asOperator, "case PAR-2026-0001", "status"), "since then") + "\n" + r.say(asOperator, "case PAR-2026-0001", "plan")
}

// What each command did is taken back by its ID: a row per command. The same
// reads as before, one undo is good once, and only for who gave the command.
func TestUndo(t *testing.T) {
	t.Parallel()
	for _, row := range undoRows {
		t.Run(row.lines, func(t *testing.T) {
			t.Parallel()
			r := newStartedRig(t)
			lines := append([]string{"case PAR-2026-0001"}, strings.Split(row.lines, "; ")...)
			last := len(lines) - 1
			if last > 1 {
				r.say(row.by, lines[:last]...)
			}
			before, stored := r.looks(), r.stored()
			full := r.everything()
			id := r.offers(row.by, lines[0], lines[last])
			if r.everything() == full {
				t.Fatalf("%s changed nothing:\n%s", lines[last], before)
			}
			r.refused(asBenSigns, "", "undo "+id)
			r.after(r.Settings.Undo)
			r.say(row.by, "undo "+strings.ToLower(id))
			if got := r.looks(); got != before {
				t.Errorf("after undo:\n%s\nbefore:\n%s", got, before)
			}
			if got := r.stored(); got != stored {
				t.Errorf("the store holds another thing after undo: %s", changedRows(stored, got))
			}
			r.refused(row.by, "was taken back already", "undo "+id)
		})
	}
}

// After the window there is a sentence that says what did the opposite would
// be of, and nothing changes.
func TestUndo_Refused(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	const tag = "case PAR-2026-0001"
	id := r.offers(asAna, tag, "hold acme")
	r.refused(asBen, "is what ana did, and only ana can take it back", "undo "+id)
	r.refused(asAna, "there is no undo U99", "undo U99")
	r.refused(asAna, "there is no undo x", "undo x")
	r.refused(asAna, "is missing; write: undo ID", "undo")
	r.after(time.Second)
	r.say(asAna, tag, "release acme", "hold acme because again")
	r.refused(asAna, "the hold was changed since, and stays as it is now", "undo "+id)
	r.after(r.Settings.Undo)
	r.refused(asAna, "the 2m in which "+id+" could be undone ended 2026-12-01T09:02Z; give the command that does the opposite", "undo "+id)

	no := r.offers(asAna, tag, "record acme declined because no")
	r.refused(asAna, "lets the next stage go and so counts only signed", "undo "+no)
	r.say(asAnaSigns, "undo "+no)
	r.say(asOperator, tag, "stage acme details at 2026-12-01T09:08Z")
	earlier := r.offers(asAnaSigns, tag, "stage acme details at 2026-12-01T09:09Z")
	r.refused(asAna, "moves a date earlier and so counts only signed", "undo "+earlier)
	r.say(asOperator, tag, "case restrict ana")
	mine := r.offers(asAna, tag, "hold globex")
	r.refused(asBen, "there is no undo "+mine, "undo "+mine)
}

// A record on which a stage left since stays, and so does a case that was
// worked on, a start of which something left, a date that somebody accepted.
func TestUndo_WhatRestsOnIt(t *testing.T) {
	t.Parallel()
	const tag = "case PAR-2026-0001"
	r := newStartedRig(t)
	r.writes("PAR-2026-0001", cvd.Scope, "scope")
	id := r.offers(asAna, tag, "record acme ack via mail")
	r.after(time.Second)
	r.haveLeft("PAR-2026-0001", "acme", cvd.Scope)
	r.refused(asAna, "scope to acme has left since", "undo "+id)

	r = newDeskRig(t)
	r.openedCase()
	start := r.offers(asAnaSigns, tag, "start now")
	r.say(asAnaSigns, "undo "+start)
	if r.theCaseIs("PAR-2026-0001").Started() || !strings.Contains(r.say(asAna, tag, "plan"), "has not started") {
		t.Error("the start was not undone")
	}
	start = r.offers(asAnaSigns, tag, "start now")
	r.haveLeft("PAR-2026-0001", "acme", cvd.HeadsUp)
	r.refused(asAnaSigns, "heads-up has left for acme already", "undo "+start)

	date := r.offers(asAnaSigns, tag, "embargo 2026-12-24T16:00Z because later")
	if len(r.embargoNotices("acme")) != 1 {
		t.Fatal("acme is not told")
	}
	r.say(asAnaSigns, tag, "record acme accept v2 via phone")
	r.refused(asAnaSigns, "acme accepted v2 already", "undo "+date)

	opened := r.offers(asAna, "case open x")
	r.say(asAna, "undo "+opened)
	if c := r.theCaseIs("PAR-2026-0002"); c.Closed.IsZero() {
		t.Error("the case is open still")
	}
	opened = r.offers(asOperator, "case open y")
	r.say(asOperator, "case PAR-2026-0003", "invite acme")
	r.refused(asOperator, "was worked on since it was opened", "undo "+opened)
}

// A report goes back to Intake with the undo of the case that was opened from it.
func TestUndo_OpenedFromReport(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.fileReport(17, "overflow")
	id := r.offers(asAna, "case open overflow report 17")
	r.say(asAna, "undo "+id)
	if got := r.say(asAna, "status"); !strings.Contains(got, "Intake: 1 report in no case yet") {
		t.Errorf("status: %s", got)
	}
}

// A yes and a no are taken back by the ID of the undo, or of the approval.
func TestUndo_Decisions(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"approve 9f3a-27c1", `reject 9f3a-27c1 because "no"`} {
		r := strictRig(t)
		id := r.stageRequest(1, false)
		r.update(func(tx *store.Tx) error {
			return r.task(tx, "approval:"+id, Post{Folder: "Approvals", Case: "PAR-2026-0001", Subject: "Approve?", Text: "t\n", Kind: "approval", Ref: id})
		})
		u := r.offers(asBen, how)
		if len(r.postsIn("Approvals")) != 0 {
			t.Errorf("%s: it is asked still", how)
		}
		r.refused(asAna, "there is no undo "+id, "undo "+id)
		r.say(asBen, "undo "+id)
		if len(r.postsIn("Approvals")) != 1 {
			t.Errorf("%s: it is not asked again", how)
		}
		r.view(func(tx *store.Tx) error {
			a, err := approvalByID(tx, id)
			if err == nil && (!a.Open() || len(a.Yes) != 0) {
				t.Errorf("%s: %+v", how, a)
			}
			return err
		})
		r.refused(asBen, "was taken back already", "undo "+u)
	}
}

// What was handed over by hand is planned again.
func TestUndo_Delivered(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	tag := r.openedCase()
	r.say(asOperator, "vendor edit acme channel hand", tag, "start now")
	r.after(r.Settings.Undo)
	before := r.looks()
	id := r.offers(asAna, tag, `record acme delivered heads-up via "portal"`)
	if r.participantIs("PAR-2026-0001", "acme").Reached != cvd.HeadsUp {
		t.Fatal("it is not on record")
	}
	r.say(asAna, "undo "+id)
	if who := r.participantIs("PAR-2026-0001", "acme"); who.Reached != "" || len(who.Codes) != 0 || r.looks() != before {
		t.Errorf("told %s, %d codes:\n%s\nbefore\n%s", who.Reached, len(who.Codes), r.looks(), before)
	}
}

// A dry run offers nothing, since nothing of it stays.
func TestUndo_DryRun(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	tr, err := r.Do(context.Background(), asAna, []string{"dry-run", "case PAR-2026-0001", "hold acme"})
	r.must(err)
	if !tr.Done() || strings.Contains(tr.String(), "undo ") {
		t.Errorf("%s", tr)
	}
	tr, err = r.Do(context.Background(), asAna, []string{"case PAR-2026-0001", "hold acme", "hold globex", "hold nobody"})
	r.must(err)
	if tr.Done() || undoID.MatchString(tr.String()) {
		t.Errorf("what was taken back offers an undo:\n%s", tr)
	}
}

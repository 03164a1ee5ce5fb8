package mailflow

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// The answer about a delivery of a restricted case is filed with that case.
func TestA2_AnswerAboutADelivery(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	r.queued("acme", cvd.Scope)
	_, err := r.Queue.RunDue(t.Context(), r.now())
	r.must(err)
	r.say(asOperator, "case PAR-2026-0001", "case restrict ana")
	tr, err := r.Do(context.Background(), asAna, []string{"delivery D1 sent"})
	r.must(err)
	if !tr.Done() || tr.Case != "PAR-2026-0001" {
		t.Errorf("filed under %q:\n%s", tr.Case, tr)
	}
}

// Nor does an answer that is for everybody say that a report became part of one.
func TestA2_AnswerAboutAReport(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.fileReport(1, "Overflow")
	r.say(asOperator, "case open \"x\" report 1", "case restrict ana")
	for _, line := range []string{"report 1 spam", "report 1 decline no", `case open "y" report 1`} {
		tr, err := r.Do(context.Background(), asAna, []string{line})
		r.must(err)
		if tr.Done() || tr.Case != "PAR-2026-0001" {
			t.Errorf("%s: filed under %q:\n%s", line, tr.Case, tr)
		}
	}
}

// not in what `status`, `claim` and the digest tell others.
func TestA2_TaskOfAReportInARestrictedCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	w.reported(w.person("fin", "fin@finder.example"), "Overflow", "x")
	w.update(func(tx *store.Tx) error {
		return w.task(tx, "held:x", Post{Case: reportCase(1), Subject: "Secretword", Kind: "bounce", Text: "x\n"})
	})
	var id string
	w.view(func(tx *store.Tx) error {
		row, err := readTask(tx, "held:x")
		id = row.id()
		return err
	})
	if got := w.as(asBen, "status").String(); !strings.Contains(got, "Secretword") {
		t.Fatalf("it is no task:\n%s", got)
	}
	_, err := w.puts("COPY", "Intake", "Overflow", "Do/New case")
	w.ok(err)
	w.in("PAR-2026-0001", "case restrict ana")
	w.refuses(asBen, "there is no open task "+id, "claim "+id)
	w.refuses(asBen, "there is no open task "+id, "done "+id)
	if got := w.as(asBen, "status").String(); strings.Contains(got, "Secretword") {
		t.Errorf("ben is told:\n%s", got)
	}
	var d digest
	w.view(func(tx *store.Tx) error {
		ben, err := CoordinatorByName(tx, "ben")
		if err == nil {
			d, err = w.gatherDigest(tx, ben, digestRow{})
		}
		return err
	})
	for _, p := range d.Needs {
		if strings.Contains(strings.Join(p.Lines, "\n"), "Secretword") {
			t.Errorf("ben's digest: %q", p)
		}
	}
	// Who sees the case has it with the case.
	if got := w.as(asAna, "case PAR-2026-0001", "claim").String(); !strings.Contains(got, "Secretword") {
		t.Errorf("ana is told:\n%s", got)
	}
}

// A case that was merged into a restricted one does not say so to the others.
func TestA2_MergedIntoARestrictedCase(t *testing.T) {
	t.Parallel()
	w, id, other := twoCases(t)
	w.in(id, "case restrict ana")
	w.control("ana", true, "case "+string(id), "case merge "+string(other))
	if w.theCase(other).Merged != id {
		t.Fatalf("not merged: %s", w.words(w.last("Status")))
	}
	none := func(lines ...string) {
		t.Helper()
		if got := w.as(asBen, lines...).String(); strings.Contains(got, string(id)) || strings.Contains(got, "merged") {
			t.Errorf("ben is told by %q:\n%s", lines, got)
		}
	}
	none("case "+string(other), "history")
	none("case "+string(other), "case reopen")
	none("case "+string(other), "status")
	none("case "+string(other), "claim")
	none("status")
	w.finds("ben", false, string(id), "Crash")
	w.in(id, "case restrict everybody")
	if got := w.as(asBen, "case "+string(other), "case reopen").String(); !strings.Contains(got, "was merged into "+string(id)) {
		t.Errorf("everybody may know by now:\n%s", got)
	}
	w.in(id, "case restrict ana")
	none("case "+string(other), "history")
}

// Junk.
func TestA2_JunkOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	id := w.caseWith("acme")
	w.in(id, "case restrict ana")
	w.arrives("psirt@acme.example", w.thread(id, "acme"), []byte("From: someone@else.example\r\nSubject: buy\r\nMessage-ID: <x@y>\r\n\r\nbuy\r\n"))
	w.settle()
	before, err := w.seatOf("ben").Status("Junk", false)
	w.ok(err)
	_, err = w.puts("COPY", "Quarantine", "buy", "Do/Spam")
	w.ok(err)
	after, err := w.seatOf("ben").Status("Junk", false)
	w.ok(err)
	if mine, err := w.seatOf("ana").Status("Junk", false); err != nil || mine.Messages != 1 {
		t.Errorf("ana's Junk: %+v, %v", mine, err)
	}
	if before != after {
		t.Errorf("ben's Junk was %+v and is %+v", before, after)
	}
}

// What waits for a yes about a report is decided where it stands after the report
// became part of a case, and by nobody who may not see that.
func TestA2_DraftOfAReportInACase(t *testing.T) {
	t.Parallel()
	w, other := crossing(t)
	fin := w.person("Jo Doe", "jo@finder.example")
	r := w.reported(fin, "A flaw", "Hello")
	w.submits("ana", fmt.Sprintf("finder.report-%d@%s", r.Number, w.DeskDomain), false, "Re: A flaw", globexWords+"\n")
	a := w.keptBack("globex wrote on 1 Dec in " + string(other))
	id := cvd.FindCaseIDs(w.do(fmt.Sprintf(`case open "A flaw" policy fast report %d`, r.Number)))[0]
	w.in(id, "case restrict ana")
	w.refuses(benByMail, "there is no approval "+a.ID, `reject `+a.ID+` because "no"`)
	w.in(id, "case restrict everybody")
	if err := w.press(benByGesture, "Reject", a.ID); err != nil {
		t.Fatal(err)
	}
}

// A digest that told of a report is taken back, too, where its reader may not see
// the case that it became part of; whichever came first.
func TestA2_DigestToldOfAReport(t *testing.T) {
	t.Parallel()
	for name, become := range map[string]func(w *world){
		"then restricted": func(w *world) {
			w.do(`case open "x" report 1`, "case restrict ana")
		},
		"into a restricted one": func(w *world) {
			w.do(`case open "x"`, "case restrict ana")
			w.do("report 1 join PAR-2026-0001")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := digesting(t)
			fin := w.person("fin", "fin@finder.example")
			r := w.reported(fin, "Secretword", "x")
			to := w.ThreadAddress(r.Token)
			w.arrives(fin.Address, to, w.seal(fin, to, true, mailtest.Entity("Re: Secretword", "one more thing")))
			w.after(2 * cvd.Day)
			for _, who := range []string{"ana", "ben"} {
				if all := w.digestsOf(who); len(all) == 0 || !strings.Contains(w.words(all[len(all)-1]), "Secretword") {
					t.Fatalf("%s has %d digests, none of which tells of the report", who, len(all))
				}
			}
			become(w)
			w.settle()
			for _, m := range w.digestsOf("ben") {
				if strings.Contains(w.words(m), "Secretword") {
					t.Errorf("ben still reads\n%s", w.words(m))
				}
			}
			if len(w.digestsOf("ana")) == 0 {
				t.Error("ana's are gone, too")
			}
			w.after(cvd.Day)
			if len(w.digestsOf("ben")) == 0 {
				t.Error("ben gets no digest any more")
			}
		})
	}
}

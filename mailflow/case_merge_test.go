package mailflow

import (
	"slices"
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// twoCases is a desk with two cases of the same flaw, each with a finder, and a
// vendor in the second one that nobody told anything yet.
func twoCases(t *testing.T) (w *world, id, other cvd.CaseID) {
	w, id = twoFinders(t)
	_, err := w.puts("COPY", "Intake", "Crash", "Do/New case")
	w.ok(err)
	other = "PAR-2026-0002"
	w.vendor("acme")
	w.vendor("globex")
	w.in(id, "invite acme wave 1")
	w.in(other, "invite acme wave 2", "invite globex wave 1")
	w.submits("ana", "notes."+other.Lower()+"@"+w.DeskDomain, false, "a thought", "x\n")
	return w, id, other
}

// A case takes another one in with its finders, vendors and mails; whatever
// comes for that one later arrives here.
func TestCaseMerge(t *testing.T) {
	t.Parallel()
	w, id, other := twoCases(t)
	gil, globex := w.people["gil"], w.people["globex"]
	toGil, toGlobex := w.thread(other, "finder"), w.thread(other, "globex")
	w.refuses(asAna, "adds a recipient (globex)", "case "+string(id), "case merge "+string(other))
	policy := w.theCase(id).Policy.Name
	w.control("ana", true, "case "+string(id), "case merge "+string(other))
	c, o := w.theCase(id), w.theCase(other)
	if !slices.Equal(c.Reports, []uint64{1, 2}) || c.Policy.Name != policy || o.Closed.IsZero() || o.Merged != id {
		t.Fatalf("%+v\n%+v\n%s", c, o, w.words(w.last("Status")))
	}
	if r := w.reports()[1]; r.Case != id || r.Finder() != "finder-2" || w.who(id, "finder-2").Address != gil.Address {
		t.Errorf("the second report: %+v", r)
	}
	if w.who(id, "acme").Wave != 1 || w.who(id, "globex").Token != w.who(other, "globex").Token {
		t.Errorf("acme %+v", w.who(id, "acme"))
	}
	if w.countIn(w.folderOf(id, "Notes"), "a thought") != 1 || w.countIn(w.folderOf(id, "Finder 2"), "Crash") == 0 {
		t.Errorf("Notes %q, Finder 2 %q", w.subjects(w.folderOf(id, "Notes")), w.subjects(w.folderOf(id, "Finder 2")))
	}
	w.arrives(gil.Address, toGil, w.seal(gil, toGil, true, mailtest.Entity("Re: ["+string(other)+"] Crash", "more")))
	w.arrives(globex.Address, toGlobex, w.seal(globex, toGlobex, true, mailtest.Entity("Hello", "about "+string(other))))
	w.arrives(gil.Address, reportTo, w.seal(gil, reportTo, true, mailtest.Entity("["+string(other)+"] and this", "even more")))
	w.settle()
	if w.countIn(w.folderOf(id, "Finder 2"), "Re: ["+string(other)) != 1 || w.countIn(w.folderOf(id, "Finder 2"), "and this") != 1 || w.countIn(w.folderOf(id, "Vendor globex"), "Hello") != 1 {
		t.Errorf("Finder 2 %q, globex %q, Quarantine %q, Intake %q", w.subjects(w.folderOf(id, "Finder 2")), w.subjects(w.folderOf(id, "Vendor globex")),
			w.subjects("Quarantine"), w.subjects("Intake"))
	}
	w.submits("ana", "finder."+other.Lower()+"@"+w.DeskDomain, false, "Re: Crash", "thank you, gil\n") // as a view before said
	w.clock.Advance(w.Undo)
	w.settle()
	if got := w.got("gil"); len(got) != 2 || !strings.Contains(got[1].Text, "thank you, gil") || len(w.got("fin")) != 1 {
		t.Errorf("gil got %d mails, fin %d", len(got), len(w.got("fin")))
	}
	w.refuses(theOperator, "was merged into "+string(id), "case "+string(other), "case reopen")
	// Everybody is told once, under the tag of the one case.
	w.in(id, "start now")
	w.after(w.Undo)
	for _, name := range []string{"acme", "globex"} {
		if got := w.got(name); len(got) != 1 || !strings.Contains(got[0].Text, string(id)) || strings.Contains(got[0].Text, string(other)) {
			t.Errorf("%s got %d mails", name, len(got))
		}
	}
}

// What cannot be merged safely is refused, and why.
func TestCaseMerge_Refused(t *testing.T) {
	t.Parallel()
	w, id, other := twoCases(t)
	refused := func(why, of, taken string) {
		t.Helper()
		w.refuses(anaSigned, why, "case "+of, "case merge "+taken)
	}
	a, b := string(id), string(other)
	refused("cannot be merged into itself", a, a)
	refused("there is no case PAR-2026-0099", a, "PAR-2026-0099")
	w.in(other, "case assign ben", "case restrict ana ben")
	refused("is seen by fewer people", a, b)
	w.in(other, "case restrict everybody")
	w.in(other, "hold case")
	refused("is on hold", a, b)
	w.in(other, "release case")
	w.in(other, "start now")
	w.after(w.Undo)
	refused("merge the other way round", a, b)
	w.in(id, "start now")
	w.after(w.Undo)
	refused("both were started", a, b)
	w.in(other, "case close")
	refused("is closed since", a, b)
	w.in(id, "case restrict ana")
	w.refuses(Actor{Name: "ben", Via: ViaMail, Signed: true}, "there is no case "+a, "case "+b, "case reopen", "case merge "+a)
	if w.theCase(other).Merged != "" || len(w.theCase(id).Reports) != 1 {
		t.Error("something was merged")
	}
}

// A letter of the case taken in that came back goes again from the one that goes on,
// unless that one, or who it is for, is on hold there.
func TestCaseMerge_LetterGoesAgain(t *testing.T) {
	t.Parallel()
	w, id, other := twoCases(t)
	gil := w.people["gil"]
	w.sink.Refuse(gil.Address, 550)
	w.submits("ana", "finder."+other.Lower()+"@"+w.DeskDomain, false, "Re: Crash", "thank you, gil\n")
	w.after(5 * w.Undo)
	w.sink.Refuse(gil.Address, 0)
	all := w.noticesOf(other, "finder", cvd.KindLetter)
	failed := all[len(all)-1]
	if failed.State != cvd.Failed {
		t.Fatalf("the letter is %s", failed.State)
	}
	w.in(id, "case merge "+string(other), "hold finder-2")
	w.refuses(theOperator, "finder-2 is on hold", "delivery "+w.deliveryOf(failed)+" again")
	w.in(id, "release finder-2", "delivery "+w.deliveryOf(failed)+" again")
	w.after(5 * w.Undo)
	if !anyHolds(w.got("gil"), "thank you, gil") || anyHolds(w.got("fin"), "thank you, gil") {
		t.Errorf("gil got %d mails", len(w.got("gil")))
	}
}

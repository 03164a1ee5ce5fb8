package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
)

// An answer for all joins its stage. Whom it names may come later, and gets a name
// later; then a person sees it before anybody else is told so.
func TestV6_Answers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	w.vendor("globex")
	id := w.started("acme")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.after(2*cvd.Day + w.Undo)
	w.told("acme", "Heads-up", "Scope", "Details")
	w.as(anaSigned, "case "+string(id), `answer-all details "The recorder of the Hooli people has it, too."`)
	w.as(anaSigned, "case "+string(id), "invite globex wave 1")
	w.do("vendor add hooli psirt@hooli.example")
	w.answers("globex", id, true, "ACCEPT "+string(id)+" v1\n")
	w.after(3 * cvd.Day)
	for _, l := range w.mails(w.people["globex"]) {
		if strings.Contains(l.Text, "Hooli") {
			t.Fatalf("globex was told of hooli:\n%s", l.Text)
		}
	}
	a := w.request("")
	if words := w.wordsIn("Approvals", "details"); !strings.Contains(words, "line 1 of the answers names hooli") {
		t.Errorf("Approvals: %s", words)
	}
	w.ok(w.press(benByGesture, "Approve", a.ID))
	w.after(3 * w.Undo)
	if n := w.letters("globex", "Hooli people"); n != 1 {
		t.Errorf("after the yes globex got it %d times", n)
	}
}

// Of several finders none is named in an answer for all, nor is it refused for
// there being several.
func TestV6_AnswersAndFinders(t *testing.T) {
	t.Parallel()
	w, id := twoFinders(t)
	w.control("ana", false, "report 2 join "+string(id))
	w.vendor("acme")
	w.do("vendor edit acme alias \"Acme Corp\"")
	w.in(id, "case policy fast", "invite acme wave 1")
	for _, words := range []string{"ask gil@other.example", "as fin@finder.example says", "Acme Corp. asked"} {
		w.refuses(anaSigned, "nothing was sent", "case "+string(id), `answer-all details "`+words+`"`)
	}
	if tr := w.as(anaSigned, "case "+string(id), `answer-all details "The 8.x branch is not affected."`); !tr.Done() {
		t.Errorf("%s", tr)
	}
}

package mailflow

import (
	"strings"
	"testing"
	"time"
)

// To close a case answers no review: what waited for one when it was closed waits
// again when it is opened, whichever way.
func TestT5_ReopenedIsReviewed(t *testing.T) {
	t.Parallel()
	for name, undone := range map[string]bool{"undo": true, "case reopen": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDesk(t, "ana ben")
			id := w.caseWith("acme")
			w.in(id, "start now")
			w.clock.Jump(3 * time.Hour)
			w.settle()
			closed := w.in(id, "case close")
			if !w.sending().Stops() || len(w.requests(reviewStage)) != 0 {
				t.Fatalf("closed: %+v", w.sending())
			}
			w.do("sending resume")
			said := ""
			if undone {
				said = w.do("undo " + undoID.FindStringSubmatch(closed)[1])
			} else {
				w.after(time.Hour)
				said = w.in(id, "case reopen")
			}
			wants(t, said, "does so again: 1 overdue notice, in Approvals")
			w.after(10 * time.Minute)
			w.told("acme")
			a := w.reviewOf(id)
			if state := w.sending(); !state.Overdue || w.countIn("Approvals", "Overdue: 1 notice of "+string(id)) != 1 || w.countIn("INBOX", "Sending is paused: "+unseenWhy) != 1 {
				t.Errorf("%+v; Approvals %q, INBOX %q", state, w.subjects("Approvals"), w.subjects("INBOX"))
			}
			if strings.Contains(w.wordsIn("INBOX", "Sending is paused"), string(id)) {
				t.Error("the whole desk is told which case it is")
			}
			w.as(anaByMail, "approve "+a.ID)
			w.after(10 * time.Minute)
			w.told("acme", "Heads-up")
			if w.sending().Paused || w.countIn("INBOX", "Sending is paused") != 0 {
				t.Errorf("%+v", w.sending())
			}
			// What somebody looked at goes as it is planned, should it be closed again.
			w.in(id, "case close")
			if said := w.in(id, "case reopen"); strings.Contains(said, "review") || len(w.requests(reviewStage)) != 0 {
				t.Errorf("opened once more: %s", said)
			}
		})
	}
}

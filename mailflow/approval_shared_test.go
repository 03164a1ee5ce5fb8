package mailflow

import (
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// writtenByAll is a case of a desk of two, who each wrote part of its leak kit.
func writtenByAll(t *testing.T) (*world, cvd.CaseID) {
	t.Helper()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	w.vendor("acme")
	id := cvd.FindCaseIDs(w.do(`case open "Heap overflow" policy default`))[0]
	w.in(id, "invite acme wave 1")
	w.material(id, cvd.Scope, "the scope text")
	w.material(id, cvd.Details, "the details text "+canary(cvd.Details))
	w.update(func(tx *store.Tx) error {
		return w.putMaterial(tx, cvd.Material{Case: id, Stage: cvd.Mitigation, Author: "ben", Text: "the mitigation text"})
	})
	w.in(id, "start now")
	w.after(5 * time.Minute)
	return w, id
}

// sharedRequest is the request of which both are authors.
func (w *world) sharedRequest() cvd.ApprovalRequest {
	w.t.Helper()
	for _, a := range w.requests(kitStage) {
		if len(a.Authors) == 2 {
			return a
		}
	}
	w.t.Fatalf("both wrote nothing of %+v", w.requests(kitStage))
	return cvd.ApprovalRequest{}
}

// Where each of a desk wrote part of it, two say yes, so that every part has the
// yes of somebody who did not write it; one alone never does.
func TestA3_EachWrotePartOfIt(t *testing.T) {
	t.Parallel()
	w, id := writtenByAll(t)
	a := w.sharedRequest()
	text := unwrapped(w.words(w.message("Approvals", "leak kit")))
	wants(t, text, "asks for two of you")
	wants(t, text, "Each of you wrote part of it, so that two of you say yes")
	w.refuses(anaSigned, "Two of you say yes", "case "+string(id), "leak "+leakAddress+" stage details within 30m")
	wants(t, unwrapped(w.as(anaSigned, "approve "+a.ID).String()), "has 1 of 2; each of you wrote part of it")
	w.refuses(anaSigned, "has your yes already", "approve "+a.ID)
	w.refuses(anaSigned, "nothing was sent", "case "+string(id), "leak "+leakAddress+" stage details within 30m")
	if got := w.as(benSigned, "approve "+a.ID); !got.Done() {
		t.Fatalf("%s", got)
	}
	w.fires("ana", id, "details")
	if n := len(w.leaks("acme")); n != 1 {
		t.Errorf("acme has %d mails", n)
	}
}

// Once somebody is on the desk who wrote none of it, an author's yes counts for
// nothing any more, nor did it before.
func TestA3_SomebodyElseWroteNone(t *testing.T) {
	t.Parallel()
	w, id := writtenByAll(t)
	a := w.sharedRequest()
	w.as(anaSigned, "approve "+a.ID)
	w.coordinator("cho")
	w.refuses(benSigned, "your own text", "approve "+a.ID)
	w.refuses(anaSigned, "nothing was sent", "case "+string(id), "leak "+leakAddress+" stage details within 30m")
	if got := w.as(Actor{Name: "cho", Via: ViaMail, Signed: true}, "approve "+a.ID); !got.Done() {
		t.Fatalf("%s", got)
	}
	w.fires("ana", id, "details")
}

// A case that only one of a desk of several may see has nobody else to say yes,
// and the cool-off of a desk of one does not stand in for that.
func TestA3_RestrictedToItsAuthor(t *testing.T) {
	t.Parallel()
	w, id := writtenByAll(t)
	a := w.sharedRequest()
	w.in(id, "case restrict ana")
	w.refuses(anaSigned, "your own text", "approve "+a.ID)
}

// stageRequest is the open request for a stage, of which both are authors.
func (w *world) stageRequest(s cvd.Stage) cvd.ApprovalRequest {
	w.t.Helper()
	for _, a := range w.requests(s) {
		if a.Open() && len(a.Authors) == 2 {
			return a
		}
	}
	w.t.Fatalf("both wrote nothing of %+v", w.requests(s))
	return cvd.ApprovalRequest{}
}

// A stage of which each of the desk wrote part is as the leak kit: two say yes, both
// signed where one has to be, and nothing leaves before the second.
func TestA3_EachWrotePartOfAStage(t *testing.T) {
	t.Parallel()
	w, id := writtenByAll(t)
	a := w.stageRequest(cvd.Details)
	text := unwrapped(w.words(w.message("Approvals", "details ->")))
	wants(t, text, "asks for two of you")
	wants(t, text, "Each of you wrote part of it, so that two of you say yes")
	w.refuses(Actor{Name: "ana", Via: ViaMail}, "counts only in a mail signed with your own OpenPGP key", "approve "+a.ID)
	wants(t, unwrapped(w.as(anaSigned, "approve "+a.ID).String()), "has 1 of 2; each of you wrote part of it")
	w.refuses(anaSigned, "has your yes already", "approve "+a.ID)
	w.refuses(benByMail, "counts only in a mail signed with your own OpenPGP key", "approve "+a.ID)
	if now := w.approvalNow(a.ID); now.Granted() {
		t.Fatalf("one yes was enough: %+v", now)
	}
	scope := w.stageRequest(cvd.Scope)
	w.as(anaSigned, "approve "+scope.ID)
	w.as(benByMail, "approve "+scope.ID) // by the default policy a gesture does for it
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.steps(6*time.Hour, 5*cvd.Day)
	w.told("acme", "Heads-up", "Scope")
	if got := w.as(benSigned, "approve "+a.ID); !got.Done() {
		t.Fatalf("%s", got)
	}
	w.after(w.Undo)
	w.told("acme", "Heads-up", "Scope", "Details")
}

// Somebody who wrote none of a stage is on the desk, or will be: an author's yes
// counts for nothing then. Where one alone may see the case, nobody stands in.
func TestA3_StageHasSomebodyElse(t *testing.T) {
	t.Parallel()
	w, id := writtenByAll(t)
	a := w.stageRequest(cvd.Details)
	w.as(anaSigned, "approve "+a.ID)
	w.coordinator("cho")
	w.refuses(benSigned, "your own text", "approve "+a.ID)
	w.in(id, "case restrict ana")
	w.refuses(anaSigned, "your yes already", "approve "+a.ID)
	w.refuses(benSigned, "", "approve "+a.ID)
	w.in(id, "case restrict ana cho")
	cho := Actor{Name: "cho", Via: ViaMail, Signed: true}
	if got := w.as(cho, "approve "+a.ID); !got.Done() {
		t.Fatalf("%s", got)
	}
	if now := w.approvalNow(a.ID); !now.Granted() {
		t.Errorf("%+v", now)
	}
}

func (w *world) approvalNow(id string) (a cvd.ApprovalRequest) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) {
		a, err = approvalByID(tx, id)
		return err
	})
	return a
}

// Whoever is left alone on a desk approves what it wrote with another after
// cool_off, as a desk of one does, and no sooner.
func TestA3_StageOfADeskOfOne(t *testing.T) {
	t.Parallel()
	w, _ := writtenByAll(t)
	a := w.stageRequest(cvd.Scope)
	w.update(func(tx *store.Tx) error {
		ben, err := CoordinatorByName(tx, "ben")
		if err != nil {
			return err
		}
		ben.Ended = tx.Now
		return PutCoordinator(tx, ben)
	})
	wants(t, unwrapped(w.as(anaSigned, "approve "+a.ID).String()), "since nobody else is on the desk")
	if now := w.approvalNow(a.ID); !now.Granted() || !now.Cool.Equal(w.clock.Now().Add(w.CoolOff)) {
		t.Errorf("%+v", now)
	}
}

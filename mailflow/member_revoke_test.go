package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// What a party agreed to while a member that it revokes could speak for it stands as
// far as it binds the party; a consent that has led to nothing yet does not: the party
// is asked again, and no code that the member may have read counts.
func TestS5_RevokedMemberConsents(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	jo := w.person("jo", "jo@acme.example")
	w.do("member add acme jo@acme.example")
	w.confirm("acme", jo)
	w.in(id, "introduce acme globex", "introduce acme initech")
	w.after(5 * w.Undo)
	second := w.consentLine("acme", "CONSENT") // of the question about initech
	to := w.thread(id, "acme")
	w.arrives(jo.Address, to, w.seal(jo, to, true, mailtest.Entity("["+string(id)+"]", "CONSENT "+string(id)+" 1\n")))
	w.settle()
	w.answers("acme", id, true, "MEMBER REVOKE jo@acme.example\n")
	w.after(cvd.Day)
	asked := w.about("acme", asks)
	if len(asked) != 3 {
		t.Fatalf("acme was asked %d times", len(asked))
	}
	if text := w.taskText("acme revoked jo@acme.example"); !strings.Contains(text, "It is asked again where it had agreed to be introduced") {
		t.Errorf("the desk reads\n%s", text)
	}
	w.answers("globex", id, true, "CONSENT "+string(id)+"\n")
	w.answers("initech", id, true, "CONSENT "+string(id)+"\n")
	w.arrives(jo.Address, to, w.seal(jo, to, false, mailtest.Entity("["+string(id)+"]", second)))
	w.settle()
	w.after(cvd.Day)
	if n := len(w.about("globex", introduce)) + len(w.about("initech", introduce)) + len(w.about("acme", introduce)); n != 0 {
		t.Fatalf("%d mails introduce on the word of a revoked member", n)
	}
	if w.participant(id, "acme").Accepted() != 1 {
		t.Error("the ACCEPT of acme counts no more")
	}
	w.answers("acme", id, false, w.consentLine("acme", "CONSENT"))
	w.after(w.Undo)
	if len(w.about("globex", introduce)) != 1 || len(w.about("acme", introduce)) != 1 || len(w.about("initech", introduce)) != 0 {
		t.Errorf("acme agreed again: %d, %d, %d", len(w.about("globex", introduce)), len(w.about("acme", introduce)), len(w.about("initech", introduce)))
	}
}

// What a revoked member revealed of a party that is a finder, too, is no consent of
// that party: it is asked.
func TestS5_RevokedMemberReveals(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	w.in(id, "invite acme role finder", "member add acme jo@acme.example")
	jo, to := w.person("jo", "jo@acme.example"), w.thread(id, "acme")
	w.confirm("acme", jo)
	w.arrives(jo.Address, to, w.seal(jo, to, true, mailtest.Entity("["+string(id)+"]", "REVEAL "+string(id)+" globex\n")))
	w.settle()
	if n := len(w.participant(id, "acme").Reveals); n != 1 {
		t.Fatalf("%d reveals", n)
	}
	w.answers("acme", id, true, "MEMBER REVOKE jo@acme.example\n")
	w.in(id, "introduce acme globex")
	w.after(5 * w.Undo)
	if n := len(w.about("acme", asks)); n != 1 {
		t.Errorf("acme was asked %d times", n)
	}
	w.answers("globex", id, true, "CONSENT "+string(id)+"\n")
	w.after(cvd.Day)
	if n := len(w.about("globex", introduce)); n != 0 {
		t.Error("globex learns who acme is on the word of a revoked member")
	}
}

// The code of an answer that came after the case was closed dies as well.
func TestS5_RevokedMemberOfAClosedCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	closed := w.started("acme")
	old := w.code("acme")
	w.in(closed, "case close")
	w.answers("acme", closed, false, "STATUS "+string(closed)+" affected 1 "+old+"\n")
	late := w.freshCode("acme")
	open := w.caseWith("acme")
	w.in(open, "start now", "member add acme jo@acme.example")
	w.after(5 * w.Undo)
	w.answers("acme", open, true, "MEMBER REVOKE jo@acme.example\n")
	if w.participant(closed, "acme").Knows(late) {
		t.Error("a code in a closed case lives on")
	}
}

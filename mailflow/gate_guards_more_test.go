package mailflow

import (
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// A notice of a leak is made in the transaction that fires it, with the level of
// the kit that it is about, and nobody can fire one whose kit lacks something.
func TestGuard_LeakHasItsKit(t *testing.T) {
	leftOut(t, "somebody fired a leak of this level", "there is a leak kit for it")
	w := newWorld(t)
	w.coordinator("ana")
	id := w.started("acme")
	leak := func(level string) []string {
		return []string{"case " + string(id), "leak " + leakAddress + " stage " + level + " within 30m"}
	}
	w.refuses(signed("ana"), "not ready", leak("exploit")...)
	if n := len(w.leakNotices(id, "acme")); n != 0 {
		t.Fatalf("%d notices of a leak that was refused", n)
	}
	w.in(id, "hold acme")
	if tr := w.as(signed("ana"), leak("details")...); !tr.Done() {
		t.Fatalf("%s", tr)
	}
	for _, n := range w.leakNotices(id, "acme") {
		w.view(func(tx *store.Tx) error {
			p, err := w.gather(tx, dueRow{Case: id, Party: "acme", Notice: n.ID}, w.clock.Now(), new(looks))
			if err == nil && (p.Kit == nil || p.Kit.Level != n.Level || p.Kit.Level != cvd.DetailsOut) {
				t.Errorf("%s has the kit %+v", noticeName(n), p.Kit)
			}
			if _, fired := p.Case.LeakOf(n.Level); !fired {
				t.Errorf("no leak of %s is on record", n.Level)
			}
			return err
		})
	}
	if n := len(w.leakNotices(id, "acme")); n != 1 {
		t.Errorf("%d notices of a leak", n)
	}
}

// A question or introduction is read with its introduction; of one that is not
// about its participant nothing is made, and a person is told. Halves are planned
// when both agreed, and cancelled when one of them, or the desk, thinks better.
func TestGuard_HalvesFollowTheWords(t *testing.T) {
	leftOut(t, "there is such an introduction", "nobody took the introduction back", "no other notice took its place", "both agreed")
	w, id := meeting(t)
	w.in(id, "introduce acme globex")
	w.in(id, `introduce acme globex cancel because "no use"`)
	w.after(time.Hour)
	if len(w.about("acme", asks))+len(w.about("globex", asks)) != 0 {
		t.Error("a question left that the desk took back")
	}
	w.in(id, "introduce acme globex")
	w.after(5 * w.Undo)
	w.answers("acme", id, false, w.consentLine("acme", "CONSENT"))
	if n := len(w.noticesOf(id, "acme", cvd.KindIntroduction)) + len(w.noticesOf(id, "globex", cvd.KindIntroduction)); n != 0 {
		t.Errorf("%d halves are planned with one word", n)
	}
	w.in(id, "hold acme")
	w.answers("globex", id, false, w.consentLine("globex", "CONSENT"))
	w.answers("globex", id, true, "REFUSE "+string(id)+"\n")
	w.in(id, "release acme")
	w.after(cvd.Day)
	if len(w.about("acme", introduce))+len(w.about("globex", introduce)) != 0 {
		t.Error("a word that was taken back counts")
	}
	w.update(func(tx *store.Tx) error {
		all, err := introsOf(tx, id)
		if err != nil {
			return err
		}
		_, err = w.newNotice(tx, cvd.Notice{Case: id, Party: "initech", Kind: cvd.KindIntroduction, Intro: all[len(all)-1].Number}, nil)
		return err
	})
	w.after(time.Hour)
	if got := w.stands(id, "initech", cvd.KindIntroduction); len(w.about("initech", introduce)) != 0 || len(got) != 1 || got[0].State != cvd.Held {
		t.Errorf("an introduction of others is %+v", got)
	}
}

// The outbox chooses the keys itself where it seals, and seals to nobody with none.
func TestGuard_SealsToKeysOnly(t *testing.T) {
	leftOut(t, "somebody vouches for a key that can be used")
	w := newWorld(t)
	id := w.caseWith("acme", "globex")
	w.do("key reject acme " + w.people["acme"].Fingerprint() + ` because "not theirs"`)
	w.in(id, "start now")
	w.after(time.Hour)
	w.told("globex", "Heads-up")
	if n := w.notice(id, "acme", cvd.HeadsUp); n.State != cvd.Held {
		t.Errorf("the heads-up is %s: %s", n.State, n.Why)
	}
	for _, m := range w.sink.To("psirt@acme.example") {
		t.Errorf("a mail left to who has no key:\n%s", m.Raw)
	}
}

// What our own key cannot sign is not sealed.
func TestGuard_SignsOrHolds(t *testing.T) {
	leftOut(t, "our own key can sign")
	w := newWorldUntil(t, storyStart.Add(2*cvd.Day))
	id := w.started("acme")
	w.answers("acme", id, true, "ACCEPT v1\n")
	w.after(26 * time.Hour)
	before := len(w.sink.To("psirt@acme.example"))
	w.after(2 * cvd.Day)
	if n := w.notice(id, "acme", cvd.Details); n.State != cvd.Held || len(w.sink.To("psirt@acme.example")) != before {
		t.Errorf("details is %s: %s", n.State, n.Why)
	}
}

// A request that is open was not granted: the row behind it asks that.
func TestGuard_OpenIsNotGranted(t *testing.T) {
	leftOut(t, "a request for it is decided", "the request about the kit is decided")
	w, id := strict(t, "acme")
	w.steps(6*time.Hour, 3*cvd.Day)
	w.told("acme", "Heads-up")
	kit, scope := w.kitRequest(), w.request(cvd.Scope)
	if isGranted(&kit) || isGranted(&scope) || !kit.Open() || !scope.Open() {
		t.Errorf("the requests are %+v and %+v", kit, scope)
	}
	w.as(benSigned, "approve "+kit.ID)
	w.in(id, "hold acme")
	if tr := w.as(anaSigned, "case "+string(id), "leak "+leakAddress+" stage details within 30m"); !tr.Done() {
		t.Fatalf("%s", tr)
	}
	w.material(id, cvd.Details, "other words")
	w.in(id, "release acme")
	w.after(time.Hour)
	if n := len(w.leaks("acme")); n != 0 {
		t.Errorf("%d mails about a leak left while the kit is asked about", n)
	}
}

// A level of the kit that a policy has no stage for is not written, although it was
// fired before that policy.
func TestGuard_LackingKitIsNotWritten(t *testing.T) {
	leftOut(t, "the kit lacks nothing")
	w, id := lateCase(t, []string{"ana"}, "acme")
	w.in(id, "hold acme")
	if tr := w.as(signed("ana"), "case "+string(id), "leak "+leakAddress+" stage exploit within 30m"); !tr.Done() {
		t.Fatalf("%s", tr)
	}
	p := w.Policies["fast"]
	p.Name, p.Stages = "short", append(p.Stages[:3:3], p.Stages[len(p.Stages)-1])
	w.Policies["short"] = p
	w.in(id, "case policy short")
	w.in(id, "release acme")
	w.after(time.Hour)
	if got := w.stands(id, "acme", cvd.KindLeak); len(w.leaks("acme")) != 0 || len(got) != 1 || got[0].State != cvd.Held {
		t.Errorf("the leak is %+v", got)
	}
}

// A stage about which nobody wrote anything is not written either (rule V4).
func TestGuard_EmptyIsNotWritten(t *testing.T) {
	leftOut(t, "there is material for the stage")
	w, id := lateCase(t, nil, "acme")
	w.answers("acme", id, true, "ACCEPT v1\n")
	p := w.Policies["fast"]
	w.vendor("globex")
	bare := cvd.FindCaseIDs(w.do(`case open "Something else" policy ` + p.Name))[0]
	w.in(bare, "invite globex wave 1", "start now")
	w.after(5 * w.Undo)
	w.answers("globex", bare, true, "ACCEPT v1\n")
	w.after(25 * time.Hour)
	w.told("acme", "Heads-up", "Scope")
	w.told("globex", "Heads-up")
	if n := w.notice(bare, "globex", cvd.Scope); n.State != cvd.Held {
		t.Errorf("scope is %s: %s", n.State, n.Why)
	}
}

// An edit ends the yes that was given before it, and people are asked anew.
func TestGuard_EditedIsAskedAnew(t *testing.T) {
	leftOut(t, "it is what they said yes to")
	w, id := strict(t, "acme")
	w.steps(6*time.Hour, 2*cvd.Day)
	a := w.request(cvd.Scope)
	w.as(benSigned, "approve "+a.ID)
	w.material(id, cvd.Scope, "other words")
	w.steps(10*time.Minute, time.Hour)
	if w.heard("acme", cvd.Scope) {
		t.Error("scope left with words that nobody said yes to")
	}
	if again := w.request(cvd.Scope); again.ID == a.ID {
		t.Error("nobody is asked anew")
	}
}

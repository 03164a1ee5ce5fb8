package mailflow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// needsTwo lets one stage of a case need a second person.
func (w *world) needsTwo(id cvd.CaseID, s cvd.Stage) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		c, err := CaseByID(tx, id)
		if err != nil {
			return err
		}
		c.Policy.Stages = slices.Clone(c.Policy.Stages)
		for i, r := range c.Policy.Stages {
			if r.Stage == s {
				c.Policy.Stages[i].Approvals = 1
			}
		}
		return PutCase(tx, c)
	})
}

// strangersStill wants nobody to have been introduced.
func (w *world) strangersStill(why string) {
	w.t.Helper()
	w.after(5 * w.Undo)
	for _, name := range []string{"acme", "globex"} {
		if got := w.about(name, introduce); len(got) != 0 {
			w.t.Errorf("%s: %s reads\n%s", why, name, got[0].Text)
		}
	}
	w.namesOthers()
}

// A consent that a coordinator filed waits for a second person; a REFUSE of the
// party's own that comes meanwhile is the newer word, and the yes cannot be
// approved any more. Filed anew after it, it counts.
func TestV2_NewerRefusalWins(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	w.in(id, "introduce acme globex")
	w.after(5 * w.Undo)
	w.needsTwo(id, cvd.Details)
	files := func() string {
		return w.as(signed("ana"), "case "+string(id), `record acme consent to globex via phone "Jo"`).Lines[1].Waits
	}
	filed := files()
	w.answers("globex", id, true, "CONSENT "+string(id)+"\n")
	w.clock.Advance(time.Second)
	w.answers("acme", id, true, "REFUSE "+string(id)+"\n")
	w.refuses(signed("ben"), "acme said no on", "approve "+filed)
	w.strangersStill("its last word is no")
	w.clock.Advance(time.Second)
	w.as(signed("ben"), "approve "+files())
	w.after(5 * w.Undo)
	if len(w.about("acme", introduce)) != 1 || len(w.about("globex", introduce)) != 1 {
		t.Error("a yes after the no does not count")
	}
}

// What a party agreed to ends where it is withdrawn, or is neither vendor nor
// finder any more: invited anew it is asked anew.
func TestV2_ConsentEndsWithItsPart(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string][]string{
		"withdrawn, and invited anew": {`withdraw globex because "codes were guessed"`, "invite globex"},
		"an observer alone":           {`withdraw globex role vendor because "not affected"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := meeting(t)
			w.in(id, "invite globex role observer", "introduce acme globex")
			w.after(5 * w.Undo)
			w.answers("globex", id, true, "CONSENT "+string(id)+"\n")
			if strings.Contains(name, "invited") { // with all its roles
				w.in(id, `withdraw globex role observer because "x"`)
			}
			if said := unwrapped(w.in(id, leave...)); !strings.Contains(said, "1 introduction of it taken back") {
				t.Errorf("the desk reads\n%s", said)
			}
			w.answers("acme", id, true, "CONSENT "+string(id)+"\n")
			w.strangersStill(name)
			if got := w.said("acme"); strings.Contains(got, "globex") {
				t.Errorf("the answer: %s", got)
			}
		})
	}
}

// Nobody is named to a party with an address that its own party revoked, nor
// before the other half can leave; with another address both leave.
func TestV5_NoIntroductionWithARevokedAddress(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	w.person("gil", "gil@globex.example")
	w.do("member add globex gil@globex.example")
	w.confirm("globex", w.people["gil"])
	w.in(id, "introduce acme globex")
	w.after(5 * w.Undo)
	w.answers("globex", id, true, "CONSENT "+string(id)+"\nMEMBER REVOKE psirt@globex.example\n")
	w.answers("acme", id, true, "CONSENT "+string(id)+"\n")
	w.strangersStill("its address was revoked")
	w.do("vendor edit globex address gil@globex.example")
	w.after(cvd.Day)
	w.strangersStill("it is asked again") // its consent may have been of whoever reads at the address that ended
	gil, to := w.people["gil"], w.thread(id, "globex")
	w.arrives(gil.Address, to, w.seal(gil, to, true, mailtest.Entity("["+string(id)+"]", "CONSENT "+string(id)+"\n")))
	w.after(w.Undo)
	if got := w.about("acme", introduce); len(got) != 1 || !strings.Contains(got[0].Text, "gil@globex.example") || strings.Contains(got[0].Text, "psirt@globex") {
		t.Errorf("acme reads %+v", got)
	}
	if got := w.about("gil", introduce); len(got) != 1 {
		t.Errorf("globex got %d", len(got))
	}
}

// Where one of the two has no key any more, both halves wait; with a key again
// both leave, and neither knows of one who does not know of it.
func TestV5_BothHalvesLeaveWithTheKey(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	w.in(id, "introduce acme globex")
	w.after(5 * w.Undo)
	w.answers("globex", id, true, "CONSENT "+string(id)+"\n")
	w.do("key reject globex " + w.people["globex"].Fingerprint())
	w.answers("acme", id, true, "CONSENT "+string(id)+"\n")
	w.strangersStill("no key")
	w.after(cvd.Day)
	next := w.person("next", "psirt@globex.example")
	w.confirm("globex", next)
	w.after(3 * cvd.Day)
	n := map[string]int{}
	for _, m := range w.sink.To("psirt@globex.example") {
		if o, err := next.Open(m.Raw, w.ourKey()); err == nil && strings.Contains(o.Subject, introduce) {
			n["globex"]++
		}
	}
	n["acme"] = len(w.about("acme", introduce))
	if n["acme"] != 1 || n["globex"] != 1 {
		t.Errorf("told: %v; Held %q", n, w.subjects("Held"))
	}
}

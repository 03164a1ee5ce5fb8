package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
)

// What an organisation says as a finder is not its product team's word: once it is
// invited as a vendor, it has no status, no date and no proposal of its own.
func TestMayRelease_FinderSaysNothingForItsProductTeam(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "ana", "globex")
	id := w.caseWith("acme")
	w.in(id, "invite globex role finder", "start now")
	w.after(cvd.Day)
	w.answers("globex", id, true, "STATUS not-affected we only found it\nREADY BY 2026-12-20\nPROPOSE 2026-12-24 holidays\nDECLINE no vendor\n")
	if w.participant(id, "globex").Status().Word != "not-affected" {
		t.Fatal("a finder cannot say so")
	}
	w.in(id, "invite globex footprint 40M")
	who := w.participant(id, "globex")
	if len(who.Statuses) != 0 || who.Ready != nil || len(who.Proposals) != 0 || who.Declined != nil || who.Late != nil {
		t.Errorf("its words as a finder are its product team's: %+v", who)
	}
	if reach := w.in(id, "reach"); strings.Contains(reach, "not affected") || !strings.Contains(reach, "globex, wave 1, 40M") {
		t.Errorf("reach:\n%s", reach)
	}
}

// A REVEAL, and a consent, end with the role in which they were given; in the other
// the organisation is asked anew.
func TestV2_ConsentEndsWithTheRole(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"finder", "vendor"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			w, id := meeting(t)
			w.in(id, "invite globex role finder")
			if role == "finder" {
				w.answers("globex", id, true, "REVEAL acme\n")
			}
			w.in(id, "introduce globex acme")
			w.after(5 * w.Undo)
			if role == "vendor" {
				w.answers("globex", id, true, "CONSENT "+string(id)+"\n")
			}
			if said := unwrapped(w.in(id, "withdraw globex role "+role+` because "it is none"`)); !strings.Contains(said, "1 introduction of it taken back") {
				t.Errorf("the desk reads\n%s", said)
			}
			w.answers("acme", id, true, "CONSENT "+string(id)+"\n")
			w.after(5 * w.Undo)
			if n := len(w.about("acme", introduce)) + len(w.about("globex", introduce)); n != 0 {
				t.Errorf("it agreed as a %s, and %d mails name them", role, n)
			}
		})
	}
}

// One organisation is finder, coordinator and vendor at once. It reads its own thread,
// what its stage allows and counts: no name of another vendor, no later stage, and
// nobody else reads that it found the flaw.
func TestV2_ThreeRolesAtOnce(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "ana", "globex")
	id := w.caseWith("acme")
	w.in(id, "invite globex role finder", "invite globex role coordinator", "invite globex wave 2", "start now")
	w.after(5 * w.Undo)
	clean := func(when string) {
		t.Helper()
		for _, o := range w.got("globex") {
			for _, word := range []string{"acme", canary(cvd.Scope), canary(cvd.Details)} {
				if strings.Contains(strings.ToLower(o.Subject+o.Text), word) {
					t.Errorf("%s globex reads %q:\n%s", when, word, o.Text)
				}
			}
		}
		for _, o := range w.got("acme") {
			if text := strings.ToLower(o.Subject + o.Text); strings.Contains(text, "globex") {
				t.Errorf("%s acme reads of globex:\n%s", when, o.Text)
			}
		}
	}
	w.answers("globex", id, true, "STATE\nHELP\nHISTORY\n")
	if w.participant(id, "globex").Reached != "" {
		t.Fatal("wave 2 was told with wave 1")
	}
	if !anyHolds(w.got("globex"), "vendors: 2, told so far: 1") {
		t.Errorf("STATE brings no counts: %+v", w.about("globex", "Understood"))
	}
	clean("before it was told,")
	w.answers("acme", id, true, "ACCEPT v1\nSTATUS affected 4.1\nREADY BY 2026-12-20\n")
	w.after(2 * cvd.Day)
	w.answers("globex", id, true, "STATE\nHISTORY\nREVEAL initech\nCREDIT Globe Labs\n")
	w.after(3 * cvd.Day)
	if got := w.participant(id, "globex").Reached; got != cvd.HeadsUp {
		t.Errorf("a vendor that said nothing was told %q", got)
	}
	clean("as a vendor that has not accepted,")
	if anyHolds(w.got("globex"), "affected: 1") { // which acme said, the only other one
		t.Error("a vendor learns by STATE what another one said of its product")
	}
	if hist := w.about("globex", "Understood"); anyHolds(hist, "Scope", "sent") {
		t.Errorf("its history shows a stage that it was not told: %+v", hist)
	}
}

package mailflow

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// standing is all that decides who is told what and when: the directory, the case,
// its participants and notices, which rows are due, and how many mails have left.
func (w *world) standing(id cvd.CaseID) string {
	w.t.Helper()
	var all []any
	w.view(func(tx *store.Tx) error {
		known, err := Parties(tx)
		if err != nil {
			return err
		}
		c, err := CaseByID(tx, id)
		if err != nil {
			return err
		}
		ps, err := Participants(tx, id)
		if err != nil {
			return err
		}
		all = append(all, known, c)
		for _, p := range ps {
			ns, err := Notices(tx, id, p.Party)
			if err != nil {
				return err
			}
			all = append(all, p, ns)
		}
		all = append(all, dueRows.Count(tx, nil))
		return nil
	})
	b, err := json.Marshal(append(all, len(w.sink.Mails())))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

// What a coordinator types wrong is refused in one sentence, and nothing is another
// than before.
func TestBadInput_OfTheDesk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex", "hooli")
	w.do("vendor edit acme lead 10d", "vendor edit hooli channel hand")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.in(id, `record hooli delivered heads-up via "portal"`, `record hooli accept v1 via "portal"`)
	for _, row := range []struct{ what, line, why string }{
		{"a date in the past", `embargo 2025-12-24 because "x"`, "2025-12-24T00:00Z has passed; name an instant to come"},
		{"a date in the past", "stage globex details at 2026-12-01T08:00Z", "2026-12-01T08:00Z has passed; name an instant to come"},
		{"a wall time that does not exist", `embargo 2027-03-28 02:30 Europe/Berlin because "x"`, `"2027-03-28 02:30 Europe/Berlin" does not exist: clocks in Europe/Berlin skip it; name an instant in UTC`},
		{"a wall time that does not exist", `stage globex details at 2026-10-04 02:15 Australia/Lord_Howe`, "does not exist: clocks in Australia/Lord_Howe skip it"},
		{"a wall time that comes twice", `embargo 2027-10-31 02:30 Europe/Berlin because "x"`, "comes twice in Europe/Berlin: say 2027-10-31T00:30Z or 2027-10-31T01:30Z"},
		{"a lead broken", "stage acme heads-up at 2026-12-10T09:00Z", "acme may know of " + string(id) + " no longer than 10d before its end, 2026-12-31T09:00Z (its own lead): heads-up cannot go at 2026-12-10T09:00Z, and no sooner than 2026-12-21T09:00Z"},
		{"a stage skipped", "stage globex details at 2026-12-01T09:06Z", "details cannot go to globex at 2026-12-01T09:06Z: no sooner than"},
		{"a stage that the policy leaves out", "stage globex proof at 2026-12-20T09:00Z", "policy fast has no stage proof"},
		{"a vendor added twice", "vendor add acme security@acme.example", "acme is in the directory already"},
		{"a vendor added twice under another name", "vendor add acme-corp psirt@acme.example", "psirt@acme.example belongs to acme already"},
		{"a vendor invited twice", "invite acme", "acme takes part in " + string(id) + " already"},
	} {
		w.refusesAndKeeps(id, row.what, row.line, row.why)
	}
	w.steps(6*time.Hour, 4*cvd.Day) // details is due, and nobody handed over what stands before it
	w.refusesAndKeeps(id, "a stage skipped", `record hooli delivered details via "portal"`, "hooli may not be told details now: scope has not gone yet; nothing was recorded")
}

// refusesAndKeeps wants a line refused with a sentence, and all as it stood.
func (w *world) refusesAndKeeps(id cvd.CaseID, what, line, why string) {
	w.t.Helper()
	before := w.standing(id)
	w.refuses(theOperator, why, "case "+string(id), line)
	if after := w.standing(id); after != before {
		w.t.Errorf("%s: %q changed\n%s\nto\n%s", what, line, before, after)
	}
}

// A code that was used, was never there or is another vendor's makes no line count:
// the mail is a letter that a person reads. The one answer of the day tells nobody
// whether it was close.
func TestBadInput_Codes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	used, others := w.code("acme"), w.code("globex")
	if w.answered(id, "STATUS investigating "+used+"\n") == nil {
		t.Fatal("the code does not count the first time")
	}
	toAcme, toGlobex := len(w.got("acme")), len(w.got("globex"))
	for what, code := range map[string]string{"used": used, "guessed": "K7Q3-X9PM", "of another vendor": others} {
		before, filed := w.who(id, "acme"), w.countIn("INBOX", "acme")
		w.answers("acme", id, false, "ACCEPT "+string(id)+" v1 "+code+"\n")
		after := w.who(id, "acme")
		if after.Accepted() != 0 || after.Status() != before.Status() || after.Reached != before.Reached {
			t.Errorf("%s: a line counted: %+v", what, after)
		}
		if w.countIn("INBOX", "acme") < filed || w.countIn("INBOX", "acme") == 0 {
			t.Errorf("%s: no person sees the letter: %q", what, w.subjects("INBOX"))
		}
	}
	if n, m := len(w.got("acme"))-toAcme, len(w.got("globex"))-toGlobex; n != 1 || m != 0 {
		t.Errorf("acme got %d answers, and globex %d", n, m)
	}
	if p := w.who(id, "globex"); p.Accepted() != 0 || !p.Knows(others) {
		t.Errorf("globex: its code is used up: %+v", p)
	}
}

// Material that is missing when its stage falls due: Held and an alarm, and nothing
// leaves until somebody writes it.
func TestBadInput_MaterialMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := cvd.FindCaseIDs(w.do(`case open "Heap overflow" policy fast`))[0]
	w.vendor("acme")
	w.in(id, "invite acme wave 1", "start now")
	w.after(5 * time.Minute)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.steps(6*time.Hour, 3*cvd.Day)
	why := "there is no material for scope"
	if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Held || n.Why != why || w.participant(id, "acme").Reached != cvd.HeadsUp {
		t.Errorf("scope is %s: %s", n.State, n.Why)
	}
	for _, folder := range []string{"Held", "INBOX"} {
		text := unwrapped(w.wordsIn(folder, "scope to acme"))
		if !strings.Contains(text, "Nothing left this server. The notice is held, sealed, and goes by itself once the reason is gone") || !strings.Contains(text, why) {
			t.Errorf("in %s:\n%s", folder, text)
		}
	}
	w.told("acme", "Heads-up")
}

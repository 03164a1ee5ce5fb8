package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// What a vendor says of its freeze is recorded and shown where the end falls
// into it, and moves no date.
func TestFreeze_OfAVendor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	end := w.theCase(id).Embargo().End
	code := w.code("globex")
	w.answers("globex", id, false, "FREEZE PAR-2026-0001 2026-12-24..2027-01-05 "+code+"\n") // a code is enough
	if f := w.participant(id, "globex").Freezes; len(f) != 1 || f[0].String() != "2026-12-24..2027-01-05" || f[0].Via != "mail, code" {
		t.Fatalf("freezes %+v", f)
	}
	got := w.got("globex")
	if text := got[len(got)-1].Text; !strings.Contains(text, "you ship nothing in 2026-12-24..2027-01-05") {
		t.Errorf("globex is answered %q", text)
	}
	if w.countIn("INBOX", "globex ships nothing in 2026-12-24..2027-01-05") != 1 {
		t.Errorf("the desk is not asked: %q", w.subjects("INBOX"))
	}
	if c := w.theCase(id); !c.Embargo().End.Equal(end) || len(c.Embargoes) != 1 {
		t.Error("a date moved")
	}
	if got := w.in(id, "dates"); !strings.Contains(got, "    freezes: globex (2026-12-24..2027-01-05)") {
		t.Errorf("dates:\n%s", got)
	}
	if file := w.words(w.caseFile(id)); !strings.Contains(strings.Join(strings.Fields(file), " "), "FREEZES the end falls into that of globex (2026-12-24..2027-01-05)") {
		t.Errorf("the case file says nothing of it:\n%s", file)
	}
	for line, want := range map[string]string{
		"FREEZE PAR-2026-0001 2026-12-24..2027-01-05": "we know already",
		"FREEZE PAR-2026-0001 2027-01-05..2026-12-24": "not done: say FREEZE",
		"FREEZE PAR-2026-0001 2026-12-24":             "not done: say FREEZE",
		"FREEZE PAR-2026-0001 2025-12-24..2026-01-05": "has passed",
	} {
		w.answers("globex", id, true, line+"\n")
		got := w.got("globex")
		if text := strings.Join(strings.Fields(got[len(got)-1].Text), " "); !strings.Contains(text, want) {
			t.Errorf("%s is answered %q", line, text)
		}
	}
	before := len(w.got("globex"))
	w.answers("globex", id, true, "Freeze dates differ by region, I will ask.\n") // a letter
	w.answers("globex", id, false, "FREEZE PAR-2026-0001 2027-02-01..2027-02-05 "+code+"\n")
	if n := len(w.got("globex")) - before; n > 1 || n == 1 && !strings.Contains(w.said("globex"), "no code that is good here") || len(w.participant(id, "globex").Freezes) != 1 {
		t.Error("a letter, or a code that was used, counts")
	}
	if file := w.words(w.caseFile(id)); strings.Contains(w.in(id, "dates"), "acme (2026") || strings.Contains(file, "that of acme") {
		t.Error("acme has a freeze")
	}
}

// The desk files freezes and proofs of contact in the directory.
func TestVendorEdit_FreezeAndProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex")
	w.coordinator("ana")
	ana := Actor{Name: "ana", Via: ViaMail} // neither tells anybody anything
	if tr := w.as(ana, `vendor edit globex freeze "2026-12-31..2027-01-05, 2027-04-29..2027-05-06" proved "phone, Jo Doe" on 2026-11-20`); !tr.Done() {
		t.Fatal(tr)
	}
	list := w.do("vendor list")
	for _, want := range []string{"freeze 2026-12-31..2027-01-05; freeze 2027-04-29..2027-05-06", "contact proved 2026-11-20: phone, Jo Doe (filed by ana)"} {
		if !strings.Contains(list, want) {
			t.Errorf("the list lacks %q:\n%s", want, list)
		}
	}
	if got := w.in(id, "start now"); !strings.Contains(unwrapped(got), "it falls into the freeze of globex (2026-12-31..2027-01-05)") {
		t.Errorf("start: %s", got)
	}
	if got := unwrapped(w.do("key list globex")); !strings.Contains(got, "contact proved 2026-11-20: phone, Jo Doe (filed by ana)") {
		t.Errorf("its keys do not say how its contact was proved:\n%s", got)
	}
	if got := w.in(id, "plan globex"); strings.Contains(got, "proved") {
		t.Errorf("the plan has a line that is no notice:\n%s", got)
	}
	if got := w.in(id, "plan"); strings.Contains(got, "Jo Doe") {
		t.Errorf("plan of all: %s", got)
	}
	if got := w.in(id, `embargo 2027-01-12T09:00Z because "holidays"`); strings.Contains(got, "freeze") {
		t.Errorf("embargo: %s", got)
	}
	w.do("vendor edit globex zone Pacific/Kiritimati") // where 30 December, 10:30 UTC, is the day after
	if got := w.in(id, `embargo 2026-12-30T10:30Z because "earlier"`); !strings.Contains(unwrapped(got), "it falls into the freeze of globex") {
		t.Errorf("embargo: %s", got)
	}
	w.do("vendor edit globex freeze none")
	if p := w.partyOf("globex"); len(p.Freezes) != 0 || p.Proved == nil || p.Proved.By != "ana" {
		t.Errorf("party %+v", p)
	}
	for line, why := range map[string]string{
		"vendor edit globex freeze 2026-12-31":             "is not a time such as",
		"vendor edit globex freeze 2027-01-05..2026-12-31": "ends before it begins",
		"vendor edit globex on 2026-12-01":                 "names the day of `proved`",
		"vendor edit globex proved phone on 2027-01-01":    "has not come yet",
		"vendor edit globex proved phone on yesterday":     "is not an instant",
	} {
		w.refuses(theOperator, why, line)
	}
}

func (w *world) partyOf(id cvd.PartyID) (p cvd.Party) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) {
		p, err = PartyByID(tx, id)
		return err
	})
	return p
}

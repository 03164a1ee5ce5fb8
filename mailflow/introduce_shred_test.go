package mailflow

import (
	"fmt"
	"slices"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// What roles, introductions, references, proposed members and a finder's days left
// behind is gone with the case, in every table.
func TestH3_ShreddedWithIntroductions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Digest = DigestTime{true, 8, 0}
	w.coordinator("ana")
	w.coordinator("ben")
	gil := w.person("gil", "gil@finder.example")
	r := w.reported(gil, shredTitle, "quaggacanary: it overflows")
	w.control("ana", true, fmt.Sprintf("case open %q policy fast report %d", shredTitle, r.Number))
	id := caseOfReport(w, r.Number)
	w.material(id, cvd.Scope, "quaggacanary scope")
	for _, v := range []string{"acme", "globex", "certx"} {
		w.vendor(v)
	}
	w.in(id, "invite acme", "invite globex", "invite certx role observer", "start now")
	w.after(5 * w.Undo)
	w.in(id, `introduce acme globex because "quaggacanary both"`, `record acme their-ref "[QUAGGACANARY-77]"`)
	w.after(5 * w.Undo)
	w.answers("globex", id, true, "ACCEPT v1\nMEMBER ADD quaggacanary@globex.example\nSUGGEST initech quaggacanary@initech.example quaggacanary ships it\nREFUSE\n")
	w.answers("globex", id, true, "CONSENT\nWITHDRAW quaggacanary lawyers\n")
	w.answers("globex", id, false, "STATUS affected quaggacanary AAAA-BBB2\n")
	w.answers("acme", id, true, "CONSENT\nSTATUS affected quaggacanary\n")
	to := w.thread(id, "finder")
	for _, text := range []string{"DEADLINE 2026-12-20 quaggacanary talk\nTALK 2026-12-21 quaggacanary hall\nREVEAL acme\n", "WITHDRAW TALK quaggacanary\n"} {
		w.arrives(gil.Address, to, w.seal(gil, to, true, mailtest.Entity("Re: ["+string(id)+"]", text)))
		w.settle()
	}
	w.answers("certx", id, true, "STATE\n")
	w.after(cvd.Day)
	w.control("ana", false, "status")
	w.in(id, `record globex called "quaggacanary"`, `record globex statement "quaggacanary says so" via phone`)
	w.in(id, "case close")
	w.settle()
	words := append(slices.Clone(wordsOfShredded), string(id))
	if held := holding(dump(t, w.Store), words...); len(held) < 8 {
		t.Fatalf("the story is in %v alone", held)
	}
	if n := len(w.about("acme", introduce)); n != 1 {
		t.Fatalf("introduced %d", n)
	}
	w.gaveUp(id)
	w.after(8 * cvd.Day)
	if got := holding(dump(t, w.Store), wordsOfShredded...); len(got) != 0 {
		for _, name := range got {
			for _, row := range dump(t, w.Store)[name] {
				if len(holding(map[string][]string{"": {row}}, wordsOfShredded...)) > 0 {
					t.Errorf("%s: %.1500s", name, row)
				}
			}
		}
	}
	if found := holding(dump(t, w.Store), string(id)); !slices.Equal(found, []string{"bodies", "messages", "shreds"}) {
		t.Errorf("the tag stands in %v", found)
	}
}

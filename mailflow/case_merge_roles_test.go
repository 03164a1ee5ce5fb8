package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// twoWith is a desk with two cases, neither of them started, and some organisations
// in the directory. Here and there are what was done in the case that takes in the
// other, and in that one.
func twoWith(t *testing.T, here, there []string) (w *world, id, other cvd.CaseID) {
	t.Helper()
	w = newDesk(t, "ana ben", "acme", "globex")
	id, other = w.caseWith(), w.caseWith()
	if len(here) > 0 {
		w.in(id, here...)
	}
	w.in(other, there...)
	return w, id, other
}

// An organisation that is one thing here and another there is both after a merge; it
// is told as a vendor from then on, through the same gate, and since that adds a
// recipient it counts only signed.
func TestCaseMerge_RolesAreUnited(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ here, there, want string }{
		{"invite acme role observer", "invite acme wave 3 affects \"Player\" footprint 40M", "observer and vendor"},
		{"invite acme role finder", "invite acme wave 3 affects \"Player\" footprint 40M", "finder and vendor"},
		{"invite acme wave 3 affects \"Player\" footprint 40M", "invite acme role observer", "vendor and observer"},
		{"invite acme wave 3 affects \"Player\" footprint 40M", "invite acme role finder", "vendor and finder"},
		{"invite acme role coordinator", "invite acme wave 3 affects \"Player\" footprint 40M", "coordinator and vendor"},
	} {
		t.Run(row.want, func(t *testing.T) {
			t.Parallel()
			w, id, other := twoWith(t, []string{row.here}, []string{row.there})
			tag, merge := "case "+string(id), "case merge "+string(other)
			w.refuses(asAna, "adds a recipient (acme)", tag, merge)
			w.control("ana", true, tag, merge)
			who := w.participant(id, "acme")
			if roleWords(who) != row.want || who.Wave != 3 || who.Affects != "Player" || who.Footprint != "40M" {
				t.Fatalf("it is %s, %+v", roleWords(who), who)
			}
			w.in(id, "start now")
			w.after(2*cvd.Day + 5*w.Undo)
			if !anyHolds(w.got("acme"), "Heads-up") {
				w.after(cvd.Day)
			}
			if got := w.participant(id, "acme").Reached; got != cvd.HeadsUp {
				t.Errorf("it was told %q; nothing of it was acknowledged", got)
			}
			if folder := w.folderOf(id, "Vendor acme"); !strings.Contains(folder, "Vendor acme") {
				t.Errorf("its folder is %q", folder)
			}
		})
	}
}

// What was put on a party there stands here, too, where it stops something; what it
// said is kept, the newest word last; what it agreed to was another embargo.
func TestCaseMerge_WhatMoves(t *testing.T) {
	t.Parallel()
	const vendor = `invite acme wave 1`
	for _, row := range []struct {
		name        string
		here, there []string
		want        func(c cvd.Case, who cvd.Participant) bool
		says        string // of what stays behind, where it does
	}{
		{"hold", []string{vendor}, []string{vendor, "hold acme because lawyers"},
			func(_ cvd.Case, p cvd.Participant) bool { return p.Hold != nil && p.Hold.Because == "lawyers" }, ""},
		{"hold of a new one", nil, []string{vendor, "hold acme because lawyers"},
			func(_ cvd.Case, p cvd.Participant) bool { return p.Hold != nil }, ""},
		{"hold here", []string{vendor, "hold acme because ours"}, []string{vendor, "hold acme because lawyers"},
			func(_ cvd.Case, p cvd.Participant) bool { return p.Hold.Because == "ours" }, ""},
		{"declined", []string{vendor}, []string{vendor, "record acme declined because no"},
			func(_ cvd.Case, p cvd.Participant) bool { return p.Declined != nil }, ""},
		{"accepted", []string{vendor}, []string{vendor, "embargo 2027-03-01T16:00Z force because x", "record acme accept v1 via phone"},
			func(_ cvd.Case, p cvd.Participant) bool { return p.Accepted() == 0 }, "of acme that it accepted v1"},
		{"accepted by a new one", nil, []string{vendor, "embargo 2027-03-01T16:00Z force because x", "record acme accept v1 via phone"},
			func(_ cvd.Case, p cvd.Participant) bool { return p.Accepted() == 0 }, "of acme that it accepted v1"},
		{"status", []string{vendor, "record acme status investigating"}, []string{vendor, "record acme status affected 4.1"},
			func(_ cvd.Case, p cvd.Participant) bool { return len(p.Statuses) == 2 && p.Status().Word == "affected" }, ""},
		{"statement", []string{vendor}, []string{vendor, `record acme statement "We fix it." via phone`},
			func(_ cvd.Case, p cvd.Participant) bool { return len(p.Statements) == 1 }, ""},
		{"ready", []string{vendor}, []string{vendor, "record acme ready by 2027-02-10 via phone"},
			func(_ cvd.Case, p cvd.Participant) bool { return p.Ready != nil }, ""},
		{"reference", []string{vendor}, []string{vendor, `record acme their-ref "[ACME-77]"`},
			func(_ cvd.Case, p cvd.Participant) bool { return p.TheirRef == "[ACME-77]" }, ""},
		{"another reference", []string{vendor, `record acme their-ref "[ACME-1]"`}, []string{vendor, `record acme their-ref "[ACME-77]"`},
			func(_ cvd.Case, p cvd.Participant) bool { return p.TheirRef == "[ACME-1]" }, "its reference [ACME-77]"},
		{"product", []string{vendor}, []string{`invite acme affects "Player 9" footprint 40M`},
			func(_ cvd.Case, p cvd.Participant) bool { return p.Affects == "Player 9" && p.Footprint == "40M" }, ""},
		{"wave", []string{vendor}, []string{"invite acme wave 4"},
			func(_ cvd.Case, p cvd.Participant) bool { return p.Wave == 1 }, "of acme its wave 4"},
		{"severity", []string{vendor}, []string{vendor, "case severity critical"},
			func(c cvd.Case, _ cvd.Participant) bool { return c.Severity == "critical" }, ""},
		{"exploited", []string{vendor}, []string{vendor, `exploited source "telemetry"`},
			func(c cvd.Case, _ cvd.Participant) bool {
				return c.Exploited != nil && c.Exploited.Source == "telemetry"
			}, ""},
		{"exploited here", []string{vendor, `exploited source "first"`}, []string{vendor, `exploited source "then"`},
			func(c cvd.Case, _ cvd.Participant) bool { return c.Exploited.Source == "first" }, ""},
		{"withdrawn there", []string{vendor}, []string{vendor, `withdraw acme because "not affected"`},
			func(_ cvd.Case, p cvd.Participant) bool { return p.Withdrawn == nil }, ""},
		{"CVE", []string{vendor}, []string{vendor, "cve CVE-2026-1234"},
			func(c cvd.Case, _ cvd.Participant) bool { return len(c.CVEs) == 1 }, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w, id, other := twoWith(t, row.here, row.there)
			said := unwrapped(w.in(id, "case merge "+string(other)))
			if c, who := w.theCase(id), w.participant(id, "acme"); !row.want(c, who) {
				t.Errorf("%+v\n%+v", c, who)
			}
			if row.says != "" && !strings.Contains(said, row.says) || row.says == "" && strings.Contains(said, "not taken along") {
				t.Errorf("the desk reads\n%s", said)
			}
			w.view(func(tx *store.Tx) error { // one address leads to one thread
				p, err := ParticipantByID(tx, other, "acme")
				if err != nil {
					return err
				}
				row, err := tokens.Get(tx, tokenKey(tx, p.Token))
				if row.Case != id || row.Party != "acme" {
					t.Errorf("the address of there leads to %s of %s", row.Party, row.Case)
				}
				return err
			})
			w.in(id, "start now")
			w.after(2 * cvd.Day)
			if held := w.participant(id, "acme").Hold != nil; held != (len(w.got("acme")) == 0) && w.participant(id, "acme").Declined == nil {
				t.Errorf("on hold %v, and got %d mails", held, len(w.got("acme")))
			}
		})
	}
}

// A case under legal hold is not destroyed by way of the one that took it in.
func TestCaseMerge_LegalHold(t *testing.T) {
	t.Parallel()
	w, id, other := twoWith(t, nil, []string{"invite acme", `legal-hold on because "court"`})
	w.in(id, "case merge "+string(other), "case close")
	w.refuses(theOperator, "legal hold", "shred "+string(id))
}

// The code of a mail that belonged to the case taken in is dead, and is answered, not
// obeyed.
func TestCaseMerge_CodesOfTheOtherAreDead(t *testing.T) {
	t.Parallel()
	w, id, other := twoWith(t, []string{"invite globex"}, []string{"invite acme role observer"})
	w.after(5 * w.Undo)
	w.answers("acme", other, true, "STATE\n")
	codes := w.participant(other, "acme").Codes
	if len(codes) == 0 {
		t.Fatal("it has no code")
	}
	w.in(id, "case merge "+string(other))
	for _, c := range w.participant(id, "acme").Codes {
		for _, old := range codes {
			if string(c.Digest) == string(old.Digest) {
				t.Error("a code of the other case is alive")
			}
		}
	}
}

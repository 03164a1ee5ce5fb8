package mailflow

import (
	"context"
	"errors"
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// seenBy lists Subject and text of everything that a coordinator can open.
func (w *world) seenBy(name string) []string {
	w.t.Helper()
	s := w.seatOf(name)
	var out []string
	for _, folder := range folderNames(w, s) {
		win, err := s.Open(folder)
		if errors.Is(err, ErrNoFolder) {
			continue // it only holds others
		}
		if err != nil {
			w.t.Fatal(err)
		}
		var ids []uint64
		at := make([]int, win.Len())
		for i := range at {
			at[i] = i
		}
		err = win.Read(at, func(_ *store.Tx, _ int, e *store.Entry) error { ids = append(ids, e.Message); return nil })
		if err != nil {
			w.t.Fatal(err)
		}
		for _, id := range ids {
			m, err := s.message(id)
			if err != nil {
				w.t.Fatal(err)
			}
			out = append(out, folder+": "+m.Envelope.Subject+"\n"+w.words(m))
		}
	}
	return out
}

// sees wants words to stand somewhere that a coordinator can open, or nowhere.
func (w *world) finds(name string, want bool, words ...string) {
	w.t.Helper()
	for _, word := range words {
		found := ""
		for _, text := range w.seenBy(name) {
			if strings.Contains(text, word) {
				found = text
			}
		}
		if (found != "") != want {
			w.t.Errorf("%s finds %q: %v, want %v\n%s", name, word, found != "", want, found)
		}
	}
}

// drops puts the newest mail of a folder with these words in its Subject into
// another one, and gives its UID there.
func (w *world) drops(name, from, about, to string) (uid uint32, err error) {
	w.t.Helper()
	win := w.windowOn(w.seatOf(name), from)
	for at := win.Len() - 1; at >= 0; at-- {
		if !strings.Contains(w.filed(from)[at].Envelope.Subject, about) {
			continue
		}
		c, err := win.Copy(context.Background(), []int{at}, to)
		w.settle()
		if len(c.To) == 1 {
			uid = c.To[0]
		}
		return uid, err
	}
	w.t.Fatalf("%s holds no mail about %q: %q", from, about, w.subjects(from))
	return 0, nil
}

// Whatever stood before the desk about a report is seen with the case that it
// became part of, also what comes later about it.
func TestA2_WhatIsAboutTheReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	fin := w.person("fin", "fin@finder.example")
	r := w.reported(fin, "Secretword overflow", "it overflows")
	to := w.ThreadAddress(r.Token)
	w.arrives(fin.Address, to, w.seal(fin, to, true, mailtest.Entity("Re: Secretword", "one more thing")))
	w.arrives(fin.Address, to, mailtest.Plain(fin.Address, to, "Secretword in clear", "oh", w.clock.Now()))
	w.settle()
	w.finds("ben", true, "Secretword overflow", "finder wrote in clear", "report-1") // of everybody
	if _, err := w.drops("ana", "Intake", "#1 ", "Do/New case"); err != nil {
		t.Fatal(err)
	}
	w.do("case PAR-2026-0001", "case restrict ana")
	w.finds("ana", true, "Secretword overflow", "finder wrote in clear")
	w.finds("ben", false, "Secretword", "report-1", "PAR-2026-0001")
	// The answer goes to the old address; the task about the letter is done.
	if n := w.countIn("INBOX", "finder wrote in report-1: "); n != 1 {
		t.Fatalf("INBOX holds %q", w.subjects("INBOX"))
	}
	w.submits("ana", "finder.report-1@"+w.DeskDomain, false, "Re: thanks", "thank you\n")
	if n := w.countIn("INBOX", "finder wrote in report-1: "); n != 0 {
		t.Errorf("INBOX still holds %q", w.subjects("INBOX"))
	}
	w.update(func(tx *store.Tx) error { // about the report by its old name
		return w.task(tx, "x", Post{Case: reportCase(1), Subject: "Laterword", Text: "x\n"})
	})
	w.finds("ana", true, "Laterword")
	w.finds("ben", false, "Laterword")
}

// The addresses of a restricted case, and of what became part of it, answer as
// those of none, under the name that was asked for.
func TestA2_RecipientsOfARestrictedCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	w.reported(w.person("fin", "fin@finder.example"), "Overflow", "x")
	if _, err := w.drops("ana", "Intake", "#1 ", "Do/New case"); err != nil {
		t.Fatal(err)
	}
	w.vendor("acme")
	w.do("case PAR-2026-0001", "invite acme", "case restrict ana")
	says := func(by, local string) string {
		err := w.sub.CheckRcpt(context.Background(), by, nil, local+"@"+w.DeskDomain)
		if err == nil {
			return "yes"
		}
		return err.Error()
	}
	for _, who := range []string{"acme.", "finder.", "notes.", "vendors.", "scope.", "acme.scope.", "initech.", "x.y."} {
		for real, none := range map[string]string{"par-2026-0001": "par-2026-0099", "report-1": "report-99", "report-01": "report-099"} {
			got := strings.NewReplacer(real, "TAG", strings.ToUpper(real), "TAG").Replace(says("ben", who+real))
			want := strings.NewReplacer(none, "TAG", strings.ToUpper(none), "TAG").Replace(says("ben", who+none))
			if got != want {
				t.Errorf("%s%s: %q, of none: %q", who, real, got, want)
			}
		}
	}
	for _, to := range []string{"acme.par-2026-0001", "finder.par-2026-0001", "finder.report-1"} {
		if got := says("ana", to); got != "yes" {
			t.Errorf("ana to %s: %s", to, got)
		}
	}
	ben := Actor{Name: "ben", Via: ViaMail}
	w.refuses(ben, "there is no report #1;", "case open x report 1")
	w.refuses(ben, "there is no report #9;", "case open x report 9")
	w.refuses(ben, "there is no delivery D1;", "delivery D1 sent") // the receipt of the report
}

// A transcript is read by those only who may see all that it tells of.
func TestA2_TranscriptsOfSeveralCases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"ana", "ben", "cyn"} {
		w.coordinator(name)
	}
	for title, readers := range map[string]string{"Openword": "everybody", "Alone": "ana", "Anaben": "ana ben", "Anacyn": "ana cyn"} {
		id := cvd.FindCaseIDs(w.do("case open " + title))[0]
		w.in(id, "case restrict "+readers)
	}
	tag := func(title string) string {
		for _, c := range func() (all []cvd.Case) {
			w.view(func(tx *store.Tx) (err error) { all, err = Cases(tx); return err })
			return all
		}() {
			if c.Title == title {
				return string(c.ID)
			}
		}
		return ""
	}
	ana := Actor{Name: "ana", Via: ViaMail}
	for _, row := range []struct {
		lines []string
		of    string // whose readers may read it; "" is all
		told  bool
	}{
		{[]string{"case " + tag("Openword"), "status"}, "Openword", true},
		{[]string{"case " + tag("Openword"), "status", "case " + tag("Anaben"), "status"}, "Anaben", true},
		{[]string{"case " + tag("Anaben"), "status", "case " + tag("Openword"), "status"}, "Anaben", true},
		{[]string{"case " + tag("Anaben"), "status", "case " + tag("Alone"), "status"}, "Alone", true},
		{[]string{"case " + tag("Anaben"), "status", "case " + tag("Anacyn"), "status"}, "", false},
	} {
		got := w.as(ana, row.lines...)
		want := cvd.CaseID("")
		if row.of != "" {
			want = cvd.CaseID(tag(row.of))
		}
		if got.Done() != row.told || got.Case != want {
			t.Errorf("%q: of %q, want %q\n%s", row.lines, got.Case, want, got)
		}
		if !row.told && strings.Contains(got.String(), "PAR-") {
			t.Errorf("a refusal that all may read names a case:\n%s", got)
		}
	}
	for _, line := range []string{"status", "history"} {
		if line == "history" {
			w.vendor("acme")
			line = "history acme"
		}
		w.control("ana", false, line)
		w.finds("ana", true, "> "+line)
		for _, other := range []string{"ben", "cyn"} {
			for _, text := range w.seenBy(other) {
				if strings.HasPrefix(text, "Status: ") && (strings.Contains(text, "Alone") || strings.Contains(text, tag("Alone"))) {
					t.Errorf("%s reads in the transcript of ana:\n%s", other, text)
				}
			}
		}
	}
}

// A refusal names no folder to those who may not list it, and no mail to those
// who may not read it.
func TestA2_RefusalBetweenCases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	for _, title := range []string{"Hiddenword", "Openword"} {
		id := cvd.FindCaseIDs(w.do("case open " + title))[0]
		w.submits("ana", "notes."+id.Lower()+"@"+w.DeskDomain, false, title+" note", "x\n")
	}
	w.do("case PAR-2026-0001", "case restrict ana")
	hidden, open := "Cases/PAR-2026-0001 Hiddenword/Notes", "Cases/PAR-2026-0002 Openword/Notes"
	for from, to := range map[string]string{hidden: open, open: hidden} {
		var r *Refusal
		if _, err := w.drops("ana", from, "note", to); !errors.As(err, &r) {
			t.Errorf("%s to %s: %v", from, to, err)
		}
	}
	w.finds("ana", true, "Not done: "+hidden, "Not done: "+open)
	w.finds("ben", false, "Hiddenword", "PAR-2026-0001")
}

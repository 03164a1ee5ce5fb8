package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// ended is the folder of what was declined in the year of the tests.
func (w *world) endedFolder() string { return endedReports(w.clock.Now()) }

// A report that is declined leaves Intake for the folder of those, and its
// finder gets the reason, encrypted; reopen brings it back.
func TestReport_Decline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	fin := w.person("fin", "fin@finder.example")
	r := w.reported(fin, "Overflow", "it overflows")
	w.refuses(asAna, "what is to be answered is missing", "report 1 decline")
	w.refuses(asAna, "no report #9", `report 9 decline "no"`)
	w.refuses(asAna, `did you mean decline`, `report 1 declin "no"`)
	w.refuses(asAna, "not the number of a report", `report one decline "no"`)
	w.control("ana", false, `report 1 decline "This is how it is meant to work."`)
	if got := w.subjects(w.endedFolder()); len(w.subjects("Intake")) != 0 || len(got) != 1 || !strings.Contains(got[0], "Overflow") {
		t.Fatalf("Intake %q, ended %q", w.subjects("Intake"), got)
	}
	if n := len(w.got("fin")); n != 1 { // the receipt: the letter can be undone yet
		t.Errorf("fin got %d mails", n)
	}
	w.clock.Advance(w.Undo)
	w.settle()
	got := w.got("fin")
	if len(got) != 2 || !strings.Contains(got[1].Text, "how it is meant to work") || strings.Contains(got[1].Text, "ana") {
		t.Fatalf("fin got %d mails", len(got))
	}
	w.refuses(asAna, "`report 1 reopen` brings it back", `report 1 decline "again"`)
	w.refuses(asAna, "`report 1 reopen` brings it back", "case open x report 1")
	// What the finder answers is a task again.
	to := w.ThreadAddress(r.Token)
	w.arrives(fin.Address, to, w.seal(fin, to, true, mailtest.Entity("Re: Overflow", "but look")))
	w.settle()
	if w.countIn("Intake", "Re: Overflow") != 1 || w.countIn("INBOX", "finder wrote") != 1 {
		t.Errorf("Intake %q, INBOX %q", w.subjects("Intake"), w.subjects("INBOX"))
	}
	w.control("ana", false, "report 1 reopen")
	if len(w.subjects("Intake")) != 2 || len(w.subjects(w.endedFolder())) != 0 || w.reports()[0].Ended != "" {
		t.Errorf("Intake %q, ended %q", w.subjects("Intake"), w.subjects(w.endedFolder()))
	}
	w.refuses(asAna, "is in Intake", "report 1 reopen")
}

// Whoever has no usable key is told, content-free, that an answer waits; the
// words never leave.
func TestReport_DeclineWithoutKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.arrives("fin@finder.example", reportTo, mailtest.Plain("fin@finder.example", reportTo, "Overflow", "it overflows", w.clock.Now()))
	w.settle()
	w.control("ana", false, `report 1 decline "Secretword is a feature."`)
	w.clock.Advance(w.Undo)
	w.settle()
	mails := w.sink.To("fin@finder.example")
	if len(mails) != 2 || !strings.Contains(string(mails[1].Raw), "intake-1] We have an answer") {
		t.Fatalf("fin got %d mails", len(mails))
	}
	for _, m := range mails {
		if strings.Contains(string(m.Raw), "Secretword") || strings.Contains(string(m.Raw), "Overflow") {
			t.Errorf("it left in clear:\n%s", m.Raw)
		}
	}
	if !strings.Contains(w.words(w.last("Status")), "your words do not leave") {
		t.Errorf("Status:\n%s", w.words(w.last("Status")))
	}
}

func TestReport_Ask(t *testing.T) {
	t.Parallel()
	w, id := twoFinders(t)
	w.control("ana", false, `report 1 ask "Which version?"`, `report 2 ask "On which machine?"`)
	w.clock.Advance(w.Undo)
	w.settle()
	for who, text := range map[string]string{"fin": "Which version?", "gil": "On which machine?"} {
		if got := w.got(who); len(got) != 2 || !strings.Contains(got[1].Text, text) {
			t.Errorf("%s got %d mails", who, len(got))
		}
	}
	if w.countIn("Intake", "Crash") != 1 || w.countIn(w.folderOf(id, "Finder"), "question") != 1 {
		t.Errorf("Intake %q, Finder %q", w.subjects("Intake"), w.subjects(w.folderOf(id, "Finder")))
	}
	w.do("case "+string(id), "case assign ben", "case restrict ben")
	w.refuses(asAna, "no report #1", `report 1 ask "Which version?"`)
}

// A duplicate joins the case; its finder learns that it is one, and nothing
// else of it. join tells nobody.
func TestReport_DuplicateAndJoin(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"join", "duplicate-of"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			w, id := twoFinders(t)
			w.refuses(asAna, "there is no case", "report 2 "+verb+" PAR-2026-0099")
			w.refuses(asAna, "belongs to a case already", "report 1 "+verb+" "+string(id))
			w.control("ana", false, "report 2 "+verb+" "+string(id))
			w.clock.Advance(w.Undo)
			w.settle()
			r, got := w.reports()[1], w.got("gil")
			if r.Case != id || r.Finder() != cvd.FinderID(2) || len(w.subjects("Intake")) != 0 {
				t.Fatalf("report %+v", r)
			}
			if len(w.got("fin")) != 1 {
				t.Error("the first finder was told something")
			}
			if verb == "join" {
				if len(got) != 1 {
					t.Errorf("gil got %d mails", len(got))
				}
				return
			}
			if len(got) != 2 || !strings.Contains(got[1].Text, "known to us") && !strings.Contains(got[1].Text, "coordinate") {
				t.Fatalf("gil got %d mails", len(got))
			}
			for _, name := range []string{"fin@", "finder-2", "Overflow"} {
				if strings.Contains(got[1].Text, name) {
					t.Errorf("it names %s:\n%s", name, got[1].Text)
				}
			}
		})
	}
}

// Do/Spam takes a report away from everybody and answers nothing more of it;
// undone within the window all is as before.
func TestA5_Spam(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.coordinator("ana")
			w.coordinator("ben")
			fin := w.person("fin", "fin@finder.example")
			w.arrives(fin.Address, reportTo, w.seal(fin, reportTo, true, withKey(fin, "Buy now", "cheap"))) // its receipt is not on its way yet
			r := w.reports()[0]
			to := w.ThreadAddress(r.Token)
			uid, err := w.puts(way, "Intake", "Buy now", "Do/Spam")
			if err != nil || uid == 0 {
				t.Fatalf("UID %d: %v", uid, err)
			}
			if again, err := w.puts("APPEND", "Do/Spam", "Buy now", "Do/Spam"); err != nil || again != uid {
				t.Errorf("again: UID %d, %v", again, err)
			}
			for _, name := range []string{"ana", "ben"} {
				if win := w.windowOn(w.seatOf(name), "Junk"); win.Len() != 1 {
					t.Errorf("%s has %d in Junk", name, win.Len())
				}
			}
			if len(w.subjects("Intake")) != 0 || len(w.sink.Mails()) != 0 || w.journalled("report.spam") != 1 {
				t.Fatalf("Intake %q, %d mails left", w.subjects("Intake"), len(w.sink.Mails()))
			}
			w.arrives(fin.Address, to, mailtest.Plain(fin.Address, to, "Re: Buy now", "in clear", w.clock.Now()))
			w.arrives(fin.Address, to, w.seal(fin, to, true, mailtest.Entity("Re: Buy now", "once more")))
			w.settle()
			if win := w.windowOn(w.seatOf("ben"), "Junk"); win.Len() != 3 || len(w.sink.Mails()) != 0 || len(w.subjects("INBOX")) != 0 || len(w.subjects("Quarantine")) != 0 {
				t.Errorf("Junk %d, sent %d, INBOX %q, Quarantine %q", win.Len(), len(w.sink.Mails()), w.subjects("INBOX"), w.subjects("Quarantine"))
			}
			w.clock.Advance(w.Undo)
			w.ok(w.takesBack("ana", "Spam", "Intake"))
			w.settle()
			if len(w.subjects("Intake")) != 3 || len(w.got("fin")) != 1 || w.windowOn(w.seatOf("ben"), "Junk").Len() != 0 {
				t.Errorf("Intake %q, fin got %d", w.subjects("Intake"), len(w.sink.Mails()))
			}
		})
	}
}

// What a party of a case writes is never spam; a mail in Quarantine may be.
func TestA5_SpamElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.started("acme")
	acme := w.people["acme"]
	w.answers("acme", id, true, "We look into it.\n")
	w.arrives(acme.Address, w.thread(id, "acme"), mailtest.Plain(acme.Address, w.thread(id, "acme"), "In clear", "hello\n", w.clock.Now()))
	w.settle()
	thread := w.folderOf(id, "Vendor acme")
	_, err := w.puts("MOVE", thread, "Re: [", "Do/Spam")
	w.refusedWith(err, "Do/Spam", "acme is a party of "+string(id))
	if w.windowOn(w.seatOf("ana"), thread).Len() == 0 {
		t.Error("a refused MOVE hid the letter")
	}
	_, err = w.puts("COPY", w.folderOf(id, "Case file"), "PAR-", "Do/Spam")
	w.refusedWith(err, "Do/Spam", "no mail from outside")
	for range 2 {
		_, err = w.puts("COPY", "Quarantine", "In clear", "Do/Spam")
		w.ok(err)
		if len(w.subjects("Quarantine")) != 0 || w.windowOn(w.seatOf("ana"), "Junk").Len() != 1 {
			t.Fatalf("Quarantine %q", w.subjects("Quarantine"))
		}
		w.ok(w.takesBack("ana", "Spam", "Quarantine"))
		if len(w.subjects("Quarantine")) != 1 || w.windowOn(w.seatOf("ana"), "Junk").Len() != 0 {
			t.Fatalf("Quarantine %q", w.subjects("Quarantine"))
		}
	}
	w.arrives("x@y.example", "abuse@"+w.Domain, mailtest.Plain("x@y.example", "abuse@"+w.Domain, "Cheap", "buy", w.clock.Now()))
	w.settle()
	_, err = w.puts("COPY", "INBOX", "Cheap", "Do/Spam")
	w.ok(err)
	if w.countIn("INBOX", "Cheap") != 0 {
		t.Errorf("INBOX %q", w.subjects("INBOX"))
	}
}

package mailflow

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// ways are how a message gets into another folder.
var ways = []string{"COPY", "MOVE", "APPEND"}

// puts lets ana put the newest mail of a folder with these words in its Subject
// into another one, as a client does, and gives its UID there.
func (w *world) puts(way, from, about, to string) (uid uint32, err error) {
	w.t.Helper()
	return w.putsAs("ana", way, from, about, to)
}

func (w *world) putsAs(name, way, from, about, to string) (uid uint32, err error) {
	w.t.Helper()
	seat := w.seatOf(name)
	win := w.windowOn(seat, from)
	at := -1
	var raw []byte
	for i := range win.Len() {
		w.ok(win.Read([]int{i}, func(_ *store.Tx, _ int, e *store.Entry) error {
			m, err := w.messageOf(e.Message)
			refused := strings.HasPrefix(m.Envelope.Subject, "Not done: ") // which names what was dropped
			if err == nil && !refused && strings.Contains(m.Envelope.Subject, about) {
				at = i
				raw, err = w.Store.Bytes(m.Served)
			}
			return err
		}))
	}
	if at < 0 {
		w.t.Fatalf("%s holds no mail about %q", from, about)
	}
	ctx := context.Background()
	var c Copied
	switch way {
	case "COPY":
		c, err = win.Copy(ctx, []int{at}, to)
	case "MOVE":
		c, err = win.Move(ctx, []int{at}, to)
	default:
		_, uid, err = seat.Append(ctx, to, append([]byte("X-TUID: abcdefghijkl\r\n"), raw...), 0, time.Time{})
	}
	if len(c.To) == 1 {
		uid = c.To[0]
	}
	w.settle()
	return uid, err
}

func (w *world) messageOf(id uint64) (m store.Message, err error) {
	err = w.Store.View(func(tx *store.Tx) error {
		m, err = tx.Message(id)
		return err
	})
	return m, err
}

// top is the folder of a case that holds the others.
func (w *world) top(id cvd.CaseID) string {
	return strings.TrimSuffix(w.folderOf(id, "Notes"), "/Notes")
}

// twoFinders is a desk with a case of one finder, and a report of another one
// in Intake.
func twoFinders(t *testing.T) (w *world, id cvd.CaseID) {
	w = newDesk(t, "ana ben")
	w.reported(w.person("fin", "fin@finder.example"), "Overflow", "it overflows")
	_, err := w.puts("COPY", "Intake", "Overflow", "Do/New case")
	w.ok(err)
	w.reported(w.person("gil", "gil@other.example"), "Crash", "it crashes")
	return w, "PAR-2026-0001"
}

// A report that is put into a case joins it: its finder is one more, with a
// thread of its own, and neither finder learns of the other.
func TestA5_FileReport(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		for _, sub := range []string{"", "/Finder"} {
			t.Run(way+sub, func(t *testing.T) {
				t.Parallel()
				w, id := twoFinders(t)
				before := w.journalled("case.joined")
				_, err := w.puts(way, "Intake", "Crash", w.top(id)+sub)
				w.ok(err)
				r := w.reports()[1]
				if r.Case != id || r.Party != "finder-2" || len(w.subjects("Intake")) != 0 || w.journalled("case.joined") != before+1 {
					t.Fatalf("report %+v; Intake %q", r, w.subjects("Intake"))
				}
				if got := w.subjects(w.folderOf(id, "Finder 2")); len(got) != 2 || !strings.Contains(got[0], "Crash") { // and its receipt
					t.Errorf("Finder 2: %q", got)
				}
				if c := w.theCase(id); !slices.Equal(c.Reports, []uint64{1, 2}) {
					t.Errorf("reports of the case: %v", c.Reports)
				}
				w.talksApart(id)
			})
		}
	}
}

// talksApart lets both finders and the desk write, and wants each mail in its
// own thread only.
func (w *world) talksApart(id cvd.CaseID) {
	w.t.Helper()
	gil := w.people["gil"]
	to := w.thread(id, "finder-2")
	w.arrives(gil.Address, to, w.seal(gil, to, true, mailtest.Entity("Re: Crash", "one more thing")))
	w.submits("ana", "finder-2."+id.Lower()+"@"+w.DeskDomain, false, "Re: Crash", "thank you, gil\n")
	w.submits("ana", "finder.report-2@"+w.DeskDomain, false, "Re: #2 Crash", "and once more\n") // as the view in Intake said
	w.clock.Advance(w.Undo)
	w.settle()
	if got := w.subjects(w.folderOf(id, "Finder")); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "Crash") }) {
		w.t.Errorf("Finder: %q", got)
	}
	if n := w.countIn(w.folderOf(id, "Finder 2"), "Crash"); n != 4 {
		w.t.Errorf("Finder 2: %q", w.subjects(w.folderOf(id, "Finder 2")))
	}
	if got := w.got("gil"); len(got) != 3 || !strings.Contains(got[1].Text+got[2].Text, "thank you, gil") {
		w.t.Errorf("gil got %d mails", len(got))
	}
	for _, m := range w.got("fin") {
		if strings.Contains(m.Text, "gil") || strings.Contains(m.Text, "finder-2") {
			w.t.Errorf("fin learns of the other:\n%s", m.Text)
		}
	}
	for _, m := range w.got("gil") {
		if strings.Contains(m.Text, "fin@") || strings.Contains(m.Text, "finder-2") {
			w.t.Errorf("gil learns of the other:\n%s", m.Text)
		}
	}
}

// What was filed by mistake goes back within the undo window, and is the same
// as before.
func TestA5_UndoFiledReport(t *testing.T) {
	t.Parallel()
	w, id := twoFinders(t)
	before := w.subjects("Intake")
	_, err := w.puts("MOVE", "Intake", "Crash", w.top(id))
	w.ok(err)
	w.clock.Advance(w.Undo)
	_, err = w.puts("MOVE", w.folderOf(id, "Finder 2"), "Crash", "Intake")
	w.ok(err)
	r := w.reports()[1]
	if !slices.Equal(w.subjects("Intake"), before) || r.Case != "" || r.Party != "" {
		t.Fatalf("Intake %q, report %+v", w.subjects("Intake"), r)
	}
	if c := w.theCase(id); !slices.Equal(c.Reports, []uint64{1}) || len(w.subjects(w.folderOf(id, "Finder 2"))) != 0 {
		t.Errorf("the case has %v; Finder 2 %q", c.Reports, w.subjects(w.folderOf(id, "Finder 2")))
	}
	_, err = w.puts("COPY", "Intake", "Crash", w.folderOf(id, "Finder"))
	w.ok(err)
	w.clock.Advance(w.Undo + time.Second)
	_, err = w.puts("MOVE", w.folderOf(id, "Finder 2"), "Crash", "Intake")
	w.refusedWith(err, "Intake", "are over")
	w.submits("ana", "finder-2."+id.Lower()+"@"+w.DeskDomain, false, "Re: Crash", "thanks\n")
	if got := w.reports()[1].Case; got != id {
		t.Errorf("the report is of %q", got)
	}
}

// A mail in Quarantine that is from a party of the case is filed in its thread,
// and nowhere else. It stays marked, its commands count no more than before,
// and a Reply to it reaches the party.
func TestA5_FileQuarantined(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			w := newDesk(t, "ana")
			id := w.started("acme", "globex")
			acme := w.people["acme"]
			w.arrives(acme.Address, w.thread(id, "acme"), mailtest.Plain(acme.Address, w.thread(id, "acme"), "In clear",
				"ACK "+string(id)+" "+w.code("acme")+"\n", w.clock.Now()))
			w.settle()
			thread := w.folderOf(id, "Vendor acme")
			for sub, why := range map[string]string{"Vendor globex": "neither may learn", "Notes": "belongs into its thread"} {
				_, err := w.puts(way, "Quarantine", "In clear", w.folderOf(id, sub))
				w.refusedWith(err, w.folderOf(id, sub), why)
			}
			uid, err := w.puts(way, "Quarantine", "In clear", thread)
			w.ok(err)
			m := w.last(thread)
			if uid == 0 || len(w.subjects("Quarantine")) != 0 || m.Envelope.Subject != "[CLEAR] In clear" || m.Raw == nil {
				t.Fatalf("UID %d; Quarantine %q; thread %q", uid, w.subjects("Quarantine"), w.subjects(thread))
			}
			if got := w.says(m, "From"); !strings.Contains(got, "acme."+id.Lower()+"@") || w.says(m, "Parley-Encryption") != "no" || !strings.Contains(w.words(m), "It came in CLEAR") {
				t.Errorf("From %s\n%s", got, w.words(m))
			}
			if w.who(id, "acme").Acknowledged != nil {
				t.Error("its command counted")
			}
			again, err := w.puts("APPEND", thread, "In clear", thread)
			if err != nil || again != uid {
				t.Errorf("filed again as %d, %v; first %d", again, err, uid)
			}
			w.ok(w.acknowledges(thread, "In clear"))
			if a := w.who(id, "acme").Acknowledged; a == nil || a.By != "ana" {
				t.Errorf("recorded: %+v", a)
			}
		})
	}
}

func (w *world) acknowledges(folder, about string) error {
	_, err := w.puts("COPY", folder, about, "Do/Acknowledge")
	return err
}

func TestA5_UndoFiledLetter(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "ana")
	id := w.started("acme")
	acme := w.people["acme"]
	w.arrives(acme.Address, w.thread(id, "acme"), mailtest.Plain(acme.Address, w.thread(id, "acme"), "In clear", "hello\n", w.clock.Now()))
	w.settle()
	before, thread := w.filed("Quarantine"), w.folderOf(id, "Vendor acme")
	for range 2 {
		uid, err := w.puts("MOVE", "Quarantine", "In clear", thread)
		if err != nil || uid == 0 {
			t.Fatalf("filed as %d: %v", uid, err)
		}
		_, err = w.puts("MOVE", thread, "In clear", "Quarantine")
		w.ok(err)
		if got := w.filed("Quarantine"); len(got) != 1 || got[0].ID != before[0].ID || got[0].Kind != "quarantine" || w.countIn(thread, "In clear") != 0 {
			t.Fatalf("Quarantine %+v; thread %q", got, w.subjects(thread))
		}
	}
}

// What a party wrote to report@ goes into its thread; what somebody else wrote
// does not.
func TestA5_FileLetterFromIntake(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			w := newDesk(t, "ana")
			id := w.started("acme", "globex")
			acme := w.people["acme"]
			w.arrives(acme.Address, reportTo, mailtest.Plain(acme.Address, reportTo, "About your notice", "hello\n", w.clock.Now()))
			w.settle()
			r := w.reports()[0]
			thread := w.folderOf(id, "Vendor acme")
			_, err := w.puts(way, "Intake", "About", w.folderOf(id, "Vendor globex"))
			w.refusedWith(err, w.folderOf(id, "Vendor globex"), "no address of globex")
			_, err = w.puts(way, "Intake", "About", w.folderOf(id, "Notes"))
			w.refusedWith(err, w.folderOf(id, "Notes"), "does not belong into Notes")
			uid, err := w.puts(way, "Intake", "About", thread)
			w.ok(err)
			if uid == 0 || w.countIn(thread, "About") != 1 || len(w.subjects("Intake")) != 0 || len(w.theCase(id).Reports) != 0 {
				t.Fatalf("UID %d; thread %q", uid, w.subjects(thread))
			}
			// The address that answered it leads to the thread of acme now.
			to := w.ThreadAddress(r.Token)
			w.arrives(acme.Address, to, w.seal(acme, to, true, mailtest.Entity("Re: About", "ACK "+string(id)+"\n")))
			w.settle()
			if w.countIn(thread, "Re: About") != 1 || w.who(id, "acme").Acknowledged == nil {
				t.Errorf("thread %q; Intake %q; Quarantine %q", w.subjects(thread), w.subjects("Intake"), w.subjects("Quarantine"))
			}
		})
	}
}

// A mail of one thread stays out of every other, and says why.
func TestA5_WrongThread(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "ana")
	id, other := w.started("acme", "globex"), w.caseWith("acme")
	w.answers("acme", id, true, "We look into it.\n")
	w.submits("ana", "notes."+id.Lower()+"@"+w.DeskDomain, false, "a thought", "x\n")
	if _, _, err := w.seatOf("ana").Append(context.Background(), "Drafts", []byte("Message-ID: <d@x>\r\nSubject: my draft\r\n\r\nx\r\n"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	thread, notes := w.folderOf(id, "Vendor acme"), w.folderOf(id, "Notes")
	for _, row := range []struct{ from, about, to, why string }{
		{thread, "Re: [", w.folderOf(id, "Vendor globex"), "of the thread of acme"},
		{thread, "Re: [", notes, "is in Vendor acme already"},
		{thread, "Re: [", w.top(id), "is in Vendor acme already"},
		{thread, "Re: [", w.folderOf(other, "Vendor acme"), "is of " + string(id)},
		{thread, "Re: [", w.top(other), "is of " + string(id)},
		{notes, "a thought", thread, "is a note of the desk"},
		{notes, "a thought", w.folderOf(other, "Notes"), "is a note of the desk"},
		{w.folderOf(id, "Case file"), "PAR-", notes, "is Parley's own"},
		{"Status", "", w.folderOf(id, "Notes"), "is Parley's own"},
	} {
		if row.from == "Status" {
			w.control("ana", false, "status")
		}
		for _, way := range ways {
			if _, err := w.puts(way, row.from, row.about, row.to); err == nil || !strings.Contains(err.Error(), row.why) {
				t.Errorf("%s of %q into %s: %v, want %q", way, row.about, row.to, err, row.why)
			}
		}
	}
	for _, way := range []string{"COPY", "MOVE"} {
		if _, err := w.puts(way, "Drafts", "my draft", notes); err == nil || !strings.Contains(err.Error(), "send it to notes."+id.Lower()) {
			t.Errorf("%s of a draft: %v", way, err)
		}
	}
	if _, err := w.puts("APPEND", "Drafts", "my draft", notes); err == nil || !strings.Contains(err.Error(), "only messages that Parley shows") {
		t.Errorf("APPEND of a draft: %v", err)
	}
	w.do("case "+string(other), "case close")
	if _, err := w.puts("COPY", thread, "Re: [", "Closed/2026/"+string(other)+" Heap overflow/Vendor acme"); err == nil || !strings.Contains(err.Error(), "is closed") {
		t.Errorf("into a closed case: %v", err)
	}
	if n := w.countIn(w.folderOf(id, "Vendor globex"), "Re: ["); n != 0 {
		t.Errorf("the thread of globex: %q", w.subjects(w.folderOf(id, "Vendor globex")))
	}
}

// A refusal about two cases is seen by nobody who may not know of both.
func TestA2_FiledIntoAnotherCase(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "ana ben")
	id, other := w.started("acme"), w.caseWith("acme")
	w.answers("acme", id, true, "Secretword.\n")
	w.do("case "+string(id), "case restrict ana")
	for _, restricted := range []bool{false, true} {
		if restricted {
			w.update(func(tx *store.Tx) error {
				c, err := CaseByID(tx, other)
				c.Restricted = []string{"ana", "ben"}
				if err != nil {
					return err
				}
				return PutCase(tx, c)
			})
		}
		_, err := w.puts("COPY", w.folderOf(id, "Vendor acme"), "Re: [", w.top(other))
		w.refusedWith(err, "Cases/"+string(other), "is of "+string(id))
		if m := w.last("INBOX"); m.Case != string(id) {
			t.Errorf("the refusal is seen with %q", m.Case)
		}
	}
	// Neither may know of the other: the mail names none of them.
	w.do("case "+string(id), "case restrict ana")
	w.coordinator("cleo")
	w.update(func(tx *store.Tx) error {
		for _, id := range []cvd.CaseID{id, other} {
			c, err := CaseByID(tx, id)
			if err != nil {
				return err
			}
			c.Restricted = []string{"ana", map[bool]string{true: "ben", false: "cleo"}[c.ID == other]}
			if err := PutCase(tx, c); err != nil {
				return err
			}
		}
		return nil
	})
	_, err := w.puts("COPY", w.folderOf(id, "Vendor acme"), "Re: [", w.top(other))
	if err == nil || !strings.Contains(err.Error(), "is of "+string(id)) {
		t.Errorf("%v", err)
	}
	if m := w.last("INBOX"); m.Case != "" || strings.Contains(m.Envelope.Subject+w.words(m), "PAR-") || !strings.Contains(w.words(m), "different coordinators") {
		t.Errorf("the refusal says %q\n%s", m.Envelope.Subject, w.words(m))
	}
}

// A task about a report that is dropped where it cannot go is refused like the
// report itself.
func TestA5_TaskOfAReport(t *testing.T) {
	t.Parallel()
	w, id := twoFinders(t)
	gil := w.people["gil"]
	to := w.ThreadAddress(w.reports()[1].Token)
	w.arrives(gil.Address, to, w.seal(gil, to, true, mailtest.Entity("Re: Crash", "more")))
	w.settle()
	_, err := w.puts("COPY", "INBOX", "finder wrote", w.folderOf(id, "Notes"))
	w.refusedWith(err, w.folderOf(id, "Notes"), "does not belong into Notes")
	_, err = w.puts("COPY", "INBOX", "finder wrote", w.folderOf(id, "Finder"))
	w.ok(err)
	if r := w.reports()[1]; r.Case != id || w.countIn(w.folderOf(id, "Finder 2"), "Crash") != 2 {
		t.Errorf("report %+v", r)
	}
}

// A second report of the same finder goes on in its thread, and back out of it.
func TestA5_FileReportOfTheSameFinder(t *testing.T) {
	t.Parallel()
	for _, sub := range []string{"", "/Finder"} {
		w, id := twoFinders(t)
		fin := w.people["fin"]
		second := w.reported(fin, "Overflow again", "and here")
		for range 2 {
			_, err := w.puts("MOVE", "Intake", "Overflow again", w.top(id)+sub)
			w.ok(err)
			if r := w.reports()[2]; r.Case != id || r.Finder() != cvd.Finder || w.countIn(w.folderOf(id, "Finder"), "Overflow again") != 1 {
				t.Fatalf("report %+v; Finder %q", r, w.subjects(w.folderOf(id, "Finder")))
			}
			if c := w.theCase(id); !slices.Equal(c.Reports, []uint64{1, 3}) {
				t.Errorf("reports %v", c.Reports)
			}
			_, err = w.puts("MOVE", w.folderOf(id, "Finder"), "Overflow again", "Intake")
			w.ok(err)
			if r := w.reports()[2]; r.Case != "" || w.countIn("Intake", "Overflow again") != 1 || w.who(id, "finder").Address != fin.Address {
				t.Fatalf("undone: %+v; Intake %q", r, w.subjects("Intake"))
			}
		}
		w.control("ana", false, "report 3 join "+string(id))
		to := w.ThreadAddress(second.Token)
		w.arrives(fin.Address, to, w.seal(fin, to, true, mailtest.Entity("Re: Overflow again", "more")))
		w.settle()
		if w.countIn(w.folderOf(id, "Finder"), "Re: Overflow again") != 1 {
			t.Errorf("Finder %q, Quarantine %q", w.subjects(w.folderOf(id, "Finder")), w.subjects("Quarantine"))
		}
	}
}

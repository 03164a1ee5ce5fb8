package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// buttonRow is one button: what is dropped on it, and what shows that it was
// done.
type buttonRow struct {
	button, by  string
	from, about func(*world, cvd.CaseID) string
	done        func(*world, cvd.CaseID) bool
	before      string // the button that has to be pressed first
}

func here(s string) func(*world, cvd.CaseID) string {
	return func(*world, cvd.CaseID) string { return s }
}

func vendorThread(w *world, id cvd.CaseID) string { return w.folderOf(id, "Vendor acme") }

func buttonRows() []buttonRow {
	held := func(w *world, id cvd.CaseID) bool { return w.who(id, "acme").Hold != nil }
	return []buttonRow{
		{button: "New case", by: "ana", from: here("Intake"), about: here("Overflow"),
			done: func(w *world, _ cvd.CaseID) bool { return w.reports()[0].Case != "" }},
		{button: "Spam", by: "ana", from: here("Intake"), about: here("Overflow"),
			done: func(w *world, _ cvd.CaseID) bool { return w.reports()[0].Spam }},
		{button: "Approve", by: "ben", from: here("Approvals"), about: here("scope"),
			done: func(w *world, _ cvd.CaseID) bool { return len(w.requests(cvd.Scope)) == 0 }},
		{button: "Reject", by: "ben", from: here("Approvals"), about: here("scope"),
			done: func(w *world, _ cvd.CaseID) bool { return len(w.requests(cvd.Scope)) == 0 }},
		{button: "Hold", by: "ana", from: vendorThread, about: here("Re: ["), done: held},
		{button: "Release", by: "ana", from: vendorThread, about: here("Re: ["), before: "Hold",
			done: func(w *world, id cvd.CaseID) bool { return !held(w, id) }},
		{button: "Acknowledge", by: "ana", from: vendorThread, about: here("Re: ["),
			done: func(w *world, id cvd.CaseID) bool { return w.who(id, "acme").Acknowledged != nil }},
	}
}

// Every button works by COPY, MOVE and APPEND alike: once, with a receipt that
// undoes.
func TestA5_EveryButton(t *testing.T) {
	t.Parallel()
	for _, row := range buttonRows() {
		for _, way := range ways {
			t.Run(row.button+" by "+way, func(t *testing.T) {
				t.Parallel()
				w, id := strict(t, "acme")
				w.reported(w.person("fin", "fin@finder.example"), "Overflow", "it overflows")
				from, about, to := row.from(w, id), row.about(w, id), "Do/"+row.button
				if row.before != "" {
					_, err := w.putsAs(row.by, "COPY", from, about, "Do/"+row.before)
					w.ok(err)
				}
				if row.done(w, id) {
					t.Fatal("it is done already")
				}
				uid, err := w.putsAs(row.by, way, from, about, to)
				if err != nil || uid == 0 || !row.done(w, id) {
					t.Fatalf("UID %d: %v", uid, err)
				}
				records := w.head()
				again, err := w.putsAs(row.by, "APPEND", to, about, to)
				if err != nil || again != uid || w.head() != records {
					t.Errorf("once more: UID %d, %v; or a record", again, err)
				}
				w.ok(w.takesBack(row.by, row.button, from))
				if row.done(w, id) {
					t.Error("it was not undone")
				}
				if strings.Contains(strings.Join(w.subjects("INBOX"), "\n"), "Not done") {
					t.Errorf("INBOX %q", w.subjects("INBOX"))
				}
			})
		}
	}
}

// What a button cannot do with a message it refuses, and leaves all as it was:
// the message of another case, the author's own text, what is gone.
func TestA5_EveryButtonRefuses(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	w.reported(w.person("fin", "fin@finder.example"), "Overflow", "it overflows")
	thread := vendorThread(w, id)
	for _, row := range []struct{ button, from, about, why string }{
		{"New case", thread, "Re: [", "no report from Intake"},
		{"Approve", "Approvals", "scope", "is your own text"},
		{"Approve", thread, "Re: [", "no request for approval"},
		{"Reject", "Intake", "Overflow", "no request for approval"},
		{"Hold", "Intake", "Overflow", "of no case"},
		{"Release", thread, "Re: [", "nothing of acme is held"},
		{"Acknowledge", "Intake", "Overflow", "no letter of a vendor"},
		{"Spam", thread, "Re: [", "stays in its thread"},
	} {
		for _, way := range ways {
			head, in := w.head(), len(w.filed(row.from))
			_, err := w.puts(way, row.from, row.about, "Do/"+row.button)
			w.refusedWith(err, "Do/"+row.button, row.why)
			if w.head() != head || len(w.filed(row.from)) != in || w.windowOn(w.seatOf("ana"), row.from).Len() != in {
				t.Errorf("%s by %s changed something", row.button, way)
			}
		}
	}
	if n := w.countIn("INBOX", "Not done: Do/Spam"); n != 1 {
		t.Errorf("%d mails of one refusal", n)
	}
}

// Trash hides from whoever puts something there, and from nobody else.
func TestA5_TrashHidesOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	w.reported(w.person("fin", "fin@finder.example"), "Overflow", "it overflows")
	head := w.head()
	_, err := w.puts("MOVE", "Intake", "Overflow", "Trash")
	w.ok(err)
	if ana, ben := w.windowOn(w.seatOf("ana"), "Intake").Len(), w.windowOn(w.seatOf("ben"), "Intake").Len(); ana != 0 || ben != 1 || w.head() != head {
		t.Errorf("Intake of ana %d, of ben %d", ana, ben)
	}
	trash := w.windowOn(w.seatOf("ana"), "Trash")
	w.ok(trash.Expunge([]int{0}))
	if w.countIn("Intake", "Overflow") != 1 || len(w.reports()) != 1 || len(w.kept(w.last("Intake"))) == 0 {
		t.Error("the report is gone")
	}
}

// head is the newest link of the journal.
func (w *world) head() (link string) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) {
		_, link, err = journal.Head(tx)
		return err
	})
	return link
}

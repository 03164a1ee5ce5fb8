package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// by gives commands as a coordinator by mail, unsigned.
func (w *world) by(name string, lines ...string) Transcript {
	w.t.Helper()
	return w.as(Actor{Name: name, Via: ViaMail}, lines...)
}

// wroteTo opens a case in which each of these wrote a letter that waits for an
// answer.
func (w *world) wroteTo(vendors ...string) cvd.CaseID {
	w.t.Helper()
	id := w.started(vendors...)
	for _, v := range vendors {
		w.answers(v, id, true, "hello, a question about the fix\n")
	}
	return id
}

// inbox lists the Subjects of INBOX that say who wrote.
func (w *world) inbox() []string {
	w.t.Helper()
	var out []string
	for _, s := range w.subjects("INBOX") {
		if strings.Contains(s, " wrote in ") {
			out = append(out, s)
		}
	}
	return out
}

// openTasks lists the open tasks.
func (w *world) openTasks() []taskRow {
	w.t.Helper()
	var out []taskRow
	w.view(func(tx *store.Tx) (err error) {
		out, err = openTasks(tx, "")
		return err
	})
	return out
}

func wants(t *testing.T, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant %q in it", got, want)
	}
}

// message is the first mail in a folder whose Subject has these words.
func (w *world) message(folder, words string) store.Message {
	w.t.Helper()
	for _, m := range w.filed(folder) {
		if strings.Contains(m.Envelope.Subject, words) {
			return m
		}
	}
	w.t.Fatalf("%s has no %q: %q", folder, words, w.subjects(folder))
	return store.Message{}
}

// composed are the bytes of a mail of our own.
func composed(t *testing.T, p Post) []byte {
	t.Helper()
	raw, err := message.Entity{Fields: []message.Field{{Name: "From", Value: "a@example.org"}, {Name: "Subject", Value: p.Subject},
		{Name: "Date", Value: "Tue, 01 Dec 2026 09:00:00 +0000"}}, Text: p.Text}.Bytes("=x")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

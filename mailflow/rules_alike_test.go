package mailflow

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"parley/mailflow/mailtest"
)

// Every kind of failure to decrypt in the corpus, from no key of ours to a bomb,
// is taken with the same reply and answered with the same silence, at every address of
// ours and whether or not plaintext reports are refused. The reason is the desk's
// alone.
func TestP9_SameFromOutside(t *testing.T) {
	t.Parallel()
	for _, plaintext := range []string{"accept", "refuse"} {
		t.Run(plaintext, func(t *testing.T) {
			t.Parallel()
			w, id := corpusWorld(t)
			w.Plaintext = plaintext
			w.settle()
			sent, reasons := len(w.sink.Mails()), map[string]bool{}
			for _, m := range readCorpus(t) {
				reason, ok := strings.CutPrefix(m.verdict, "undecryptable ")
				if !ok {
					continue
				}
				reasons[reason] = true
				for _, to := range []string{w.thread(id, "acme"), reportTo, "report-key@vdp.example.org", "postmaster@vdp.example.org"} {
					w.silent(m, reason, to)
				}
				if n := len(w.sink.Mails()); n != sent {
					t.Fatalf("%s is answered: %q", m.name, w.sink.Mails()[n-1].To)
				}
			}
			if len(reasons) < 9 {
				t.Errorf("only these: %v", reasons)
			}
			// The control: what can be opened is answered.
			f := w.person("finder", "someone@finder.example")
			w.arrives(f.Address, reportTo, w.seal(f, reportTo, false, mailtest.Entity("x", "y")))
			w.settle()
			if len(w.sink.Mails()) != sent+1 {
				t.Error("nobody is ever answered")
			}
		})
	}
}

// silent sends a mail to one address and wants it accepted and kept for the
// desk, with the reason.
func (w *world) silent(m corpusMail, reason, to string) {
	w.t.Helper()
	env := Envelope{From: "psirt@acme.example", To: []string{to}, Remote: "192.0.2.1"}
	if err := w.intake.Receive(context.Background(), env, bytes.NewReader(m.raw)); err != nil {
		w.t.Fatalf("%s to %s: %v", m.name, to, err)
	}
	w.process()
	w.settle()
	folder := "Quarantine"
	if strings.HasPrefix(to, "postmaster") {
		folder = "INBOX"
	}
	if text := w.words(w.last(folder)); !strings.Contains(text, "("+reason+")") {
		w.t.Errorf("%s to %s: the desk is not told that it is %s:\n%s", m.name, to, reason, text)
	}
}

package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// tops are the words at the top of every mail that a party wrote, or got, by its
// Subject.
func (w *world) tops() map[string]string {
	w.t.Helper()
	var boxes []store.Mailbox
	w.view(func(tx *store.Tx) (err error) { boxes, err = tx.Mailboxes(); return err })
	out := map[string]string{}
	for _, b := range boxes {
		for _, m := range w.filed(b.Name) {
			switch text := w.words(m); m.Direction {
			case "in":
				top, _, _ := strings.Cut(text, "\n"+theirs)
				out[m.Envelope.Subject] = top
			case "out":
				top, _, _ := strings.Cut(text, "\n\n")
				out[m.Envelope.Subject] = top
			}
		}
	}
	return out
}

// unwrapped is a text as one line.
func unwrapped(text string) string { return strings.Join(strings.Fields(text), " ") }

// What the gateway says at the top of its views fits into 72 columns and says
// all that the header fields do.
func TestViewsBeginIn72Columns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.started("acme")
	w.answers("acme", id, true, "We look at it.\n")
	f := w.person("finder", "security-research-team@a-rather-long-name.example")
	w.reported(f, "Overflow", "it overflows")
	w.arrives(f.Address, reportTo, w.seal(f, reportTo, true, mailtest.Entity("Two", "both", mailtest.File{Name: "fix.asc", Type: "application/pgp-encrypted", Data: string(w.seal(f, reportTo, true, mailtest.Entity("", "x")))})))
	w.arrives("psirt@acme.example", w.thread(id, "acme"), []byte("From: psirt@acme.example\r\nSubject: clear\r\n\r\nin clear\r\n"))
	w.submits("ana", w.deskTo("acme", id), false, "Which build", "Which build is it?\n")
	w.settle()
	tops := w.tops()
	if len(tops) < 6 {
		t.Errorf("only %d mails were looked at: %q", len(tops), tops)
	}
	for subject, top := range tops {
		narrow(t, subject, top)
	}
	said := unwrapped(tops["Re: ["+string(id)+"]"])
	wants(t, said, "It came encrypted. Signature: good; party=acme; key="+w.people["acme"].Fingerprint()+"; trust=confirmed. Really from psirt@acme.example.")
	wants(t, tops["[QUARANTINE] acme in "+string(id)+": clear"], "Really from psirt@acme.example")
}

// So does what became of a delivery, however high its number.
func TestFatesIn72Columns(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 9, 23, 12, 0, 0, 0, time.UTC)
	for state, n := range map[queue.State]cvd.Notice{queue.Sent: {Bounced: at, Delivery: 123456}, queue.Failed: {}, queue.Unknown: {}, queue.Dropped: {}, queue.Waiting: {}} {
		it := queue.Item{ID: 123456, State: state, Last: at, First: at, Attempts: 1, Reply: "mx.example answered 451", Said: strings.Repeat("try later ", 20)}
		narrow(t, string(state), fateOf(it, n).note())
	}
}

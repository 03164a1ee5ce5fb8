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
	clear := tops["[QUARANTINE] acme in "+string(id)+": clear"]
	wants(t, clear, "was the secret out in clear?\nIt came in CLEAR.")
	wants(t, clear, "Really from psirt@acme.example")
}

// The task of a letter gives whole lines that file what it says.
func TestLetterSaysHowToFileIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	w.answers("acme", id, true, "We look at it.\n")
	letter := w.words(w.message("INBOX", "acme wrote in "+string(id)))
	narrow(t, "INBOX", letter)
	wants(t, letter, "    case "+string(id)+"\n    record acme status investigating via mail\n")
	w.linesAreCommands(letter)
}

// A mail in Quarantine that could not be opened says why, once.
func TestQuarantineSaysItsReasonOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	f := w.person("finder", "someone@finder.example")
	broken := []byte("-----BEGIN PGP MESSAGE-----\n\nAAAA\n-----END PGP MESSAGE-----\n")
	w.arrives(f.Address, reportTo, mailtest.PGPMIME(f.Address, reportTo, w.clock.Now(), broken))
	w.arrives(f.Address, reportTo, []byte("From: someone@finder.example\r\nSubject: deep\r\n"+strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 40)))
	w.settle()
	all := w.filed("Quarantine")
	if len(all) != 2 {
		t.Fatalf("Quarantine: %q", w.subjects("Quarantine"))
	}
	for _, m := range all {
		top := unwrapped(w.words(m))
		wants(t, top, "Quarantine. Not opened: it cannot be ")
		wants(t, top, "Really from ")
		if strings.Count(top, "it cannot be ") != 1 {
			t.Errorf("the reason stands there more than once: %s", top)
		}
	}
}

// What became of a delivery fits into 72 columns, however high its number.
func TestFatesIn72Columns(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 9, 23, 12, 0, 0, 0, time.UTC)
	for state, n := range map[queue.State]cvd.Notice{queue.Sent: {Bounced: at, Delivery: 123456}, queue.Failed: {}, queue.Unknown: {}, queue.Dropped: {}, queue.Waiting: {}} {
		it := queue.Item{ID: 123456, State: state, Last: at, First: at, Attempts: 1, Reply: "mx.example answered 451", Said: strings.Repeat("try later ", 20)}
		narrow(t, string(state), fateOf(it, n).note())
	}
}

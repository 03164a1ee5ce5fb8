package mailflow

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/message"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// sentIn are the mails of ours in a vendor's thread.
func (w *world) sentIn(id cvd.CaseID, party string) []store.Message {
	w.t.Helper()
	box := ""
	w.view(func(tx *store.Tx) error {
		all, err := tx.Mailboxes()
		for _, m := range all {
			if strings.Contains(m.Name, string(id)) && strings.HasSuffix(m.Name, "/Vendor "+party) {
				box = m.Name
			}
		}
		return err
	})
	return slices.DeleteFunc(w.filed(box), func(m store.Message) bool { return m.Direction != "out" })
}

// fateShown is what the only mail of ours in a thread says of its delivery: the
// word in its header, and the lines at its top.
func (w *world) fateShown(id cvd.CaseID, party string) (word, lines string) {
	w.t.Helper()
	all := w.sentIn(id, party)
	if len(all) != 1 {
		w.t.Fatalf("%d mails of ours to %s", len(all), party)
	}
	p := w.served(all[0])
	text, err := p.FirstText().Text()
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, deliveryLine); ok {
			lines += strings.TrimSpace(rest) + "\n"
		}
	}
	return p.Header.Get(deliveryField), lines
}

// shows waits no time, and wants a thread to say how a delivery stands.
func (w *world) shows(id cvd.CaseID, word string, lines ...string) {
	w.t.Helper()
	w.settle()
	got, said := w.fateShown(id, "acme")
	if got != word {
		w.t.Errorf("its state is %q, not %q: %s", got, word, said)
	}
	for _, l := range lines {
		if !strings.Contains(said, l) {
			w.t.Errorf("%s: it does not say %q:\n%s", word, l, said)
		}
	}
}

// What the desk sees of a mail says what became of it, step by step, each under a
// new UID.
func TestSentMailSaysWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.sink.Refuse("psirt@acme.example", 451)
	w.do("case "+string(id), "start now")
	w.clock.Advance(w.Undo + time.Second)
	w.shows(id, "delayed", "DELAYED since Tue 1 Dec 2026", "(D1), tried again", "the answer: 451 4.1.1 as the test wants it")
	first := w.sentIn(id, "acme")[0]
	for range 5 { // tried again and again: no news
		w.clock.Advance(2 * time.Minute)
		w.settle()
	}
	if again := w.sentIn(id, "acme")[0]; again.ID != first.ID {
		t.Error("a further attempt made a new mail")
	}
	w.sink.Refuse("psirt@acme.example", 0)
	w.clock.Advance(2 * time.Minute)
	w.shows(id, "accepted", "accepted on Tue 1 Dec 2026", "the answer: 250 ")
	if now := w.sentIn(id, "acme")[0]; !now.At.Equal(first.At) || now.MessageID != first.MessageID || now.Ref != first.Ref {
		t.Errorf("it was %+v and is %+v", first, now)
	}
	if raw, err := w.Store.Bytes(first.Served); err != nil || !bytes.Contains(raw, []byte("Parley-Delivery: delayed\r\n")) {
		t.Errorf("the bytes of the old UID changed: %v", err)
	}
	sent := w.sink.To("psirt@acme.example")[0]
	w.arrives("", sent.From, []byte("From: MAILER-DAEMON@acme.example\r\nTo: "+sent.From+"\r\nSubject: Warning: message delayed 4 hours\r\n\r\n451 4.4.1 in.acme.example: no answer\r\n"))
	w.shows(id, "delayed", "DELAYED since Tue 1 Dec 2026", "(D1): accepted,", "and a server of theirs still tries", "it says: 451 4.4.1 in.acme.example: no answer")
	if out := w.in(id, "plan acme"); !strings.Contains(out, "delayed delivery D1") || w.countIn("INBOX", "D1") != 0 {
		t.Errorf("a delay is a task, or the plan does not say it:\n%s", out)
	}
	w.arrives("", sent.From, []byte("From: MAILER-DAEMON@acme.example\r\nTo: "+sent.From+"\r\nX-Failed-Recipients: psirt@acme.example\r\n\r\n550 5.1.1 no such mailbox\r\n"))
	w.shows(id, "bounced", "BOUNCED on Tue 1 Dec 2026", "it says: 550 5.1.1 no such mailbox")
	w.arrives("", sent.From, []byte("From: MAILER-DAEMON@acme.example\r\nTo: "+sent.From+"\r\nSubject: Warning: message delayed 8 hours\r\n\r\nstill tried\r\n"))
	w.shows(id, "bounced") // for good
	w.restart()
	w.shows(id, "bounced")
	if out := w.in(id, "plan acme"); !strings.Contains(out, "bounced delivery D1") {
		t.Errorf("the plan does not say that it bounced:\n%s", out)
	}
}

// A mail that their server refused, or took without a word, says so.
func TestSentMailRefusedOrUnknown(t *testing.T) {
	t.Parallel()
	for word, fault := range map[string]func(*mailtest.Sink){
		"refused": func(s *mailtest.Sink) { s.Refuse("psirt@acme.example", 550) },
		"unknown": func(s *mailtest.Sink) { s.DropAfterDot(1) },
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.caseWith("acme")
			fault(w.sink)
			w.do("case "+string(id), "start now")
			w.clock.Advance(w.Undo + time.Second)
			w.shows(id, word, map[string]string{"refused": "the answer: 550 5.1.1", "unknown": "did it arrive?"}[word])
			w.sink.Refuse("psirt@acme.example", 0)
			w.do("delivery D1 again")
			w.clock.Advance(time.Minute)
			w.shows(id, "accepted", "the answer: 250 ")
		})
	}
}

// What coordinators did with a mail stays with it when it says something new:
// who has read it has read it.
func TestSentMailKeepsItsMarks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.sink.Refuse("psirt@acme.example", 451)
	w.do("case "+string(id), "start now")
	w.clock.Advance(w.Undo + time.Second)
	w.settle()
	at := func() (p store.Place, seen, fresh store.Marks) {
		m := w.sentIn(id, "acme")[0]
		w.view(func(tx *store.Tx) error {
			filed, err := tx.FiledIn(m.ID)
			if err != nil || len(filed) != 1 {
				return fmt.Errorf("filed in %v: %w", filed, err)
			}
			p = filed[0]
			ana, err := tx.MarksOf(p.Mailbox, "ana", []uint32{p.UID})
			if err != nil {
				return err
			}
			ben, err := tx.MarksOf(p.Mailbox, "ben", []uint32{p.UID})
			seen, fresh = ana[0], ben[0]
			return err
		})
		return p, seen, fresh
	}
	before, _, _ := at()
	w.update(func(tx *store.Tx) error {
		return tx.Mark(before.Mailbox, "ana", []uint32{before.UID}, 0, store.MarkSeen|store.MarkFlagged|store.MarkAnswered)
	})
	w.sink.Refuse("psirt@acme.example", 0)
	w.clock.Advance(2 * time.Minute)
	w.shows(id, "accepted")
	after, ana, ben := at()
	if after.Mailbox != before.Mailbox || after.UID <= before.UID || ana != store.MarkSeen|store.MarkFlagged|store.MarkAnswered || ben != store.MarkAnswered {
		t.Errorf("from %v to %v: ana %b, ben %b", before, after, ana, ben)
	}
}

// movesNewest moves the newest mail of a folder into another.
func (w *world) movesNewest(s *Seat, from, to string) {
	w.t.Helper()
	win := w.windowOn(s, from)
	if _, err := win.Move(context.Background(), []int{win.Len() - 1}, to); err != nil {
		w.t.Fatalf("from %s to %s: %v", from, to, err)
	}
}

// Who put a mail of ours away finds it again where it was, also when it says
// something else by then.
func TestSentMailComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana := w.seatOf("ana")
	id := w.caseWith("acme")
	w.sink.Refuse("psirt@acme.example", 451)
	w.do("case "+string(id), "start now")
	w.clock.Advance(w.Undo + time.Second)
	w.settle()
	folder := w.folderOf(id, "Vendor acme")
	w.movesNewest(ana, folder, "Trash")
	if n := w.windowOn(ana, folder).Len(); n != 0 {
		t.Fatalf("%d mails are left", n)
	}
	w.sink.Refuse("psirt@acme.example", 0)
	w.clock.Advance(2 * time.Minute)
	w.shows(id, "accepted")
	if n := w.windowOn(ana, folder).Len(); n != 0 {
		t.Errorf("what was put away came back by itself: %d", n)
	}
	w.movesNewest(ana, "Trash", folder)
	if n := w.windowOn(ana, folder).Len(); n != 1 {
		t.Errorf("it did not come back: %d", n)
	}
	w.shows(id, "accepted")
}

// A receipt that left before its report belonged to a case says in the case what
// became of it.
func TestSentReceiptInACase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.person("finder", "f@finder.example")
	w.arrives(f.Address, reportTo, w.seal(f, reportTo, true, withKey(f, "flaw", "words")))
	w.settle()
	w.do(`case open "flaw" policy default report 1`)
	w.settle()
	for _, is := range w.fatesOfReceipts() {
		if !strings.HasPrefix(is, "accepted") {
			t.Errorf("the receipt is %s", is)
		}
	}
	if len(w.fatesOfReceipts()) != 1 {
		t.Errorf("receipts: %q", w.fatesOfReceipts())
	}
}

// fatesOfReceipts are the fates of what we sent to finders.
func (w *world) fatesOfReceipts() []string {
	w.t.Helper()
	var out []string
	w.view(func(tx *store.Tx) error {
		all, err := tx.Mailboxes()
		if err != nil {
			return err
		}
		for _, m := range all {
			if strings.HasSuffix(m.Name, "/Finder") {
				for _, x := range w.filed(m.Name) {
					if x.Direction == "out" {
						out = append(out, w.served(x).Header.Get(deliveryField))
					}
				}
			}
		}
		return nil
	})
	return out
}

// A view is changed in its two places and nowhere else, whatever stands in it and
// however it is encoded.
func TestFateInAView(t *testing.T) {
	t.Parallel()
	later := fateOf(queue.Item{ID: 7, State: queue.Sent, Last: storyStart, Reply: "final dot answered 250 2.0.0",
		Said: "Ok: queued as =4Zx\x01 " + strings.Repeat("long ", 30) + strings.Repeat("x", 200)}, cvd.Notice{})
	for name, text := range map[string]string{
		"plain":  "words\n\nIts delivery: of a vendor's own\n",
		"quoted": "wörter = ☃, " + strings.Repeat("long ", 40) + "\n\nIts delivery: of a vendor's own\n",
	} {
		for _, files := range [][]message.Attachment{nil, {{Filename: "a.bin", Data: []byte{0, 1, 2}}}} {
			write := func(f fate) []byte {
				raw, err := message.Entity{Fields: []message.Field{{Name: "Subject", Value: "s"}, f.field()},
					Text: "Sent to acme <a@acme.example>." + f.note() + "\nEncrypted to X.\n\n" + text, Attachments: files}.Bytes("=b")
				if err != nil {
					t.Fatal(err)
				}
				return raw
			}
			got, err := later.in(write(waiting))
			if err != nil || !bytes.Equal(got, write(later)) {
				t.Errorf("%s: %v\n%s", name, err, got)
			}
			if back, err := waiting.in(got); err != nil || !bytes.Equal(back, write(waiting)) {
				t.Errorf("%s, back: %v\n%s", name, err, back)
			}
		}
	}
	for _, l := range later.lines {
		if len(deliveryLine+l) > 72 {
			t.Errorf("a line of %d columns: %s", len(deliveryLine+l), l)
		}
	}
	if _, err := later.in([]byte("Subject: s\r\n\r\nSent to acme.\r\n")); err == nil {
		t.Error("a view of an earlier version was changed")
	}
}

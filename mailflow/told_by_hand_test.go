package mailflow

import (
	"fmt"
	"strings"
	"testing"

	"parley/mailflow/cvd"
)

// handedCase is a case of three in which acme is told by hand since it accepted:
// a new date, two letters and a question wait for it.
func handedCase(t *testing.T) (*world, cvd.CaseID) {
	t.Helper()
	w, id := meeting(t)
	w.do("vendor edit acme channel hand")
	w.in(id, `embargo 2026-12-16T16:00Z force because "they asked"`, "introduce acme globex")
	w.submits("ana", w.deskTo("vendors", id), false, "A question", "The 8.x branch is not affected.\n")
	w.submits("ana", w.deskTo("acme", id), false, "Re: which build", "It is the build of spring, and no other.\n")
	w.after(3 * w.Undo)
	return w, id
}

// handedOpen lists the notices of a kind to acme that have not left.
func (w *world) handedOpen(id cvd.CaseID, kind cvd.NoticeKind) (out []cvd.Notice) {
	for _, n := range w.noticesOf(id, "acme", kind) {
		if !n.State.Over() {
			out = append(out, n)
		}
	}
	return out
}

// All that a person has to deliver is in Held in full, and one line records it:
// the mail in Held goes, nothing leaves by mail, then or later, and undo puts it
// back.
func TestHandedOver(t *testing.T) {
	t.Parallel()
	w, id := handedCase(t)
	letters := w.handedOpen(id, cvd.KindLetter)
	if len(letters) != 2 {
		t.Fatalf("%d letters wait, want 2", len(letters))
	}
	question := w.handedOpen(id, cvd.KindQuestion)[0]
	sent := len(w.mails(w.people["acme"]))
	w.refuses(asOperator, fmt.Sprintf("several wait for acme: letter %s, letter %s", noticeRef(letters[0]), noticeRef(letters[1])),
		"case "+string(id), `record acme delivered letter via portal`)
	w.refuses(asOperator, "no letter N9999 waits for acme", "case "+string(id), `record acme delivered letter N9999 via portal`)
	w.refuses(asOperator, "globex gets its notices by mail", "case "+string(id), `record globex delivered embargo via portal`)
	w.refuses(asOperator, "acme is on hold", "case "+string(id), "hold acme because wait", `record acme delivered embargo v2 via portal`)
	for _, row := range []struct {
		notice cvd.Notice
		line   string
		reads  []string
	}{
		{w.handedOpen(id, cvd.KindEmbargo)[0], "embargo v2", []string{"16 December 2026", "ACK " + string(id) + " " + maskedCode}},
		{letters[0], "letter " + noticeRef(letters[0]), []string{"The 8.x branch is not affected."}},
		{letters[1], noticeRef(letters[1]), []string{"It is the build of spring"}},
		{question, "question", []string{asks, "CONSENT " + string(id), maskedCode}},
	} {
		task := "Held: " + handName(row.notice) + " to acme"
		if w.countIn("Held", task) != 1 || w.countIn("INBOX", task) != 1 {
			t.Fatalf("%s: Held %q, INBOX %q", row.line, w.subjects("Held"), w.subjects("INBOX"))
		}
		text := w.textIn("Held", task)
		for _, want := range append(row.reads, "record acme delivered "+handName(row.notice)+` via "HOW"`) {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the mail in Held lacks %q:\n%s", row.line, want, text)
			}
		}
		if row.notice.Code != "" && strings.Contains(text, row.notice.Code) {
			t.Errorf("%s: the mail in Held shows the code", row.line)
		}
		said := w.in(id, "record acme delivered "+row.line+` via "portal"`)
		if w.countIn("Held", task)+w.countIn("INBOX", task) != 0 {
			t.Errorf("%s: it is still held: %q", row.line, w.subjects("Held"))
		}
		w.do("undo " + undoID.FindStringSubmatch(said)[1])
		w.after(3 * w.Undo)
		if w.countIn("Held", task) != 1 {
			t.Errorf("%s: undo does not hold it again: %q", row.line, w.subjects("Held"))
		}
		w.in(id, "record acme delivered "+row.line+` via "portal"`)
	}
	if got := w.subjects("Held"); len(got) != 0 {
		t.Errorf("Held %q", got)
	}
	for _, m := range w.ownLetters(id) {
		if got := w.served(m).Header.Get(deliveryField); got != "delivered" && got != "accepted" {
			t.Errorf("%q is %s", m.Envelope.Subject, got)
		}
	}
	w.do("vendor edit acme channel pgp")
	w.after(3 * cvd.Day)
	for _, m := range w.mails(w.people["acme"])[sent:] {
		for _, words := range []string{"build of spring", "8.x branch", "16 December 2026 instead", asks} {
			if strings.Contains(m.Subject+m.Text, words) {
				t.Errorf("it left by mail as well: %s\n%s", m.Subject, m.Text)
			}
		}
	}
}

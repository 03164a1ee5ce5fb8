package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

const psirt = "psirt@acme.example"

// A party's key is replaced while it waits for the scope: nothing from the
// scope on goes before the pause is over, then to the new key alone; the old
// address is told once, with nothing of a case.
func TestS7_ReplacedKeyPauses(t *testing.T) {
	t.Parallel()
	w, id := pausing(t)
	old, fresh := w.people["acme"], w.another("acme", "fresh", psirt)
	w.after(12*time.Hour - 5*w.Undo)
	said := w.in(id, fmt.Sprintf("key confirm acme %s replaces %s evidence \"phone, 1 Dec\"", fresh.Fingerprint(), old.Fingerprint()))
	for _, word := range []string{"is confirmed", "replaces " + keyring.Fingerprint(old.Fingerprint()).Spaced(), "before 2026-12-02T21:00Z"} {
		if !strings.Contains(said, word) {
			t.Errorf("the transcript lacks %q:\n%s", word, said)
		}
	}
	if strings.Contains(said, "stays in force") {
		t.Errorf("it says that the old one stays:\n%s", said)
	}
	w.after(13 * time.Hour)
	w.wantHeld(id, "acme", cvd.Scope, "acme's key changed to "+keyring.Fingerprint(fresh.Fingerprint()).Spaced(), "Wed 2 Dec 2026, 21:00 UTC")
	if line := w.planned(id, "acme", "2/4 scope"); !strings.Contains(line, "held: acme's key changed") || !strings.Contains(line, "until "+hours(36)) || !strings.Contains(line, "key "+fresh.Fingerprint()+" confirmed") {
		t.Errorf("plan: %s", line)
	}
	if n := w.countIn("INBOX", "Held:"); n != 0 {
		t.Errorf("somebody is asked to act: %q", w.subjects("INBOX"))
	}
	if text := w.text("Held"); !strings.Contains(text, "key reject acme FINGERPRINT") {
		t.Errorf("Held says %s", text)
	}
	w.told1(t, old, fresh, "instead of")
	w.after(11 * time.Hour)
	w.after(w.Undo)
	if got, want := w.readersOf(psirt, old, fresh), []string{"acme", "acme", "fresh"}; !slices.Equal(got, want) { // heads-up, answer, scope
		t.Fatalf("sealed to %q, want %q", got, want)
	}
	if n := len(w.subjects("Held")); n != 0 {
		t.Errorf("Held still shows %q", w.subjects("Held"))
	}
	list := unwrapped(w.do("key list acme"))
	for _, word := range []string{"replaced by " + keyring.Fingerprint(fresh.Fingerprint()).Spaced() + " on 2026-12-01", "confirmed by ana: phone", "claimed", "confirmed by operator: phone, 1 Dec"} {
		if !strings.Contains(list, word) {
			t.Errorf("key list lacks %q:\n%s", word, list)
		}
	}
}

// told1 wants one note about a change from old to fresh, with nothing of a
// case.
func (w *world) told1(t *testing.T, old, fresh *mailtest.Person, words ...string) {
	t.Helper()
	notes := w.notesTo(old, psirt)
	if len(notes) != 1 {
		t.Fatalf("%d notes, want 1", len(notes))
	}
	m := notes[0]
	words = append(words, keyring.Fingerprint(old.Fingerprint()).Spaced(), keyring.Fingerprint(fresh.Fingerprint()).Spaced(), "answer this mail now")
	for _, word := range words {
		if !strings.Contains(m.Text, word) {
			t.Errorf("the note lacks %q:\n%s", word, m.Text)
		}
	}
	who := w.participant(w.theOnlyCase(), "acme")
	if word := m.find([]string{string(who.Case), who.Token, "case+", "heads-up", "overflow", "embargo", canary(cvd.Scope), w.DeskDomain}); word != "" {
		t.Errorf("the note holds %q", word)
	}
	if from := m.Outer.Get("From"); from != w.ReportAddress() || m.Outer.Get("To") != psirt {
		t.Errorf("from %s to %s", from, m.Outer.Get("To"))
	}
}

func (w *world) theOnlyCase() cvd.CaseID {
	w.t.Helper()
	return cvd.FindCaseIDs(w.do("status"))[0]
}

// Confirmed beside another, both are used once the pause is over.
func TestS7_AddedKeyPauses(t *testing.T) {
	t.Parallel()
	w, id := pausing(t)
	old, fresh := w.people["acme"], w.another("acme", "fresh", psirt)
	said := w.in(id, "key confirm acme "+fresh.Fingerprint()+" evidence phone")
	oldF := keyring.Fingerprint(old.Fingerprint())
	if !strings.Contains(said, oldF.Spaced()+" stays in force beside it") || !strings.Contains(said, fmt.Sprintf("key confirm acme %s replaces %s evidence", fresh.Fingerprint(), oldF)) {
		t.Errorf("the transcript does not name the other key, or how to replace it:\n%s", said)
	}
	w.after(23*time.Hour + 55*time.Minute)
	w.wantHeld(id, "acme", cvd.Scope, "changed to")
	w.told1(t, old, fresh, "beside the one")
	w.after(2 * time.Hour)
	if got := w.readersOf(psirt, old, fresh); got[len(got)-1] != "acme+fresh" {
		t.Errorf("sealed to %q", got)
	}
	w.in(id, "key confirm acme "+fresh.Fingerprint()+" evidence again")
	if n := len(w.notesTo(old, psirt)); n != 1 {
		t.Errorf("%d notes after it was confirmed again", n)
	}
}

// Where the old key certifies the new one, an hour is enough; it counts as
// confirmed by itself.
func TestS7_CertifiedKeyPausesAnHour(t *testing.T) {
	t.Parallel()
	for _, typed := range []bool{false, true} {
		w, id := pausing(t)
		old, fresh := w.people["acme"], w.person("fresh", psirt)
		w.after(23*time.Hour + 30*time.Minute - 5*w.Undo)
		w.certify(old, fresh)
		w.pins("acme", fresh, keyring.Claimed)
		if typed {
			w.in(id, fmt.Sprintf("key confirm acme %s replaces %s evidence phone", fresh.Fingerprint(), old.Fingerprint()))
		}
		if list := unwrapped(w.do("key list acme")); !typed && !strings.Contains(list, "certified by "+keyring.Fingerprint(old.Fingerprint()).Spaced()) {
			t.Errorf("key list: %s", list)
		}
		w.after(45 * time.Minute)
		w.wantHeld(id, "acme", cvd.Scope, "changed to")
		w.after(30 * time.Minute)
		want := "acme+fresh"
		if typed {
			want = "fresh"
		}
		if got := w.readersOf(psirt, old, fresh); got[len(got)-1] != want || w.notice(id, "acme", cvd.Scope).State != cvd.Sent {
			t.Errorf("typed %v: sealed to %q, scope %s", typed, got, w.notice(id, "acme", cvd.Scope).State)
		}
	}
}

// What is certified ends with what certifies it.
func TestS7_CertifierRejected(t *testing.T) {
	t.Parallel()
	w, id := pausing(t)
	old, fresh := w.people["acme"], w.person("fresh", psirt)
	w.certify(old, fresh)
	w.pins("acme", fresh, keyring.Claimed)
	w.in(id, "key reject acme "+old.Fingerprint())
	w.after(26 * time.Hour)
	w.wantHeld(id, "acme", cvd.Scope, "only claimed, confirmed is needed", "rejected")
}

// The first key of a party, and a party that is told nothing secret, wait for
// nothing.
func TestS7_NoPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.KeyPause = cvd.Day
	old := w.vendor("acme")
	fresh := w.another("acme", "fresh", psirt)
	if said := w.do("key confirm acme " + fresh.Fingerprint() + " evidence phone"); strings.Contains(said, "nothing goes") {
		t.Errorf("a pause without a case: %s", said)
	}
	id := w.started1("acme")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.after(25 * time.Hour)
	if got := w.readersOf(psirt, old, fresh); got[len(got)-1] != "acme+fresh" || w.notice(id, "acme", cvd.Scope).State != cvd.Sent {
		t.Errorf("sealed to %q, scope %s", got, w.notice(id, "acme", cvd.Scope).State)
	}
	if w.key("acme", old).Change != nil || w.key("acme", fresh).Change != nil || len(w.notesTo(old, psirt)) != 0 {
		t.Error("a pause began")
	}
	globex := w.person("globex", "psirt@globex.example")
	w.do("vendor add globex " + globex.Address)
	w.pins("globex", globex, keyring.Claimed)
	w.in(id, "invite globex wave 1", "key confirm globex "+globex.Fingerprint()+" evidence phone")
	if w.key("globex", globex).Change != nil {
		t.Error("the first key pauses")
	}
}

// started1 starts a case with vendors whose mails are not looked at.
func (w *world) started1(vendors ...string) cvd.CaseID {
	w.t.Helper()
	id := w.caseWith(vendors...)
	w.in(id, "start now")
	w.after(5 * w.Undo)
	return id
}

// Rejecting the new key ends the pause with the old one in force again; from a
// mailbox that may be stolen the old one waits for a signed word.
func TestA3_RejectEndsTheChange(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		by    Actor
		again bool
	}{"signed": {anaSigned, true}, "not signed": {Actor{Name: "ana", Via: ViaMail}, false}, "operator": {theOperator, true}} {
		w, id := pausing(t)
		w.coordinator("ana")
		old, fresh := w.people["acme"], w.another("acme", "fresh", psirt)
		w.in(id, fmt.Sprintf("key confirm acme %s replaces %s evidence phone", fresh.Fingerprint(), old.Fingerprint()))
		w.after(time.Hour)
		said := w.as(row.by, "key reject acme "+fresh.Fingerprint()+` because "not theirs"`)
		if !said.Done() || strings.Contains(said.String(), "is in force again once you write, signed") == row.again {
			t.Errorf("%s: %s", name, said)
		}
		w.after(24 * time.Hour)
		if row.again {
			if got := w.readersOf(psirt, old, fresh); got[len(got)-1] != "acme" || w.notice(id, "acme", cvd.Scope).State != cvd.Sent {
				t.Errorf("%s: sealed to %q", name, got)
			}
			continue
		}
		w.wantHeld(id, "acme", cvd.Scope, "replaced by", "rejected")
		w.as(anaSigned, "key confirm acme "+old.Fingerprint()+" evidence phone")
		w.after(time.Hour)
		if got := w.readersOf(psirt, old, fresh); got[len(got)-1] != "acme" {
			t.Errorf("%s: sealed to %q", name, got)
		}
	}
}

// A note that has not left is taken back when the key is rejected at once.
func TestS7_NoteIsTakenBack(t *testing.T) {
	t.Parallel()
	w, id := pausing(t)
	fresh := w.another("acme", "fresh", psirt)
	w.in(id, "key confirm acme "+fresh.Fingerprint()+" evidence phone", "key reject acme "+fresh.Fingerprint())
	w.after(time.Hour)
	if n := len(w.notesTo(w.people["acme"], psirt)); n != 0 {
		t.Errorf("%d notes", n)
	}
}

// An answer to the note reaches the desk with the line that ends the change.
func TestS7_AnswerToTheNote(t *testing.T) {
	t.Parallel()
	w, id := pausing(t)
	old, fresh := w.people["acme"], w.another("acme", "fresh", psirt)
	w.in(id, "key confirm acme "+fresh.Fingerprint()+" evidence phone")
	w.after(time.Hour)
	note := w.notesTo(old, psirt)[0]
	w.arrives(psirt, w.ReportAddress(), mailtest.Plain(psirt, w.ReportAddress(), "Re: "+note.Outer.Get("Subject"), "That is not our key!", w.clock.Now(),
		mailtest.Field{Name: "In-Reply-To", Value: note.Outer.Get("Message-ID")}))
	w.settle()
	if w.countIn("Keys", "Is acme's new key wrong?") != 1 || !strings.Contains(w.text("Keys"), "key reject acme "+fresh.Fingerprint()) {
		t.Errorf("Keys holds %q, Quarantine %q", w.subjects("Keys"), w.subjects("Quarantine"))
	}
	_ = id
}

// The second contact and members whose key is confirmed are told, others not.
func TestS7_WhoIsToldOfAChange(t *testing.T) {
	t.Parallel()
	w, id := pausing(t)
	jo, fresh := w.another("acme", "jo", "jo@acme.example"), w.another("acme", "fresh", psirt)
	w.in(id, "member add acme jo@acme.example", "member add acme li@acme.example", "vendor edit acme second boss@acme.example")
	w.KeyPause = 0
	w.in(id, "key confirm acme "+jo.Fingerprint()+" for jo@acme.example evidence phone")
	w.KeyPause = cvd.Day
	w.in(id, "key confirm acme "+fresh.Fingerprint()+" evidence phone")
	w.after(time.Hour)
	for addr, want := range map[string]int{psirt: 1, "boss@acme.example": 1, "jo@acme.example": 1, "li@acme.example": 0} {
		if n := len(w.notesTo(w.people["acme"], addr)); n != want {
			t.Errorf("%s got %d notes, want %d", addr, n, want)
		}
	}
	if got := w.participant(id, "acme").Address; got != psirt {
		t.Errorf("the participant's address became %s", got)
	}
}

// Keys are part of what a yes binds: a new one voids it.
func TestA3_NewKeyVoidsTheYes(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	w.KeyPause = time.Hour
	first := w.request(cvd.Scope)
	if err := w.press(benByGesture, "Approve", first.ID); err != nil {
		t.Fatal(err)
	}
	fresh := w.another("acme", "fresh", psirt)
	w.in(id, fmt.Sprintf("key confirm acme %s replaces %s evidence phone", fresh.Fingerprint(), w.people["acme"].Fingerprint()))
	w.after(30 * time.Hour)
	w.told1Stage(t, "acme")
	second := w.request(cvd.Scope)
	if second.ID == first.ID {
		t.Fatal("the old yes counts for the new key")
	}
	if err := w.press(benByGesture, "Approve", second.ID); err != nil {
		t.Fatal(err)
	}
	w.after(time.Hour)
	if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Sent {
		t.Errorf("scope after the second yes: %s, %s", n.State, n.Why)
	}
}

// told1Stage wants nothing but the heads-up to have gone.
func (w *world) told1Stage(t *testing.T, party cvd.PartyID) {
	t.Helper()
	if got := w.participant(w.theOnlyCase(), party).Reached; got != cvd.HeadsUp {
		t.Fatalf("%s reached %s", party, got)
	}
}

// What a replaced key signed counts where it came before the change, and no more:
// whoever stole the key could have dated it as it likes.
func TestS7_ReplacedKeySigns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	old, fresh := w.people["acme"], w.another("acme", "fresh", psirt)
	to := w.thread(id, "acme")
	w.arrives(psirt, to, w.seal(old, to, true, mailtest.Entity("["+string(id)+"]", "ACK\n")))
	if w.who(id, "acme").Acknowledged == nil {
		t.Error("what came before the change does not count")
	}
	accept := mailtest.Entity("["+string(id)+"]", "ACCEPT "+string(id)+" v1\n")
	dated := w.seal(old, to, true, accept)
	w.clock.Advance(time.Hour)
	w.in(id, fmt.Sprintf("key confirm acme %s replaces %s evidence phone", fresh.Fingerprint(), old.Fingerprint()))
	w.clock.Advance(time.Hour)
	w.arrives(psirt, to, dated)
	w.arrives(psirt, to, w.seal(old, to, true, accept))
	if w.who(id, "acme").Accepted() != 0 || w.countIn("Quarantine", "acme") != 2 {
		t.Errorf("a replaced key signs: Quarantine %q", w.subjects("Quarantine"))
	}
	w.arrives(psirt, to, w.seal(fresh, to, true, mailtest.Entity("["+string(id)+"]", "ACCEPT "+string(id)+" v1\n")))
	if w.who(id, "acme").Accepted() != 1 {
		t.Error("the new key does not sign")
	}
}

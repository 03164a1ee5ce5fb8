package mailflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// wantHeld are tables in which words of the case stand before it is destroyed, so
// that their absence afterwards says something.
var wantHeld = []string{"bodies", "cases", "keys", "mailboxes", "materials", "messages", "participants", "reports"}

// A case that two people gave up is gone after seven days: no row, no mail, no key
// of it is left under any scope, and another case is as it was.
func TestH3_ShredDestroysACase(t *testing.T) {
	t.Parallel()
	w, id, other := shredStory(t)
	words := append(slices.Clone(wordsOfShredded), string(id))
	held := holding(dump(t, w.Store), words...)
	for _, table := range wantHeld {
		if !slices.Contains(held, table) {
			t.Errorf("before: no word of the case in %s (%v)", table, held)
		}
	}
	r := w.gaveUp(id)
	if want := w.clock.Now().Add(7 * cvd.Day); !r.Due.Equal(want) {
		t.Errorf("due %s, not %s", r.Due, want)
	}
	for _, scope := range []string{"desk ", "coordinator:ana ", "PAR-"} { // where else digests and transcripts stand
		if !slices.ContainsFunc(dump(t, w.Store)["bodies"], func(b string) bool {
			return strings.HasPrefix(b, scope) && strings.Contains(strings.ToLower(b), "zyzzyx") || strings.HasPrefix(b, scope) && strings.Contains(b, string(id))
		}) {
			t.Errorf("before: nothing under %q tells of the case", scope)
		}
	}
	address := w.thread(id, "acme")
	before, beside := copyState(t, w.dir), w.shownOf(other)
	w.after(8 * cvd.Day)

	if r = w.shredOf(id); r.Done.IsZero() {
		t.Fatalf("not carried out: %+v; INBOX %q", r, w.subjects("INBOX"))
	}
	after := dump(t, w.Store)
	if found := holding(after, wordsOfShredded...); len(found) != 0 {
		t.Errorf("words are left in %v", found)
		for _, table := range found {
			for _, row := range after[table] {
				if len(holding(map[string][]string{"": {row}}, wordsOfShredded...)) > 0 {
					t.Logf("%s: %.600s", table, row)
				}
			}
		}
	}
	if found := holding(after, string(id)); !slices.Equal(found, []string{"bodies", "messages", "shreds"}) {
		t.Errorf("the tag is left in %v", found)
	}
	if now := w.shownOf(other); now != beside {
		t.Errorf("the other case changed:\n%s\nwas\n%s", now, beside)
	}
	w.whole()
	w.refuses(signed("ana"), string(id)+" was shredded on 20", "case "+string(id), "status")
	if err := w.intake.CheckRcpt(context.Background(), Envelope{}, address); err == nil || err.Error() != replyNoMailbox.Error() {
		t.Errorf("its address answers %v", err)
	}
	if next := cvd.FindCaseIDs(w.do(`case open "Next" policy fast`))[0]; next == id {
		t.Error("its tag was used again")
	}
	nothingOpens(t, w, before, words)
	w.restart()
	w.after(cvd.Day)
	w.whole()
	w.do("status")
}

// nothingOpens takes the database of before with the key file of after, which is
// more than what free pages can hold: nothing of the case opens.
func nothingOpens(t *testing.T, w *world, before string, words []string) {
	t.Helper()
	keys, err := os.ReadFile(filepath.Join(w.dir, "keys"))
	w.ok(err)
	control, err := store.Open(store.Options{Dir: before, Unlock: w.unlock})
	w.ok(err)
	if len(holding(dump(t, control), words...)) == 0 {
		t.Error("the control: the copy of before does not open")
	}
	w.ok(control.Close())
	w.ok(os.WriteFile(filepath.Join(before, "keys"), keys, 0o600))
	st, err := store.Open(store.Options{Dir: before, Unlock: w.unlock})
	w.ok(err)
	defer st.Close()
	if found := holding(dump(t, st), words...); len(found) != 0 {
		t.Errorf("rows of before open in %v", found)
	}
}

// copyState copies the state directory.
func copyState(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := os.FileMode(0o600)
		if d.IsDir() {
			mode = 0o700
		}
		return os.Chmod(path, mode)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// shownOf is all that clients see of a case: folders, UIDs, bytes; and its history.
func (w *world) shownOf(id cvd.CaseID) string {
	w.t.Helper()
	var b bytes.Buffer
	w.view(func(tx *store.Tx) error {
		boxes, err := tx.Mailboxes()
		for _, box := range boxes {
			if box.Case != string(id) || strings.HasSuffix(box.Name, "Case file") {
				continue // which goes on by a day
			}
			b.WriteString(box.Name + "\n")
			uids, err := tx.UIDs(box.Number, nil)
			w.ok(err)
			for _, uid := range uids {
				e, err := tx.Entry(box.Number, uid)
				w.ok(err)
				raw, err := tx.Bytes(e.Served)
				w.ok(err)
				b.WriteString(strings.Join([]string{"UID", string(rune('0' + uid)), string(raw)}, " "))
			}
		}
		return err
	})
	return b.String() + w.in(id, "history")
}

func (w *world) whole() {
	w.t.Helper()
	r, err := w.Store.Verify(context.Background())
	if err != nil || len(r.Problems) > 0 {
		w.t.Errorf("verify: %v %q", err, r.Problems)
	}
}

// One person stops it, in each of these ways, on the last day.
func TestH3_OnePersonStopsIt(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(w *world, id cvd.CaseID, r shredRow) Transcript{
		"reject": func(w *world, id cvd.CaseID, r shredRow) Transcript {
			return w.as(Actor{Name: "ben", Via: ViaMail}, "reject "+r.Approval+` because "no"`)
		},
		"hold": func(w *world, id cvd.CaseID, r shredRow) Transcript {
			return w.as(Actor{Name: "ben", Via: ViaMail}, "case "+string(id), "hold case")
		},
		"legal hold": func(w *world, id cvd.CaseID, r shredRow) Transcript {
			return w.as(Actor{Name: "ben", Via: ViaMail}, "case "+string(id), "legal-hold on")
		},
		"reopen": func(w *world, id cvd.CaseID, r shredRow) Transcript {
			return w.as(signed("ben"), "case "+string(id), "case reopen")
		},
		"Do/Hold": func(w *world, id cvd.CaseID, r shredRow) Transcript {
			_, err := w.drops("ben", "Scheduled", string(id), "Do/Hold")
			w.ok(err)
			return Transcript{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := closable(t)
			w.in(id, "case close")
			r := w.gaveUp(id)
			if !slices.ContainsFunc(w.subjects("Scheduled"), func(s string) bool { return strings.Contains(s, string(id)+" is destroyed for good") }) {
				t.Errorf("Scheduled: %q", w.subjects("Scheduled"))
			}
			w.after(6*cvd.Day + 12*time.Hour)
			if !slices.ContainsFunc(w.subjects("INBOX"), func(s string) bool { return strings.Contains(s, string(id)+" is destroyed for good on") }) {
				t.Errorf("INBOX the day before: %q", w.subjects("INBOX"))
			}
			if got := stop(w, id, r); !got.Done() || name != "Do/Hold" && !strings.Contains(unwrapped(got.String()), "not destroyed") {
				t.Fatal(got)
			}
			w.after(3 * cvd.Day)
			if w.theCase(id).ID != id || w.shredOf(id).Approval != "" {
				t.Error("it was destroyed, or will be")
			}
			for _, folder := range []string{"Scheduled", "INBOX", "Approvals"} {
				if got := w.subjects(folder); strings.Contains(strings.Join(got, " "), "destroyed") {
					t.Errorf("%s: %q", folder, got)
				}
			}
		})
	}
}

// It takes two coordinators, each signed, whoever asks and however.
func TestH3_TwoSignedApprovals(t *testing.T) {
	t.Parallel()
	w, id := closable(t)
	tag := string(id)
	w.refuses(signed("ana"), "is open, and only a closed case", "shred "+tag)
	w.in(id, "case close")
	w.refuses(Actor{Name: "ana", Via: ViaMail}, "counts only signed", "shred "+tag)
	w.refuses(Actor{Name: "ana", Via: ViaGesture}, "counts only signed", "shred "+tag)
	w.control("ana", false, "shred "+tag)
	if got, _ := w.draftsOf("ana"); len(got) != 1 || got[0].Header.Text("Subject") != "shred "+tag {
		t.Fatalf("%d drafts to sign", len(got))
	}
	if got := w.as(signed("ana"), "dry-run", "shred "+tag); !got.Done() || w.shredOf(id).Approval != "" {
		t.Fatal(got)
	}
	w.must(w.BackedUp(Backup{At: w.clock.Now(), File: "week-9.age", Recipients: []string{"age1x"}, SHA256: strings.Repeat("ab", 32)}))
	w.must(os.Mkdir(filepath.Join(w.dir, "set-aside-schema-1-at-17"), 0o700))
	if got := w.do("shred " + tag); !strings.Contains(got, "WAITS") || !strings.Contains(got, "0 of 2") || !strings.Contains(got, "export case FILE") {
		t.Fatal(got)
	}
	r := w.shredOf(id)
	approve := "approve " + r.Approval
	text := strings.Join(strings.Fields(w.words(w.last("Approvals"))), " ")
	for _, want := range []string{"export case", "Copies of the store that were made before still open", "There is 1 backup: week-9.age of", "remove set-aside-schema-1-at-17 there", "nobody has said yes yet", approve} {
		if !strings.Contains(text, want) {
			t.Errorf("Approvals does not say %q:\n%s", want, text)
		}
	}
	w.refuses(Actor{Name: Operator, Via: ViaOperator}, "the operator cannot give it", approve)
	w.refuses(Actor{Name: "ben", Via: ViaMail}, "counts only in a mail signed", approve)
	if err := w.press(benByGesture, "Approve", r.Approval); err == nil {
		t.Error("a gesture counted")
	}
	if got := w.as(signed("ana"), approve); !got.Done() || !strings.Contains(got.String(), "1 of 2") {
		t.Fatal(got)
	}
	w.refuses(signed("ana"), "has your yes already", approve)
	w.refuses(signed("ben"), "waits for approval "+r.Approval, "shred "+tag)
	if w.shredOf(id).pending() {
		t.Error("one yes was enough")
	}
	w.after(10 * cvd.Day)
	if got := w.as(signed("ben"), approve); !got.Done() {
		t.Fatal(got)
	}
	if r := w.shredOf(id); !r.pending() || !r.Due.Equal(w.clock.Now().Add(shredDelay)) {
		t.Errorf("%+v", r)
	}
	if got := w.as(signed("ben"), "undo "+r.Approval); !got.Done() || w.shredOf(id).pending() {
		t.Fatalf("%s%+v", got, w.shredOf(id))
	}
	if got := w.as(signed("ben"), approve); !got.Done() || !w.shredOf(id).pending() {
		t.Fatal(got)
	}
	if got := w.do("case "+tag, "status"); !strings.Contains(got, "DESTROYED for good") {
		t.Error(got)
	}
}

// On a desk of one its own yes is enough, and cool_off stands for the second.
func TestH3_DeskOfOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.caseWith()
	w.in(id, "case close")
	if got := w.as(signed("ana"), "shred "+string(id)); !got.Done() || got.Lines[0].Outcome != DoneOK {
		t.Fatal(got)
	}
	if r := w.shredOf(id); !r.Due.Equal(w.clock.Now().Add(w.CoolOff + shredDelay)) {
		t.Errorf("%+v", r)
	}
}

// A legal hold refuses it at each step, and so does mail on its way.
func TestH3_LegalHoldAndMailOnItsWay(t *testing.T) {
	t.Parallel()
	w, id := closable(t)
	w.in(id, "case close", "legal-hold on")
	w.refuses(signed("ana"), "under legal hold", "shred "+string(id))
	w.in(id, "legal-hold off")
	w.as(signed("ana"), "shred "+string(id))
	approve := "approve " + w.shredOf(id).Approval
	w.update(func(tx *store.Tx) error { // as if it came by another way
		c, err := CaseByID(tx, id)
		c.LegalHold = &cvd.Hold{Because: "court", By: "ana", At: tx.Now}
		return errors.Join(err, PutCase(tx, c))
	})
	w.refuses(signed("ben"), "under legal hold", approve)
	w.update(func(tx *store.Tx) error {
		c, err := CaseByID(tx, id)
		c.LegalHold = nil
		return errors.Join(err, PutCase(tx, c))
	})
	w.as(signed("ben"), approve)
	w.update(func(tx *store.Tx) error {
		who := cvd.Participant{Case: id, Party: "acme", Address: "psirt@acme.example", Token: cvd.NewToken()}
		return errors.Join(PutParticipant(tx, who), notices.Put(tx, caseScope(id), noticeKey(tx, id, "acme", 99), cvd.Notice{ID: 99, Case: id, Party: "acme", Kind: cvd.KindStage, Stage: cvd.Scope, State: cvd.Unknown, Delivery: 7}))
	})
	w.after(8 * cvd.Day)
	if w.shredOf(id).gone() || !strings.Contains(strings.Join(w.subjects("INBOX"), " "), "could not be destroyed") {
		t.Errorf("%+v %q", w.shredOf(id), w.subjects("INBOX"))
	}
	w.update(func(tx *store.Tx) error {
		return notices.Delete(tx, noticeKey(tx, id, "acme", 99))
	})
	w.after(2 * time.Hour)
	if w.shredOf(id).Done.IsZero() {
		t.Errorf("%+v %q", w.shredOf(id), w.subjects("INBOX"))
	}
}

// Without the credential nothing goes, or, where it went missing in between, the
// keys go as soon as it is back; a restart in between changes nothing.
func TestH3_CredentialMissing(t *testing.T) {
	t.Parallel()
	w, id := closable(t)
	w.in(id, "case close")
	w.gaveUp(id)
	missing := func() (store.Unlock, error) {
		return store.Unlock{}, errors.New("read secret file:unlock: it is not there")
	}
	w.Credential = missing
	w.after(8 * cvd.Day)
	if w.shredOf(id).gone() || !strings.Contains(strings.Join(w.subjects("INBOX"), " "), "could not be destroyed") {
		t.Fatalf("%+v %q", w.shredOf(id), w.subjects("INBOX"))
	}
	asked := 0
	w.Credential = func() (store.Unlock, error) {
		if asked++; asked == 1 {
			return w.unlock, nil
		}
		return missing()
	}
	w.after(2 * time.Hour)
	if r := w.shredOf(id); !r.gone() || !r.Done.IsZero() {
		t.Fatalf("%+v", r)
	}
	if got := strings.Join(w.subjects("INBOX"), " "); !strings.Contains(got, "The key of a case could not be destroyed") || strings.Contains(got, string(id)) {
		t.Errorf("INBOX: %q", got)
	}
	w.refuses(signed("ana"), "was shredded on", "case "+string(id))
	w.whole()
	w.restart()
	w.after(2 * time.Hour)
	if r := w.shredOf(id); r.Done.IsZero() {
		t.Fatalf("%+v", r)
	}
	if got := strings.Join(w.subjects("INBOX"), " "); strings.Contains(got, "could not be destroyed") {
		t.Errorf("INBOX: %q", got)
	}
	w.whole()
}

// What was restricted stays unknown to others: also that it was there.
func TestH3_RestrictedStaysUnknown(t *testing.T) {
	t.Parallel()
	w, id := closable(t)
	w.coordinator("eve")
	w.in(id, "case restrict ana ben", "case close")
	unknown := w.as(signed("eve"), "shred "+string(id))
	w.gaveUp(id)
	w.after(8 * cvd.Day)
	if w.shredOf(id).Done.IsZero() {
		t.Fatal("it was not carried out")
	}
	if got := w.as(signed("eve"), "shred "+string(id)); got.String() != unknown.String() || !strings.Contains(got.String(), "there is no case") {
		t.Errorf("eve is told\n%s", got)
	}
	w.refuses(Actor{Name: Operator, Via: ViaOperator}, "was shredded on", "case "+string(id))
	for name, want := range map[string]bool{"ana": true, "ben": true, "eve": false} {
		found := false
		win := w.windowOn(w.seatOf(name), "Status")
		for at := range win.Len() {
			w.ok(win.Read([]int{at}, func(_ *store.Tx, _ int, e *store.Entry) error {
				raw, err := w.Store.Bytes(e.Served)
				found = found || bytes.Contains(raw, []byte(id))
				return err
			}))
		}
		if found != want {
			t.Errorf("Status of %s tells of it: %t", name, found)
		}
	}
}

// After downtime over the day, or while all is on hold, it waits: the desk is told
// a day before, whatever the clock says.
func TestH3_NeverUnannounced(t *testing.T) {
	t.Parallel()
	w, id := closable(t)
	w.in(id, "case close")
	w.gaveUp(id)
	w.clock.Advance(9 * cvd.Day)
	w.restart()
	w.settle()
	if r := w.shredOf(id); r.gone() || !r.Due.Equal(w.clock.Now().Add(shredWarning)) {
		t.Fatalf("%+v", r)
	}
	if got := w.subjects("Scheduled"); len(got) != 1 || !strings.Contains(got[0], instant(w.shredOf(id).Due)) {
		t.Errorf("Scheduled: %q", got)
	}
	w.do("hold all")
	w.after(2 * cvd.Day)
	if w.shredOf(id).gone() || !strings.Contains(strings.Join(w.subjects("INBOX"), " "), "could not be destroyed") {
		t.Fatalf("%+v %q", w.shredOf(id), w.subjects("INBOX"))
	}
	w.do("release all")
	w.after(2 * time.Hour)
	if w.shredOf(id).Done.IsZero() {
		t.Errorf("%+v", w.shredOf(id))
	}
}

// What was merged into a case, and the reports of both, go with it.
func TestH3_MergedCasesGoToo(t *testing.T) {
	t.Parallel()
	w, id := closable(t)
	gil := w.person("gil", "gil@finder.example")
	r := w.reported(gil, shredTitle, "quaggacanary: it overflows")
	part := cvd.FindCaseIDs(w.do(fmt.Sprintf("case open %q policy fast report %d", shredTitle, r.Number)))[0]
	w.in(id, "case merge "+string(part), "case close")
	w.refuses(signed("ana"), "was merged into "+string(id), "shred "+string(part))
	w.in(part, "legal-hold on")
	w.refuses(signed("ana"), string(part)+" is under legal hold", "shred "+string(id))
	w.in(part, "legal-hold off")
	w.gaveUp(id)
	before := copyState(t, w.dir)
	w.after(8 * cvd.Day)
	if found := holding(dump(t, w.Store), append(slices.Clone(wordsOfShredded), string(part))...); len(found) != 0 {
		t.Errorf("words are left in %v", found)
	}
	w.view(func(tx *store.Tx) error {
		for _, s := range []store.Scope{caseScope(id), caseScope(part), caseScope(reportCase(r.Number))} {
			if tx.HasScope(s) {
				t.Errorf("the key of %s is there", s)
			}
		}
		return nil
	})
	nothingOpens(t, w, before, wordsOfShredded)
	w.whole()
}

// Everybody who may see the case reads of its end: in the digest, the case file
// and `status`.
func TestH3_TheDeskReadsOfIt(t *testing.T) {
	t.Parallel()
	w, id := closable(t)
	w.Digest = DigestTime{true, 8, 0}
	w.in(id, "case close")
	w.gaveUp(id)
	w.after(cvd.Day)
	digests := w.digestsOf("ben")
	if len(digests) != 1 || !strings.Contains(strings.Join(strings.Fields(w.words(digests[0])), " "), "it is destroyed for good, unless somebody stops it") {
		t.Errorf("%d digests: %s", len(digests), w.words(digests[0]))
	}
	file := w.words(w.last("Closed/2026/" + string(id) + " Heap overflow/Case file"))
	if !strings.Contains(file, "DESTROYED   on ") {
		t.Errorf("the case file:\n%s", file)
	}
	for _, m := range []store.Message{w.last("Scheduled"), digests[0]} {
		for line := range strings.Lines(w.words(m)) {
			if n := len([]rune(strings.TrimRight(line, "\r\n"))); n > 72 {
				t.Errorf("%d columns: %s", n, line)
			}
		}
	}
	if got := w.do("status"); !strings.Contains(got, "a person") {
		t.Error(got)
	}
}

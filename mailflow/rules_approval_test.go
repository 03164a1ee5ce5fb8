package mailflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// strict is a started case under the default policy, where scope needs a yes
// and details a signed one, with coordinators ana, who wrote it all, and ben.
func strict(t *testing.T, vendors ...string) (*world, cvd.CaseID) {
	t.Helper()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	return w, w.strictCase(vendors...)
}

func (w *world) strictCase(vendors ...string) cvd.CaseID {
	w.t.Helper()
	for _, v := range vendors {
		w.vendor(v)
	}
	id := cvd.FindCaseIDs(w.do(`case open "Heap overflow" policy default`))[0]
	w.material(id, cvd.Scope, "the scope text "+canary(cvd.Scope))
	w.material(id, cvd.Details, "the details text "+canary(cvd.Details))
	for _, v := range vendors {
		w.in(id, "invite "+v+" wave 1")
	}
	w.in(id, "start now")
	w.after(5 * time.Minute)
	for _, v := range vendors {
		w.answers(v, id, true, "ACCEPT "+string(id)+" v1\n")
	}
	return id
}

var (
	benByMail    = Actor{Name: "ben", Via: ViaMail}
	benSigned    = Actor{Name: "ben", Via: ViaMail, Signed: true}
	benByGesture = Actor{Name: "ben", Via: ViaGesture}
	anaSigned    = Actor{Name: "ana", Via: ViaMail, Signed: true}
	theOperator  = Actor{Name: Operator, Via: ViaOperator}
)

// press drops the mail of a request into a folder under Do.
func (w *world) press(by Actor, button, approval string) error {
	w.t.Helper()
	for _, m := range w.filed("Approvals") {
		if m.Ref == approval {
			err := w.desk.Gesture(context.Background(), by, Gesture{Button: button, Message: m.ID})
			w.settle()
			return err
		}
	}
	w.t.Fatalf("Approvals holds no mail for %s: %q", approval, w.subjects("Approvals"))
	return nil
}

// A stage whose policy says so goes only after another coordinator's yes to
// exactly it; without, nothing leaves, whatever its date.
func TestA3_NothingWithoutTheYes(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme", "globex")
	w.steps(6*time.Hour, 6*cvd.Day)
	w.told("acme", "Heads-up")
	a := w.request(cvd.Scope)
	if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Approval || n.ApprovalID != a.ID {
		t.Fatalf("scope: %s, %s", n.State, n.Why)
	}
	if err := w.press(benByGesture, "Approve", a.ID); err != nil {
		t.Fatal(err)
	}
	w.told("acme", "Heads-up") // it can still be undone
	w.after(w.Undo)
	w.told("acme", "Heads-up", "Scope")
	w.told("globex", "Heads-up", "Scope")
	if n := w.countIn("Approvals", "scope"); n != 0 {
		t.Errorf("Approvals still holds %q", w.subjects("Approvals"))
	}
}

// A signed stage is approved by a mail with the coordinator's own signature
// and by nothing else.
func TestA3_SignedStage(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	w.as(benSigned, "approve "+w.request(cvd.Scope).ID)
	w.steps(6*time.Hour, 4*cvd.Day)
	w.told("acme", "Heads-up", "Scope")
	a := w.request(cvd.Details)
	if err := w.press(benByGesture, "Approve", a.ID); err == nil || !strings.Contains(err.Error(), "signed") {
		t.Errorf("a gesture approved a signed stage: %v", err)
	}
	w.refuses(benByMail, "signed with your own OpenPGP key", "approve "+a.ID)
	w.refuses(theOperator, "the operator cannot give it", "approve "+a.ID)
	w.refuses(anaSigned, "your own text", "approve "+a.ID)
	w.control("ben", false, "approve "+a.ID)
	if w.request(cvd.Details).ID != a.ID || w.notice(id, "acme", cvd.Details).State != cvd.Approval {
		t.Fatal("one of them counted")
	}
	w.after(time.Hour)
	w.told("acme", "Heads-up", "Scope")
	w.control("ben", true, "approve "+a.ID)
	w.after(w.Undo)
	w.told("acme", "Heads-up", "Scope", "Details")
}

// A signature of somebody else's key, or a stolen mailbox with a key of its
// own, is none.
func TestA3_ForgedSignature(t *testing.T) {
	t.Parallel()
	w, _ := strict(t, "acme")
	w.as(benSigned, "approve "+w.request(cvd.Scope).ID)
	w.steps(6*time.Hour, 4*cvd.Day)
	a := w.request(cvd.Details)
	thief, err := mailtest.NewPerson("ben", w.people["ben"].Address, w.clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	bens := w.people["ben"]
	w.people["ben"] = thief
	w.control("ben", true, "approve "+a.ID)
	w.people["ben"] = bens
	w.after(time.Hour)
	w.told("acme", "Heads-up", "Scope")
	// ana signs with her own key, in ben's session.
	w.people["ben"] = w.people["ana"]
	if err := w.trySubmit("ben", "control@"+w.DeskDomain, true, "commands", "approve "+a.ID+"\n"); err != nil {
		t.Log(err)
	}
	w.settle()
	w.people["ben"] = bens
	w.after(time.Hour)
	w.told("acme", "Heads-up", "Scope")
	if w.request(cvd.Details).ID != a.ID {
		t.Error("the request ended")
	}
}

// The author of any part of a text never approves it.
func TestA3_AuthorsNeverApprove(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(w *world, id cvd.CaseID){
		"the stage": func(w *world, id cvd.CaseID) { w.writes(id, cvd.Scope, "", "ben") },
		"an annex":  func(w *world, id cvd.CaseID) { w.writes(id, cvd.Scope, "acme", "ben") },
		"what goes with all stages": func(w *world, id cvd.CaseID) {
			w.writes(id, cvd.Mitigation, "", "ben")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := strict(t, "acme")
			w.coordinator("cho") // who wrote none of it
			write(w, id)
			w.settle()
			a := w.request(cvd.Scope)
			w.refuses(benSigned, "your own text", "approve "+a.ID)
			if err := w.press(benByGesture, "Approve", a.ID); err == nil {
				t.Error("the author approved by gesture")
			}
		})
	}
}

// The author of what counts only signed is not told to sign: that would not
// help. There is no draft to sign, either.
func TestA3_AuthorIsNotSentToSign(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	w.ok(w.press(benByGesture, "Approve", w.request(cvd.Scope).ID))
	w.after(2 * cvd.Day)
	w.writes(id, cvd.Details, "", "ben")
	w.settle()
	a := w.request(cvd.Details)
	if !a.Signed {
		t.Fatal("details needs no signature")
	}
	w.refuses(Actor{Name: "ben", Via: ViaMail}, "is your own text; another coordinator approves it", "approve "+a.ID)
	_, err := w.drops("ben", "Approvals", "details ->", "Do/Approve")
	w.refusedWith(err, "Do/Approve", "is your own text; another coordinator approves it")
	if drafts, _ := w.draftsOf("ben"); len(drafts) != 0 {
		t.Errorf("%d drafts wait for a signature that would not count", len(drafts))
	}
}

// writes puts material of somebody's.
func (w *world) writes(id cvd.CaseID, s cvd.Stage, party cvd.PartyID, author string) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		return w.putMaterial(tx, cvd.Material{Case: id, Stage: s, Party: party, Author: author, Text: "by " + author})
	})
}

// An approval is bound to exact renderings, recipients, keys and times: any
// change voids it, open or given, and a new request takes its place.
func TestA3_ChangesVoid(t *testing.T) {
	t.Parallel()
	changes := map[string]func(w *world, id cvd.CaseID){
		"material":   func(w *world, id cvd.CaseID) { w.writes(id, cvd.Scope, "", "ana") },
		"annex":      func(w *world, id cvd.CaseID) { w.writes(id, cvd.Scope, "acme", "ana") },
		"mitigation": func(w *world, id cvd.CaseID) { w.writes(id, cvd.Mitigation, "", "ana") },
		"file": func(w *world, id cvd.CaseID) {
			w.update(func(tx *store.Tx) error {
				m := cvd.Material{Case: id, Stage: cvd.Scope, Author: "ana", Text: "the scope text " + canary(cvd.Scope), Files: []cvd.File{{Name: "scope-1.txt", Data: []byte("x")}}}
				return w.putMaterial(tx, m)
			})
		},
		"another key": func(w *world, id cvd.CaseID) { w.confirm("acme", w.person("second", "psirt@acme.example")) },
		"key rejected": func(w *world, id cvd.CaseID) {
			w.in(id, "key reject acme "+w.people["acme"].Fingerprint())
		},
		"address":  func(w *world, id cvd.CaseID) { w.do("vendor edit acme address new@acme.example") },
		"date":     func(w *world, id cvd.CaseID) { w.in(id, "stage acme scope at 2026-12-03T09:00Z") },
		"product":  func(w *world, id cvd.CaseID) { w.in(id, `invite acme affects "Player 9.2"`) },
		"language": func(w *world, id cvd.CaseID) { w.do("vendor edit acme language de") },
		"kind":     func(w *world, id cvd.CaseID) { w.do("vendor edit acme kind developer") },
		"severity": func(w *world, id cvd.CaseID) { w.in(id, "case severity high") },
		"embargo":  func(w *world, id cvd.CaseID) { w.in(id, `embargo 2027-02-02T09:00Z because "it leaks"`) },
	}
	for name, change := range changes {
		for _, given := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/given=%t", name, given), func(t *testing.T) {
				t.Parallel()
				w, id := strict(t, "acme")
				before := w.request(cvd.Scope)
				if given {
					w.as(benByMail, "approve "+before.ID)
				}
				change(w, id)
				w.settle()
				after := w.request(cvd.Scope)
				if after.ID == before.ID {
					t.Fatal("the request stayed")
				}
				w.steps(6*time.Hour, 3*cvd.Day)
				w.told("acme", "Heads-up")
				w.refuses(benByMail, "is over", "approve "+before.ID)
			})
		}
	}
}

// What a vendor answers is no change: its approval stands.
func TestA3_AnswersVoidNothing(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	before := w.request(cvd.Scope)
	w.as(benByMail, "approve "+before.ID)
	w.answers("acme", id, true, "STATUS "+string(id)+" investigating\n")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.in(id, "record acme called \"we talked\"")
	w.steps(6*time.Hour, cvd.Day)
	w.told("acme", "Heads-up", "Scope")
	if all := w.requests(cvd.Scope); len(all) != 0 {
		t.Errorf("asked again: %+v", all)
	}
}

// One vendor's change asks again for that vendor; what was given for the
// others stands.
func TestA3_ChangeOfOneOfThem(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme", "globex")
	w.as(benByMail, "approve "+w.request(cvd.Scope).ID)
	w.writes(id, cvd.Scope, "globex", "ana")
	w.settle()
	if a := w.request(cvd.Scope); partyList(approvalParties(w, a.ID)) != "globex" {
		t.Errorf("asked again for %v", approvalParties(w, a.ID))
	}
	w.steps(6*time.Hour, cvd.Day)
	w.told("acme", "Heads-up", "Scope")
	w.told("globex", "Heads-up")
}

func approvalParties(w *world, id string) []cvd.PartyID {
	var a cvd.ApprovalRequest
	w.view(func(tx *store.Tx) (err error) {
		a, err = approvalByID(tx, id)
		return err
	})
	return a.Parties
}

// A rejected text stays where it is until it is written anew.
func TestA3_Rejected(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	a := w.request(cvd.Scope)
	if err := w.press(benByGesture, "Reject", a.ID); err != nil {
		t.Fatal(err)
	}
	w.steps(6*time.Hour, 2*cvd.Day)
	if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Held || !strings.Contains(n.Why, "rejected by ben") {
		t.Errorf("scope: %s, %s", n.State, n.Why)
	}
	w.writes(id, cvd.Scope, "", "ana")
	w.settle()
	w.as(benByMail, "approve "+w.request(cvd.Scope).ID)
	w.after(w.Undo)
	w.told("acme", "Heads-up", "Scope")
}

// On a desk of one, cool_off stands for the second person.
func TestA3_DeskOfOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.strictCase("acme")
	w.steps(6*time.Hour, 2*cvd.Day)
	a := w.request(cvd.Scope)
	w.as(anaSigned, "approve "+a.ID)
	w.steps(time.Hour, w.CoolOff-time.Hour)
	w.told("acme", "Heads-up")
	if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Planned || !strings.Contains(n.Why, "desk of one") {
		t.Errorf("scope: %s, %s", n.State, n.Why)
	}
	w.after(time.Hour)
	w.told("acme", "Heads-up", "Scope")
}

// What a person approves is what leaves: the mails stand in the request word
// for word, their codes masked, with the files that go with them.
func TestA3_RequestShowsTheMails(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme", "globex")
	w.update(func(tx *store.Tx) error {
		m := cvd.Material{Case: id, Stage: cvd.Scope, Author: "ana", Text: "the scope text " + canary(cvd.Scope), Files: []cvd.File{{Name: "scope-1.txt", MediaType: "text/plain", Data: []byte("sharedfile")}}}
		own := cvd.Material{Case: id, Stage: cvd.Scope, Party: "acme", Author: "ana", Text: "for acme", Files: []cvd.File{{Name: "scope-1.bin", Data: []byte("acmesfile")}}}
		return errors.Join(w.putMaterial(tx, m), w.putMaterial(tx, own))
	})
	w.settle()
	a := w.request(cvd.Scope)
	var shown *message.Part
	for _, m := range w.filed("Approvals") {
		if m.Ref == a.ID {
			shown = w.served(m)
		}
	}
	files := map[string]string{}
	shown.Walk(func(p *message.Part) bool {
		if p.Filename != "" {
			body, err := p.Body()
			if err != nil {
				t.Fatal(err)
			}
			files[p.Filename] = string(body)
		}
		return true
	})
	if files["scope-1.txt"] != "sharedfile" || !strings.Contains(files["acme.eml"], "YWNtZXNmaWxl") || strings.Contains(files["globex.eml"], "for acme") {
		t.Errorf("files %q", files)
	}
	w.as(benByMail, "approve "+a.ID)
	w.steps(6*time.Hour, cvd.Day)
	mails := w.mails(w.people["acme"])
	left := mails[len(mails)-1]
	code := codeOf(left.Text)
	if code == "" || strings.Contains(files["acme.eml"], code) {
		t.Fatalf("the code %q of the notice stands in the request, or there is none", code)
	}
	eml, err := message.Parse([]byte(files["acme.eml"]), message.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	text, err := eml.FirstText().Text()
	if err != nil {
		t.Fatal(err)
	}
	// The day an answer is asked by follows the day on which it left.
	if want := strings.ReplaceAll(left.Text, code, maskedCode); withoutDay(text) != withoutDay(want) {
		t.Errorf("approved was\n%s\nand left has\n%s", text, want)
	}
}

func codeOf(text string) string {
	if m := anyCode.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// A request to many vendors stays one mail of a bounded size, and names them
// all.
func TestA3_RequestToMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := cvd.Case{ID: "PAR-2026-0001", Number: 1, Title: "Many", Policy: cvd.Shipped()["default"], Start: w.clock.Now(),
		Embargoes: []cvd.Embargo{{Version: 1, End: w.clock.Now().Add(90 * cvd.Day)}}}
	text := strings.Repeat(strings.Repeat("x", 63)+"\n", 64)
	w.update(func(tx *store.Tx) error {
		if err := errors.Join(tx.NewScope(caseScope(c.ID)), PutCase(tx, c)); err != nil {
			return err
		}
		for i := range 600 {
			id := cvd.PartyID(fmt.Sprintf("vendor-%d", i))
			who := cvd.Participant{Case: c.ID, Party: id, Roles: []cvd.Role{cvd.RoleVendor}, Address: "psirt@x.example", Token: cvd.NewToken(), Wave: 1}
			if err := errors.Join(PutParty(tx, cvd.Party{ID: id, Address: who.Address}), PutParticipant(tx, who)); err != nil {
				return err
			}
		}
		return errors.Join(w.putMaterial(tx, cvd.Material{Case: c.ID, Stage: cvd.Details, Author: "ana", Text: text}), w.replan(tx, c.ID))
	})
	if err := w.sched.Prepare(context.Background()); err != nil {
		t.Fatal(err)
	}
	m := slices.DeleteFunc(w.filed("Approvals"), func(m store.Message) bool { return strings.Contains(m.Envelope.Subject, "leak kit") })
	if len(m) != 1 || m[0].Size > 10<<20 {
		t.Fatalf("%d mails, the first has %d octets", len(m), m[0].Size)
	}
	var all strings.Builder
	w.served(m[0]).Walk(func(p *message.Part) bool {
		body, err := p.Body()
		all.WriteString(p.Filename + "\n" + string(body))
		return err == nil
	})
	for _, name := range []string{"vendor-0.eml", "==== vendor-599.eml", "the same text as in vendor-0.eml"} {
		if !strings.Contains(all.String(), name) {
			t.Errorf("the mail lacks %q", name)
		}
	}
	if n := len(approvalParties(w, w.request(cvd.Details).ID)); n != 600 {
		t.Errorf("the request is bound to %d notices", n)
	}
}

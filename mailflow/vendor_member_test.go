package mailflow

import (
	"fmt"
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// said is the last answer that a person got.
func (w *world) said(name string) string {
	w.t.Helper()
	all := w.got(name)
	return unwrapped(all[len(all)-1].Text)
}

// MEMBER ADD is a proposal that counts only signed: nothing is added and nothing
// is sent to the address, and what is answered is the same whoever has it.
func TestS5_MemberAdd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	w.vendor("initech") // in another case only
	other := w.caseWith("initech")
	w.do("vendor edit globex second sec@globex.example")
	var answers []string
	for _, addr := range []string{"jo@acme.example", "psirt@globex.example", "sec@globex.example", "psirt@initech.example", "report@vdp.example.org",
		"control@desk.vdp.example.org", strings.TrimSuffix(w.thread(id, "globex"), "\n"), "psirt@acme.example", "nobody@nowhere.example"} {
		w.answers("acme", id, true, "MEMBER ADD "+addr+"\n")
		answers = append(answers, withoutCodes(strings.ReplaceAll(w.said("acme"), addr, "ADDR")))
		if n := w.countIn("INBOX", "acme wants to add "+addr); n != 1 {
			t.Errorf("%s: %d tasks: %q", addr, n, w.subjects("INBOX"))
		}
		if len(w.sink.To(addr)) > 0 && addr == "jo@acme.example" {
			t.Error("something was sent there")
		}
	}
	for i, a := range answers {
		if a != answers[0] {
			t.Errorf("answer %d differs:\n%s\n%s", i, a, answers[0])
		}
	}
	if p := w.partyOf("acme"); len(p.Members) != 0 || p.Second != "" || p.Address != "psirt@acme.example" {
		t.Errorf("%+v", p)
	}
	for _, line := range []string{"MEMBER ADD a@acme.example, b@acme.example", "MEMBER ADD a@acme.example b@acme.example", "MEMBER ADD", "MEMBER REVOKE",
		"MEMBER ADD <jo@acme.example>", "MEMBER ADD jo", "MEMBER ADD \"jo doe\"@acme.example", "MEMBER ADD jo@[192.0.2.1]", "MEMBER ADD `x`@acme.example", "MEMBER ADD " + strings.Repeat("a", 250) + "@acme.example"} {
		before := len(w.subjects("INBOX"))
		w.answers("acme", id, true, line+"\n")
		if !strings.Contains(w.said("acme"), "not done: say MEMBER ADD") || len(w.subjects("INBOX")) != before {
			t.Errorf("%q: %s", line, w.said("acme"))
		}
	}
	for addr, want := range map[string]string{"psirt@globex.example": "belongs to globex already", "report@vdp.example.org": "an address of this gateway",
		"psirt@acme.example": "one of theirs already", "jo@acme.example": "member add acme jo@acme.example"} {
		if text := w.taskText("acme wants to add " + addr); !strings.Contains(text, want) {
			t.Errorf("%s: the desk reads\n%s", addr, text)
		}
	}
	if strings.Contains(w.taskText("acme wants to add psirt@globex.example"), "member add") {
		t.Error("the desk is told to add another party's address")
	}
	w.answers("acme", id, true, "Member firms of ours build it.\n") // a letter
	if n := w.countIn("INBOX", "acme wrote"); n != 1 {
		t.Errorf("INBOX: %q", w.subjects("INBOX"))
	}
	w.do("member add acme jo@acme.example")
	if n := w.countIn("INBOX", "acme wants to add jo@acme.example"); n != 0 || len(w.partyOf("acme").Members) != 1 {
		t.Error("the task stays, or nothing was added")
	}
	if len(w.sink.To("jo@acme.example")) != 0 {
		t.Error("something was sent to an address without a confirmed key")
	}
	if w.participant(other, "initech").Reached != "" {
		t.Error("initech was told something")
	}
}

// withoutCodes takes the codes out of a text.
func withoutCodes(text string) string { return anyWordCode.ReplaceAllString(text, "CODE") }

// taskText is what the task of a Subject says, in one line.
func (w *world) taskText(subject string) string {
	w.t.Helper()
	for _, m := range w.filed("INBOX") {
		if strings.Contains(m.Envelope.Subject, subject) {
			return unwrapped(w.words(m))
		}
	}
	w.t.Fatalf("INBOX has no %q: %q", subject, w.subjects("INBOX"))
	return ""
}

// No code counts for MEMBER, and none is used up by it; neither does a signature
// without the case, an old one, or one that came before.
func TestS5_MemberOnlySigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	w.do("member add acme jo@acme.example")
	code := w.code("acme")
	before := w.partyOf("acme")
	acme, to := w.people["acme"], w.thread(id, "acme")
	w.answers("acme", id, false, "MEMBER REVOKE "+string(id)+" jo@acme.example "+code+"\n")
	if !strings.Contains(w.said("acme"), "no code counts for it") || strings.Contains(w.said("acme"), "jo@") {
		t.Errorf("the answer: %s", w.said("acme"))
	}
	w.arrives(acme.Address, to, w.seal(acme, to, true, mailtest.Entity("hello", "MEMBER REVOKE jo@acme.example\n")))               // no case inside
	w.arrives(acme.Address, to, w.seal(acme, to, true, mailtest.Entity("hello", "MEMBER REVOKE PAR-2026-0099 jo@acme.example\n"))) // another one
	globex := w.people["globex"]
	w.arrives(globex.Address, to, w.seal(globex, to, true, mailtest.Entity("["+string(id)+"]", "MEMBER REVOKE jo@acme.example\n")))
	w.answers("globex", id, false, "ACK "+string(id)+" "+w.code("globex")+"\nMEMBER ADD "+string(id)+" al@globex.example\n") // one line counts, one does not
	if got := w.said("globex"); !strings.Contains(got, "you got it; thank you") || !strings.Contains(got, "no code counts for it") || w.countIn("INBOX", "globex wants to add") != 0 {
		t.Errorf("the answer: %s", got)
	}
	late := w.seal(acme, to, true, mailtest.Entity("["+string(id)+"]", "MEMBER REVOKE jo@acme.example\n"))
	w.after(15 * cvd.Day)
	w.arrives(acme.Address, to, late)
	w.settle()
	if got := w.partyOf("acme"); len(got.Members) != 1 || fmt.Sprint(got) != fmt.Sprint(before) {
		t.Fatalf("%+v", got)
	}
	if !w.participant(id, "acme").Knows(code) {
		t.Error("the code was used up")
	}
	fresh := w.seal(acme, to, true, mailtest.Entity("["+string(id)+"]", "MEMBER REVOKE "+string(id)+" jo@acme.example\n"))
	w.arrives(acme.Address, to, fresh)
	w.settle()
	if len(w.partyOf("acme").Members) != 0 {
		t.Fatal("a signed one does not count")
	}
	w.do("member add acme jo@acme.example") // the desk takes jo in again; a replay changes nothing
	w.arrives(acme.Address, to, fresh)
	w.arrives("jo@acme.example", to, fresh)
	w.settle()
	if len(w.partyOf("acme").Members) != 1 {
		t.Error("a replay counts")
	}
}

// MEMBER REVOKE takes effect at once: nothing of a member counts any more, its key
// is not used, and codes that it may have read are dead. A revoked member who
// revokes changes nothing.
func TestS5_MemberRevoke(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	jo := w.person("jo", "jo@acme.example")
	w.do("member add acme jo@acme.example")
	w.confirm("acme", jo)
	code := w.code("acme")
	to := w.thread(id, "acme")
	w.arrives(jo.Address, to, w.seal(jo, to, true, mailtest.Entity("["+string(id)+"]", "STATUS investigating\n")))
	w.settle()
	if w.participant(id, "acme").Status().Word != "investigating" {
		t.Fatalf("a member's word does not count; Quarantine %q", w.subjects("Quarantine"))
	}
	for _, addr := range []string{"psirt@globex.example", "ana@desk.vdp.example.org", "report@vdp.example.org", "nobody@nowhere.example"} {
		w.answers("acme", id, true, "MEMBER REVOKE "+addr+"\n")
		if got := w.said("acme"); !strings.Contains(got, "we have no address "+addr+" of yours") {
			t.Errorf("%s: %s", addr, got)
		}
	}
	w.answers("acme", id, true, "MEMBER REVOKE Jo@ACME.example\n")
	p := w.partyOf("acme")
	if len(p.Members) != 0 || len(w.partyOf("globex").Addresses()) != 1 {
		t.Fatalf("%+v", p)
	}
	if w.participant(id, "acme").Knows(code) || !w.participant(id, "globex").Knows(w.code("globex")) {
		t.Error("the codes of acme live, or those of globex are dead")
	}
	if text := w.taskText("acme revoked Jo@ACME.example"); !strings.Contains(text, "Not used any more") || strings.Contains(text, "No confirmed key") {
		t.Errorf("the desk reads\n%s", text)
	}
	w.arrives(jo.Address, to, w.seal(jo, to, true, mailtest.Entity("["+string(id)+"]", "MEMBER REVOKE psirt@acme.example\nSTATUS affected 1\n")))
	w.arrives(jo.Address, to, w.seal(jo, to, false, mailtest.Entity("["+string(id)+"]", "STATUS affected 1 "+code+"\n")))
	w.settle()
	if p := w.partyOf("acme"); p.Revoked != nil || w.participant(id, "acme").Status().Word != "investigating" {
		t.Errorf("a revoked member counts: %+v", p)
	}
	if tr := w.as(signed("nobody"), "key list acme"); !strings.Contains(tr.String(), "rejected") {
		t.Errorf("%s", tr)
	}
	w.answers("acme", id, true, "ACCEPT v1\n") // psirt@ goes on
	w.after(3 * cvd.Day)
	if !w.heard("acme", cvd.Scope) {
		t.Errorf("acme was told nothing more; Held %q", w.subjects("Held"))
	}
	for _, m := range w.sink.Mails() {
		if strings.EqualFold(m.To, jo.Address) {
			t.Error("something was sent to jo")
		}
	}
}

// The last address: what is to come is held, what waits in the queue is taken
// back, the desk is told, and another address lets it go on. Others go on all the
// while.
func TestV5_MemberRevokeTheLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	w.answers("acme", id, true, "ACCEPT v1\n")
	w.answers("globex", id, true, "ACCEPT v1\n")
	w.answers("acme", id, true, "MEMBER REVOKE psirt@acme.example\n")
	told := len(w.sink.To("psirt@acme.example"))
	text := w.taskText("acme revoked psirt@acme.example")
	for _, want := range []string{"No confirmed key of acme is left", "vendor edit acme address ADDRESS", "key confirm acme FINGERPRINT"} {
		if !strings.Contains(text, want) {
			t.Errorf("the desk is not told %q:\n%s", want, text)
		}
	}
	w.after(3 * cvd.Day)
	if n := len(w.sink.To("psirt@acme.example")); n != told {
		t.Errorf("%d mails went to a revoked address", n-told)
	}
	if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Held || !strings.Contains(n.Why, "revoked its address") {
		t.Errorf("scope is %s: %s", n.State, n.Why)
	}
	if !w.heard("globex", cvd.Details) {
		t.Error("globex waits for acme")
	}
	w.answers("acme", id, true, "STATUS affected 1\n") // from the revoked address, by the rejected key
	if w.participant(id, "acme").Status().Word != "" {
		t.Error("a revoked address counts")
	}
	fresh := w.person("fresh", "sec@acme.example")
	w.do("vendor edit acme address sec@acme.example")
	w.confirm("acme", fresh)
	w.after(2 * cvd.Day)
	if !w.heard("fresh", cvd.Scope) {
		t.Errorf("the new address is told nothing; Held %q", w.subjects("Held"))
	}
	if p := w.partyOf("acme"); p.Revoked != nil {
		t.Errorf("%+v", p)
	}
}

package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// A party's own reference ends the inner Subject of every mail to it, of no mail
// to anybody else, and the outer one only where that is wanted.
func TestV2_V3_TheirRef(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana := w.coordinator("ana")
	id := w.caseWith("acme", "globex")
	w.in(id, `record acme their-ref "[ACME-1234]"`, "start now")
	w.after(5 * w.Undo)
	last := func(name string) letterGot {
		all := w.sealedTo(name)
		return all[len(all)-1]
	}
	if l := last("acme"); !strings.HasSuffix(l.Subject, " [ACME-1234]") || l.Outer.Get("Subject") != w.Subject {
		t.Errorf("inner %q, outer %q", l.Subject, l.Outer.Get("Subject"))
	}
	w.answers("acme", id, true, "ACK\n") // an answer, and then a letter
	if l := last("acme"); !strings.HasSuffix(l.Subject, " [ACME-1234]") {
		t.Errorf("answer: %q", l.Subject)
	}
	w.submits("ana", "acme."+id.Lower()+"@"+w.DeskDomain, false, "Re: [ACME-1234] hello", "A letter.\n")
	w.after(5 * w.Undo)
	if l := last("acme"); strings.Count(l.Subject, "[ACME-1234]") != 1 {
		t.Errorf("letter: %q", l.Subject)
	}
	w.refuses(Actor{Name: ana.Name, Via: ViaMail}, "counts only", "vendor edit acme their-ref outer")
	w.do("vendor edit acme their-ref outer")
	w.refuses(Actor{Name: ana.Name, Via: ViaMail}, "counts only", "case "+string(id), `record acme their-ref "[ACME-9]"`)
	w.do(`vendor edit globex subject "Security mail" their-ref outer`)
	w.in(id, `record globex their-ref "Ref: 55-123"`)
	w.after(cvd.Day)
	if l := last("acme"); l.Outer.Get("Subject") != w.Subject+" [ACME-1234]" || !strings.HasSuffix(l.Subject, " [ACME-1234]") {
		t.Errorf("inner %q, outer %q", l.Subject, l.Outer.Get("Subject"))
	}
	w.answers("globex", id, true, "ACK\n")
	if l := last("globex"); l.Outer.Get("Subject") != "Security mail Ref: 55-123" {
		t.Errorf("outer %q", l.Outer.Get("Subject"))
	}
	for _, l := range w.sealedTo("globex") {
		if bad := l.find([]string{"ACME-1234"}); bad != "" {
			t.Errorf("globex reads %s", bad)
		}
	}
	if out := w.in(id, "status"); !strings.Contains(unwrapped(out), `their-ref "[ACME-1234]"`) {
		t.Errorf("status:\n%s", out)
	}
	other := w.caseWith("acme") // the reference is of one case
	w.in(other, "start now")
	w.after(5 * w.Undo)
	if l := last("acme"); !strings.Contains(l.Subject, string(other)) || strings.Contains(l.Subject, "1234") || l.Outer.Get("Subject") != w.Subject {
		t.Errorf("inner %q, outer %q", l.Subject, l.Outer.Get("Subject"))
	}
	w.in(id, "record acme their-ref none")
	if w.participant(id, "acme").TheirRef != "" {
		t.Error("none does not take it away")
	}
}

// What looks like ours, names somebody else or may not stand in a header is no
// reference.
func TestV4_TheirRefIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex")
	w.do(`vendor edit globex alias "Initech Labs" senders tickets@desk-globex.example`)
	for _, bad := range []string{strings.Repeat("1", 41), "ACME", "", "a\u00e41", "a\u202e1", "=?utf-8?q?x1?=", "[PAR-2026-0001]", "PAR 17", "TLP:RED 1", "[GLOBEX-77]",
		"desk-globex.example 1", "initech labs 4", "proof 1", "Details-3", "mitigation 1"} {
		tr := w.as(theOperator, "case "+string(id), "record acme their-ref "+`"`+bad+`"`)
		if tr.Done() || w.participant(id, "acme").TheirRef != "" {
			t.Errorf("%q is taken: %s", bad, tr)
		}
	}
	for _, good := range []string{"[ACME-1234]", "Ref: 55-123", "##RE-4711##", "[Ticket#2026120110000017]", "INC0012345", "CAS-01234-X7Y8Z9"} {
		w.in(id, `record acme their-ref "`+good+`"`)
		if got := w.participant(id, "acme").TheirRef; got != good {
			t.Errorf("%q became %q", good, got)
		}
	}
}

// An approval is bound to the Subject that leaves: another reference asks again.
func TestTheirRefVoidsAnApproval(t *testing.T) {
	t.Parallel()
	a, b := &parcel{}, &parcel{}
	a.Party.Manner.Form, b.Party.Manner.Form = cvd.FormInline, cvd.FormInline
	if digestAll(a.mannerOf()...) != digestAll(a.Party.Manner) {
		t.Error("what was approved without a reference is bound to something else")
	}
	b.Ref = "[ACME-1]"
	if a.frozen()["the manner of its mail"] == b.frozen()["the manner of its mail"] || a.digest() == b.digest() {
		t.Error("a reference changes nothing that a yes is bound to")
	}
}

// ticketRobots are what ticket systems write by themselves.
func ticketRobots() map[string][]mailtest.Field {
	return map[string][]mailtest.Field{
		"auto-submitted": {{Name: "Auto-Submitted", Value: "auto-replied"}},
		"generated":      {{Name: "Auto-Submitted", Value: "auto-generated"}},
		"suppressed":     {{Name: "X-Auto-Response-Suppress", Value: "OOF, AutoReply"}},
		"bulk":           {{Name: "Precedence", Value: "bulk"}},
		"auto_reply":     {{Name: "Precedence", Value: "auto_reply"}},
		"x-autoreply":    {{Name: "X-Autoreply", Value: "yes"}},
	}
}

// What a ticket system writes by itself is no answer: it runs no command, ends no
// clock, is answered by nobody and changes nothing, but that a reference in its
// Subject is proposed to the desk, once. It may come from a sender address.
func TestM4_TicketSystems(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	w.do(`vendor edit acme senders "tickets@acme.example, robot@help.acme.example"`)
	acme, to, code := w.people["acme"], w.thread(id, "acme"), w.code("acme")
	before, sent := w.participant(id, "acme"), len(w.sink.Mails())
	entity := mailtest.Entity("[ACME-1234] Ticket created: ["+string(id)+"]", "ACCEPT "+string(id)+" v1 "+code+"\nSTATUS affected 1 "+code+"\n")
	for name, fields := range ticketRobots() {
		for _, from := range []string{acme.Address, "tickets@acme.example"} {
			sealed := w.seal(acme, to, true, entity, fields...)
			w.arrives(from, to, []byte(strings.Replace(string(sealed), "From: "+acme.Address, "From: "+from, 1)))
			w.arrives(from, to, mailtest.Plain(from, to, "[ACME-1234] We received your request", "ACCEPT v1 "+code+"\n", w.clock.Now(), fields...))
			w.settle()
			after := w.participant(id, "acme")
			if after.Acknowledged != nil || after.Accepted() != 0 || after.Status().Word != "" || !after.Knows(code) || !after.Wrote.Equal(before.Wrote) || !after.LastHeard.Equal(before.LastHeard) {
				t.Errorf("%s from %s counts: %+v", name, from, after)
			}
		}
	}
	if n := len(w.sink.Mails()) - sent; n != 0 {
		t.Errorf("%d answers to robots", n)
	}
	if n := w.countIn("INBOX", "acme files "+string(id)+" under [ACME-1234]"); n != 1 {
		t.Errorf("INBOX %q", w.subjects("INBOX"))
	}
	if n := w.countIn("INBOX", "acme wrote in "+string(id)); n != 0 {
		t.Errorf("a robot wrote a letter: %q", w.subjects("INBOX"))
	}
	stranger := w.person("stranger", "x@nowhere.example") // whoever knows the address proposes nothing
	w.arrives(stranger.Address, to, mailtest.Plain(stranger.Address, to, "[ACME-666] ticket", "hello", w.clock.Now()))
	w.settle()
	if n := w.countIn("INBOX", "[ACME-666]"); n != 0 {
		t.Errorf("INBOX %q", w.subjects("INBOX"))
	}
	if text := w.taskText("acme files"); !strings.Contains(text, `record acme their-ref "[ACME-1234]"`) {
		t.Errorf("the desk reads\n%s", text)
	}
	if w.participant(id, "acme").TheirRef != "" || w.partyOf("acme").Members != nil {
		t.Error("a proposal counts")
	}
	w.in(id, `record acme their-ref "[ACME-1234]"`)
	if n := w.countIn("INBOX", "acme files"); n != 0 {
		t.Error("the task stays")
	}
	w.answers("acme", id, true, "ACK\n")
	w.after(9 * cvd.Day)
	if n := w.countIn("INBOX", "globex is silent"); n != 1 {
		t.Errorf("INBOX %q", w.subjects("INBOX"))
	}
}

// The clocks of silence and reminders go on whatever a machine answers.
func TestM4_RobotsStopNoClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	w.do("vendor edit acme senders tickets@acme.example")
	acme, to := w.people["acme"], w.thread(id, "acme")
	var due []dueRow
	rows := func() (out []dueRow) {
		w.view(func(tx *store.Tx) error {
			all, err := collect(silenceRows.All(tx, nil), nil)
			out = all
			return err
		})
		return out
	}
	if due = rows(); len(due) != 1 {
		t.Fatalf("%d clocks", len(due))
	}
	for range 3 {
		w.after(2 * cvd.Day)
		raw := w.seal(acme, to, true, mailtest.Entity("["+string(id)+"] still open", "We have your request.\n"), mailtest.Field{Name: "Auto-Submitted", Value: "auto-generated"})
		w.arrives("tickets@acme.example", to, raw)
		w.settle()
	}
	if got := rows(); len(got) != 1 || got[0] != due[0] {
		t.Errorf("the clock: %v, then %v", due, got)
	}
	w.after(5 * cvd.Day)
	if n := w.countIn("INBOX", "acme is silent in "+string(id)); n != 1 {
		t.Errorf("INBOX %q", w.subjects("INBOX"))
	}
}

// A person's mail from a sender address counts as the party's, signed or with a
// code; nothing goes to that address, no key of it is looked for or kept, and a
// stranger's address stays a stranger's.
func TestS2_Senders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	acme, to := w.people["acme"], w.thread(id, "acme")
	signedFrom := func(from, text string) {
		raw := w.seal(acme, to, true, mailtest.Entity("["+string(id)+"]", text))
		w.arrives(from, to, []byte(strings.Replace(string(raw), "From: "+acme.Address, "From: "+from, 1)))
		w.settle()
	}
	signedFrom("tickets@acme.example", "STATUS affected 1\n")
	if w.participant(id, "acme").Status().Word != "" || len(w.filed("Quarantine")) != 1 {
		t.Fatalf("an unknown address counts; Quarantine %q", w.subjects("Quarantine"))
	}
	for _, bad := range []string{"psirt@globex.example", "report@vdp.example.org", "x@desk.vdp.example.org", "psirt@acme.example", "tickets", "a@x.example, psirt@globex.example",
		"a@x.example,b@x.example,c@x.example,d@x.example,e@x.example,f@x.example,g@x.example,h@x.example,i@x.example,j@x.example,k@x.example"} {
		if tr := w.as(theOperator, `vendor edit acme senders "`+bad+`"`); tr.Done() {
			t.Errorf("%q is taken: %s", bad, tr)
		}
	}
	ana := w.coordinator("ana")
	w.refuses(Actor{Name: ana.Name, Via: ViaMail}, "counts only", "vendor edit acme senders tickets@acme.example")
	w.do("vendor edit acme senders tickets@acme.example")
	w.refuses(theOperator, "belongs to acme already", "vendor edit globex senders Tickets@acme.example")
	w.refuses(theOperator, "belongs to acme already", "member add globex tickets@acme.example")
	signedFrom("tickets@acme.example", "STATUS affected 2\n")
	if got := w.participant(id, "acme").Status().Text; got != "2" {
		t.Errorf("status %q; Quarantine %q", got, w.subjects("Quarantine"))
	}
	code := w.code("acme")
	robot := w.person("robot", "tickets@acme.example")
	raw := w.seal(robot, to, false, withKey(robot, "["+string(id)+"]", "ACK "+string(id)+" "+code+"\n"))
	w.arrives(robot.Address, to, raw)
	w.settle()
	if w.participant(id, "acme").Acknowledged == nil {
		t.Error("a code from a sender address does not count")
	}
	w.view(func(tx *store.Tx) error {
		keys, err := ownerKeys(tx, "acme")
		for _, k := range keys {
			if string(k.Fingerprint) == robot.Fingerprint() {
				t.Errorf("a key of a sender address is kept: %+v", k)
			}
		}
		if p, _ := PartyByID(tx, "acme"); len(p.Addresses()) != 1 {
			t.Errorf("%+v", p)
		}
		n, _ := collect(lookups.All(tx, nil), nil)
		for _, l := range n {
			if l.Address == robot.Address {
				t.Error("its key is looked for")
			}
		}
		return err
	})
	w.answers("acme", id, true, "ACCEPT v1\n")
	w.after(3 * cvd.Day)
	for _, m := range w.sink.Mails() {
		if strings.EqualFold(m.To, robot.Address) {
			t.Error("something went to a sender address")
		}
	}
	w.answers("acme", id, true, "MEMBER REVOKE tickets@acme.example\n")
	signedFrom("tickets@acme.example", "STATUS affected 3\n")
	if got := w.participant(id, "acme").Status().Text; got != "2" || len(w.partyOf("acme").Senders) != 0 {
		t.Errorf("a revoked sender counts: %q", got)
	}
}

// What is found in the Subjects of ticket systems, and what is not.
func TestFindTheirRef(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendor("acme")
	w.vendor("globex")
	w.view(func(tx *store.Tx) error {
		banned, err := w.notInRefs(tx, "acme")
		for subject, want := range map[string]string{
			"[ACME-1234] Re: Confidential message (encrypted)":                                 "[ACME-1234]",
			"Re: TLP:AMBER+STRICT [PAR-2026-0001] 2/6 Scope - reply by Fri 5 Dec [ACME #4711]": "[ACME #4711]",
			"Re: TLP:AMBER+STRICT [PAR-2026-0001] 2/6 Scope - reply by Fri 5 Dec":              "",
			"Confidential message (encrypted) Ref: 55-123":                                     "Ref: 55-123",
			"Ticket #4711 created":          "Ticket #4711",
			"We got it - SEC-20417":         "SEC-20417",
			"CVE-2026-12345 in your mail":   "",
			"[GLOBEX-12] forwarded":         "",
			"Re: hello":                     "",
			"[EXT] Re: 2 things":            "",
			"[\u202e1234] x":                "",
			"RE: #4711":                     "#4711",
			"[PAR-2026-0001]":               "",
			"[EXT] [proof 1] CASE: 0042-17": "CASE: 0042-17",
		} {
			if got := findTheirRef(tx, subject, banned); got != want {
				t.Errorf("%q: %q, want %q", subject, got, want)
			}
		}
		return err
	})
}

// A machine's answer to the question which key to use is none: no question in
// Keys, no key of it is kept, and the contact mail names no reference.
func TestM4_RobotsNameNoKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := w.person("acme", "psirt@acme.example")
	w.do("vendor add acme " + acme.Address)
	id := w.caseWith("acme")
	w.in(id, `record acme their-ref "[ACME-1]"`, "start now")
	w.after(5 * w.Undo)
	asked := w.mails(acme)
	if len(asked) != 1 || strings.Contains(asked[0].Outer.Get("Subject"), "ACME-1") {
		t.Fatalf("acme has %d mails, %q", len(asked), asked[0].Outer.Get("Subject"))
	}
	raw := append([]byte("From: "+acme.Address+"\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: "+asked[0].Outer.Get("Message-ID")+"\r\nMessage-ID: <k@acme.example>\r\n"),
		withKey(acme, "[ACME-77] Automatic reply", "We will look at it.")...)
	w.arrives(acme.Address, reportTo, raw)
	w.settle()
	if n := w.countIn("Keys", "answered"); n != 0 || len(w.mails(acme)) != 1 {
		t.Errorf("Keys %q, %d mails", w.subjects("Keys"), len(w.mails(acme)))
	}
	w.view(func(tx *store.Tx) error {
		keys, err := ownerKeys(tx, "acme")
		if len(keys) != 0 {
			t.Errorf("%+v", keys)
		}
		return err
	})
	if n := w.countIn("INBOX", "acme files "+string(id)+" under [ACME-77]"); n != 1 {
		t.Errorf("INBOX %q", w.subjects("INBOX"))
	}
}

// Whether there is a case that others may not see shows in no refusal of a
// reference (rule A2).
func TestA2_TheirRefTellsOfNoCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	id := w.caseWith("acme")
	other := w.caseWith("globex")
	w.in(other, "case restrict ben")
	answer := func(tag cvd.CaseID) string {
		out := w.as(signed("ana"), "case "+string(id), `record acme their-ref "`+string(tag)+`"`)
		if out.Done() {
			t.Fatalf("a tag of ours is a reference:\n%s", out)
		}
		return strings.ReplaceAll(out.String(), string(tag), "TAG")
	}
	if there, not := answer(other), answer("PAR-2026-0999"); there != not {
		t.Errorf("a restricted case:\n%s\nno case:\n%s", there, not)
	}
}

// A reference is checked as it is used, too: what came to name somebody else, or a
// case of ours, since it was filed stands in no Subject any more, and the desk sees it.
func TestV2_TheirRefThatNamesSomebodyNow(t *testing.T) {
	t.Parallel()
	for ref, since := range map[string]string{
		"[HOOLI-1234]":   "vendor add hooli psirt@hooli.example",
		"Ref: Orion 12":  `vendor edit globex alias "Orion"`,
		"[umbra.test 7]": "vendor edit globex senders tickets@umbra.test",
	} {
		w := newWorld(t)
		id := w.caseWith("acme", "globex")
		w.do("vendor edit acme their-ref outer")
		w.in(id, `record acme their-ref "`+ref+`"`, "start now")
		w.after(5 * w.Undo)
		if l := w.mails(w.people["acme"])[0]; !strings.HasSuffix(l.Subject, ref) || !strings.HasSuffix(l.Outer.Get("Subject"), ref) {
			t.Fatalf("inner %q, outer %q", l.Subject, l.Outer.Get("Subject"))
		}
		w.do(since)
		w.answers("acme", id, true, "ACK\n")
		w.after(cvd.Day)
		all := w.mails(w.people["acme"])
		if len(all) < 3 {
			t.Fatalf("acme has %d mails", len(all))
		}
		for _, l := range all[1:] {
			if strings.Contains(l.Subject, ref) || strings.Contains(l.Outer.Get("Subject"), ref) {
				t.Errorf("after %s: inner %q, outer %q", since, l.Subject, l.Outer.Get("Subject"))
			}
		}
		if out := unwrapped(w.in(id, "status")); !strings.Contains(out, "not used: ") {
			t.Errorf("status after %s:\n%s", since, out)
		}
	}
}

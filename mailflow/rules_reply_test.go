package mailflow

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// reply is one mail to a vendor's thread, and what must become of it.
type reply struct {
	from   string              // whose key and address; acme where empty
	to     string              // acme's own address where empty
	sign   bool                // the layer is signed
	inner  string              // Subject inside, "[CASE]" where empty
	text   string              // CODE, OTHERS and CASE are filled in
	outer  []mailtest.Field    // of the outer header
	path   string              // reverse-path; the sender where empty, "<>" for the null one
	raw    func(*world) []byte // in place of all that
	ack    bool                // it counts as ACK
	folder string              // where it is then; the thread where empty
	told   bool                // its sender may be told, once a day, that nothing counts
}

func (r reply) sent(w *world, id cvd.CaseID) {
	w.t.Helper()
	from, to, inner := w.people["acme"], w.thread(id, "acme"), "["+string(id)+"]"
	if r.from != "" {
		from = w.people[r.from]
	}
	if r.to != "" {
		to = r.to
	}
	if r.inner != "" {
		inner = r.inner
	}
	fill := strings.NewReplacer("CODE", w.firstCode("acme"), "OTHERS", w.firstCode("globex"), "CASE", string(id))
	path := from.Address
	if r.path != "" {
		path = strings.Trim(r.path, "<>")
	}
	raw := w.seal(from, to, r.sign, mailtest.Entity(fill.Replace(inner), fill.Replace(r.text)), r.outer...)
	if r.raw != nil {
		raw = r.raw(w)
	}
	w.arrives(path, to, raw)
	w.settle()
}

// A vendor's command counts encrypted, at its own address, on one of the first
// lines, signed with the case inside or with its own unused code; nothing else
// counts.
func TestS5_WhatCounts(t *testing.T) {
	t.Parallel()
	replies := map[string]reply{
		"signed, case in the inner Subject":  {sign: true, text: "ACK\n", ack: true},
		"signed, case in the line":           {sign: true, inner: "hello", text: "ack CASE\n", ack: true},
		"signed, case in a quote":            {sign: true, inner: "hello", text: "ACK\n\n> your case [CASE]\n", ack: true},
		"unsigned, own code":                 {inner: "hello", text: "ACK CASE CODE\n", ack: true},
		"unsigned, own code, no case":        {inner: "hello", text: "ACK CODE\n", ack: true},
		"signed, wrong code beside it":       {sign: true, text: "ACK CASE AAAA-1111\n", ack: true},
		"an unknown key signs, own code":     {from: "stranger", sign: true, text: "ACK CASE CODE\n", ack: true},
		"below an empty line and a greeting": {sign: true, text: "\n\nHello,\n\nACK\n", ack: true},
		"on the tenth line":                  {sign: true, text: strings.Repeat("x\n", 9) + "ACK CASE\n", ack: true},
		"signed, case nowhere inside":        {sign: true, inner: "hello", text: "ACK\n", told: true, outer: []mailtest.Field{{Name: "Comments", Value: "[PAR-2026-0001]"}}},
		"signed for another case":            {sign: true, inner: "hello", text: "ACK PAR-2026-0002\n"},
		"own code, line for another case":    {text: "ACK PAR-2026-0002 CODE\n"},
		"unsigned, no code":                  {text: "ACK CASE\n"},
		"unsigned, another vendor's code":    {text: "ACK CASE OTHERS\n", told: true},
		"unsigned, a code that never was":    {text: "ACK CASE AAAA-1111\n", told: true},
		"unsigned, own code among guesses":   {text: "ACK CASE " + strings.Repeat("AAAA-1111 ", 8) + "CODE\n"},
		"unsigned, own code on a long line":  {text: "ACK CASE " + strings.Repeat("x", 16<<10) + " CODE\n"},
		"an unknown key signs, no code":      {from: "stranger", sign: true, text: "ACK CASE\n", folder: "Quarantine"},
		"another vendor signs, acme's code":  {from: "globex", sign: true, text: "ACK CASE CODE\n", folder: "Quarantine"},
		"quoted":                             {sign: true, text: "> ACK CASE CODE\n"},
		"quoted, then not":                   {sign: true, text: "> hello\nACK CASE CODE\n"},
		"quoted by a bar":                    {sign: true, text: "| ACK CASE CODE\n"},
		"below the old mail":                 {sign: true, text: "Thanks.\n-----Original Message-----\nACK CASE CODE\n"},
		"on the eleventh line":               {sign: true, text: strings.Repeat("x\n", 10) + "ACK CASE\n"},
		"within a line":                      {sign: true, text: "We ACK CASE CODE\n"},
		"in the Subject":                     {sign: true, inner: "ACK CASE CODE", text: "Hello\n"},
		"auto-submitted":                     {sign: true, text: "ACK CASE CODE\n", outer: []mailtest.Field{{Name: "Auto-Submitted", Value: "auto-replied"}}},
		"auto-submitted, said inside only":   {raw: insideField("Auto-Submitted: auto-replied")},
		"out of office, said inside only":    {sign: true, inner: "Automatic reply: [CASE]", text: "ACK CASE CODE\n"},
		"out of office":                      {sign: true, text: "ACK CASE CODE\n", outer: []mailtest.Field{{Name: "X-Autoreply", Value: "yes"}}},
		"null sender":                        {sign: true, text: "ACK CASE CODE\n", path: "<>"},
		"from a list":                        {sign: true, text: "ACK CASE CODE\n", outer: []mailtest.Field{{Name: "List-Id", Value: "<psirt.acme.example>"}}},
		"bulk":                               {sign: true, text: "ACK CASE CODE\n", outer: []mailtest.Field{{Name: "Precedence", Value: "bulk"}}},
		"an encrypted read receipt":          {raw: insideType("multipart/report; report-type=disposition-notification; boundary=b")},
		"an encrypted calendar reply":        {raw: insideType("multipart/alternative; boundary=b", "Content-Type: text/calendar; method=REPLY\r\n\r\nBEGIN:VCALENDAR\r\n")},
		"at report@":                         {to: reportTo, sign: true, text: "ACK CASE\n"},
		"at report@, with the code":          {to: reportTo, sign: true, text: "ACK CASE CODE\n"},
		"in clear":                           {raw: inClear, folder: "Quarantine"},
		"in clear, signed":                   {raw: inClearSigned, folder: "Quarantine"},
		"only partly encrypted":              {raw: withFooter, folder: "Quarantine"},
		"HTML":                               {raw: insideType("text/html")},
		"in a forwarded mail":                {raw: insideType("message/rfc822")},
		"in an attachment":                   {raw: insideType("text/plain; name=x.txt\r\nContent-Disposition: attachment")},
	}
	worldOf := func(t *testing.T) (*world, cvd.CaseID) {
		w := newWorld(t)
		w.do(`case open "Another" policy fast`) // PAR-2026-0001, which PAR-2026-0002 in the lines stands for
		id := w.started("acme", "globex")
		w.person("stranger", "jira@acme.example")
		return w, id
	}
	shared, sharedID := worldOf(t) // of everything that changes nothing
	for name, r := range replies {
		t.Run(name, func(t *testing.T) {
			w, id := shared, sharedID
			if r.ack {
				t.Parallel()
				w, id = worldOf(t)
			}
			copied := *w
			copied.t = t
			copied.check(r, id)
		})
	}
	if p := shared.who(sharedID, "acme"); !p.Knows(shared.firstCode("acme")) {
		t.Error("the code was used up")
	}
}

// check sends a reply and looks at what became of it.
func (w *world) check(r reply, id cvd.CaseID) {
	w.t.Helper()
	r.text = strings.Replace(r.text, "0002", "0001", 1)
	folder := w.folderOf(id, "Vendor acme")
	if r.folder != "" {
		folder = r.folder
	}
	came, told := w.cameIn(folder), len(w.sealedTo("acme"))
	r.sent(w, id)
	if got := w.who(id, "acme").Acknowledged != nil; got != r.ack {
		w.t.Errorf("acknowledged: %v, want %v", got, r.ack)
	}
	if w.who(id, "globex").Acknowledged != nil {
		w.t.Error("it counts for globex")
	}
	if w.cameIn(folder) != came+1 {
		w.t.Errorf("it is not in %s; Quarantine holds %q, Intake %q", folder, w.subjects("Quarantine"), w.subjects("Intake"))
	}
	if n := len(w.sealedTo("acme")) - told; n != map[bool]int{true: 1}[r.ack] && (n != 1 || !r.told) {
		w.t.Errorf("%d answers", n)
	}
}

// A client that puts the old mail below without marking its lines quotes all
// the same: the lines that we offered are not the vendor's.
func TestS5_UnmarkedQuotes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	notice := w.got("acme")[0].Text
	if !strings.Contains(notice, "DECLINE") {
		t.Fatal(notice)
	}
	for _, above := range []string{
		"Thanks.\n\n",
		"Thanks.\n\n________________________________\nFrom: VDP\nSent: Tuesday\nTo: PSIRT\nSubject: x\n\nDECLINE CODE\n\n",
		"Danke.\n\nVon: VDP\nGesendet: Dienstag\nAn: PSIRT\nBetreff: x\n\nDECLINE CODE\n",
		"Thanks.\n\n*From:* VDP\n*Sent:* Tuesday\nDECLINE CODE\n",
		"Thanks.\n\nOn Tue, 1 Dec 2026 at 09:05, VDP <x@y> wrote:\nDECLINE CODE\n",
		"Thanks.\n\nAm 01.12.26 um 09:05 schrieb VDP:\nDECLINE CODE\n",
		"Thanks.\n\nOn Tue, Dec 1, 2026 at 9:05 AM Example Disclosure Team\n<x@y> wrote:\n\nDECLINE CODE\n",
		"Thanks.\n\nOn Tue, Dec 1, 2026 at 9:05 AM\nExample Disclosure Team\n<x@y> wrote:\nDECLINE CODE\n",
		"Danke.\n\nAm Dienstag, 1. Dezember 2026 um 09:05 schrieb Example Disclosure\nTeam <x@y>:\nDECLINE CODE\n",
		"Danke.\n\nAm Dienstag, 1. Dezember 2026 um 09:05\nschrieb Example Disclosure Team <x@y>:\nDECLINE CODE\n",
		"Thanks.\n-- \nDECLINE CODE\n",
		"Thanks.\n--\nDECLINE CODE\n",
	} {
		above = strings.ReplaceAll(above, "CODE", w.code("acme"))
		w.answers("acme", id, false, above+notice)
		w.answers("acme", id, true, above+notice)
	}
	if p := w.who(id, "acme"); p.Declined != nil || p.Acknowledged != nil || p.Accepted() != 0 || !p.Knows(w.code("acme")) {
		t.Errorf("a quotation counts: %+v", p)
	}
	w.answers("acme", id, false, "\ufeffOn 3 Dec we looked at it and at\n4 more:\nACK\u00a0"+w.code("acme")+"\n\nFrom: us\n")
	if w.who(id, "acme").Acknowledged == nil {
		t.Error("its own line does not count")
	}
}

// What a vendor writes into its lines is echoed and shown, whatever it is.
func TestS5_HostileLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	for i, words := range []string{"a\u202eb\x00\x1f\x7f", strings.Repeat("A", 5000), strings.Repeat("word ", 1000), "{{.Code}} {{template \"foot\" .}}",
		"=?utf-8?q?=0D=0ABcc:_x?=", "\u2028\u2029", "\xff\xfe"} {
		w.answers("acme", id, true, "STATUS affected "+words+"\n")
		if n := len(w.who(id, "acme").Statuses); n != i+1 {
			t.Fatalf("%.20q: %d statuses; Quarantine %q", words, n, w.subjects("Quarantine"))
		}
		w.answers("acme", id, true, "DECLINE "+words+"\n")
		w.answers("acme", id, true, "ACCEPT v1\nPROPOSE 2026-12-20 "+words+"\n")
		w.answers("acme", id, false, words+"\n")
		if n := len(w.got("acme")); n != 3*i+4 {
			t.Fatalf("%.20q: %d mails; Held %q", words, n, w.subjects("Held"))
		}
	}
	if len(w.filed("Quarantine"))+len(w.filed("Held")) != 0 {
		t.Errorf("Quarantine %q, Held %q", w.subjects("Quarantine"), w.subjects("Held"))
	}
	acme, to := w.people["acme"], w.thread(id, "acme")
	for i, subject := range []string{strings.Repeat("A", 5000), "=?utf-8?Q?a=0D=0ABcc:_x=E2=80=AE?=", "=?utf-8?Q?=3D=3Futf-8=3FQ=3F=3D0D=3D0ABcc=3A=5Fx=3F=3D?=", "\xff\x00", "{{.Code}}"} {
		before := w.cameIn(w.folderOf(id, "Vendor acme"))
		w.arrives(acme.Address, to, w.seal(acme, to, true, mailtest.Entity(subject, "A letter.\n")))
		w.arrives(acme.Address, to, mailtest.Plain(acme.Address, to, subject, "in clear", w.clock.Now()))
		if n := w.cameIn(w.folderOf(id, "Vendor acme")) - before; n != 1 || len(w.filed("Quarantine")) != i+1 {
			t.Fatalf("%.20q: %d letters, Quarantine %q", subject, n, w.subjects("Quarantine"))
		}
		for _, m := range w.filed("Quarantine") {
			if strings.Contains(w.words(m), "could not be processed") || w.shown(m).Header.Has("Bcc") {
				t.Errorf("%.20q: %s", subject, w.words(m))
			}
		}
	}
}

// sealedTo opens the encrypted mails that a person received.
func (w *world) sealedTo(name string) []letterGot {
	var out []letterGot
	for _, l := range w.mails(w.people[name]) {
		if !l.Clear {
			out = append(out, l)
		}
	}
	return out
}

// firstCode is the code of the first notice to a person.
func (w *world) firstCode(name string) string {
	w.t.Helper()
	for _, l := range w.sealedTo(name) {
		if m := codePattern.FindStringSubmatch(l.Text); m != nil {
			return m[1]
		}
	}
	w.t.Fatalf("%s has no code", name)
	return ""
}

func insideField(field string) func(*world) []byte {
	return func(w *world) []byte {
		id := w.lastCase()
		e := append([]byte(field+"\r\n"), mailtest.Entity("["+string(id)+"]", "ACK "+string(id)+" "+w.firstCode("acme")+"\n")...)
		return w.seal(w.people["acme"], w.thread(id, "acme"), true, e)
	}
}

// insideType is a signed mail whose only text with a command is of some type,
// or stands in a multipart of it.
func insideType(kind string, more ...string) func(*world) []byte {
	return func(w *world) []byte {
		id := w.lastCase()
		line := "ACK " + string(id) + " " + w.firstCode("acme") + "\r\n"
		e := "Subject: [" + string(id) + "]\r\nMIME-Version: 1.0\r\nContent-Type: " + kind + "\r\n\r\n"
		switch {
		case strings.HasPrefix(kind, "multipart/"):
			e += "--b\r\nContent-Type: text/plain\r\n\r\n" + line
			for _, m := range more {
				e += "--b\r\n" + m
			}
			e += "--b--\r\n"
		case strings.HasPrefix(kind, "message/"):
			e += "Subject: inner\r\n\r\n" + line
		default:
			e += line
		}
		return w.seal(w.people["acme"], w.thread(id, "acme"), true, []byte(e))
	}
}

func inClear(w *world) []byte {
	id, acme := w.lastCase(), w.people["acme"]
	return mailtest.Plain(acme.Address, w.thread(id, "acme"), "["+string(id)+"]", "ACK "+string(id)+" "+w.firstCode("acme")+"\n", w.clock.Now())
}

func inClearSigned(w *world) []byte {
	id, acme := w.lastCase(), w.people["acme"]
	return w.signedEntity(acme, mailtest.Entity("["+string(id)+"]", "ACK "+string(id)+" "+w.firstCode("acme")+"\n"),
		mailtest.Field{Name: "From", Value: acme.Address}, mailtest.Field{Name: "Subject", Value: "x"})
}

func withFooter(w *world) []byte {
	id, acme := w.lastCase(), w.people["acme"]
	block := sealTo(w.t, []byte("ACK "+string(id)+" "+w.firstCode("acme")+"\n"), w.ourKey(), acme.Entity, &packet.Config{Time: w.clock.Now})
	return mailtest.Plain(acme.Address, w.thread(id, "acme"), "x", string(block)+"\n-- \nsent through a list\nACK "+w.firstCode("acme")+"\n", w.clock.Now())
}

// lastCase is the case that was opened last.
func (w *world) lastCase() cvd.CaseID {
	w.t.Helper()
	return cvd.NewCaseID(w.CasePrefix, w.clock.Now().Year(), 2)
}

var freshCode = regexp.MustCompile(`HELP [A-Z0-9-]+ ([0-9A-Z]{4}-[0-9A-Z]{4})`)

// answered sends unsigned lines and gives the answer, or nil where none came.
func (w *world) answered(id cvd.CaseID, text string) *mailtest.Opened {
	w.t.Helper()
	before := len(w.got("acme"))
	w.answers("acme", id, false, text)
	all := w.got("acme")
	if len(all) == before {
		return nil
	}
	return all[len(all)-1]
}

// A used code is dead; the answer echoes what was understood and brings a fresh
// one.
func TestS5_CodesAreUsedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	code := w.code("acme")
	typed := strings.ToLower(code)
	if strings.ContainsAny(code, "0123456789") { // eight letters without the hyphen are a word like any other
		typed = strings.Replace(typed, "-", "", 1)
	}
	a := w.answered(id, "STATUS "+strings.ToLower(string(id))+" affected 4.1-4.7 "+typed+"\n")
	if a == nil || w.who(id, "acme").Status().Word != "affected" || w.who(id, "acme").Status().Text != "4.1-4.7" {
		t.Fatalf("status %+v", w.who(id, "acme").Status())
	}
	if !strings.Contains(a.Text, "affected 4.1-4.7") {
		t.Errorf("the answer does not echo it:\n%s", a.Text)
	}
	m := freshCode.FindStringSubmatch(a.Text)
	if m == nil || m[1] == code {
		t.Fatalf("no fresh code:\n%s", a.Text)
	}
	fresh := m[1]
	if a := w.answered(id, "STATUS not-affected why "+code+"\n"); a == nil || !strings.Contains(a.Text, "not done") || w.who(id, "acme").Status().Word != "affected" {
		t.Error("a used code counts")
	}
	if a := w.answered(id, "STATUS investigating "+fresh+"\n"); a == nil || w.who(id, "acme").Status().Word != "investigating" {
		t.Error("the fresh code does not count")
	}
	// A command that cannot be done is answered, and changes nothing.
	acme := w.who(id, "acme")
	w.answers("acme", id, true, "ACCEPT v7\n")
	if p := w.who(id, "acme"); len(p.Acceptances) != len(acme.Acceptances) {
		t.Error("a version that does not exist was accepted")
	}
	if last := w.got("acme"); !strings.Contains(last[len(last)-1].Text, "not done") {
		t.Errorf("%s", last[len(last)-1].Text)
	}
}

// One reply may hold several commands with the one code that its notice
// printed on each line.
func TestS5_OneCodeForTheLinesOfOneMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	code := w.code("acme")
	a := w.answered(id, fmt.Sprintf("ACCEPT %[1]s v1 %[2]s\nSTATUS %[1]s investigating %[2]s\n", id, code))
	p := w.who(id, "acme")
	if a == nil || p.Accepted() != 1 || p.Status().Word != "investigating" {
		t.Fatalf("accepted v%d, status %+v", p.Accepted(), p.Status())
	}
	if w.answered(id, "STATUS affected 1 "+code+"\n"); w.who(id, "acme").Status().Word != "investigating" {
		t.Error("the code lives on")
	}
	for _, c := range p.Codes {
		if c.Used.IsZero() && c.Tries != 0 {
			t.Error("the second line counted as a wrong try")
		}
	}
}

// Five wrong tries kill a live code, four do not; a mail in clear, a quote and a
// line for another case try nothing.
func TestS5_FiveWrongTries(t *testing.T) {
	t.Parallel()
	for wrong, want := range map[int]bool{4: true, 5: false} {
		w := newWorld(t)
		id := w.started("acme")
		code := w.code("acme")
		w.arrives("psirt@acme.example", w.thread(id, "acme"), mailtest.Plain("psirt@acme.example", w.thread(id, "acme"), "x", "ACK AAAA-1111\n", w.clock.Now()))
		w.answers("acme", id, false, "> ACK AAAA-1111\n")
		w.answers("acme", id, false, "ACK PAR-2026-0099 "+code+"\n")
		for i := range wrong {
			w.answers("acme", id, false, fmt.Sprintf("ACK AAAA-111%d\n", i))
		}
		w.answers("acme", id, false, "ACK "+code+"\n")
		if got := w.who(id, "acme").Acknowledged != nil; got != want {
			t.Errorf("after %d wrong tries the code counts: %v", wrong, got)
		}
	}
}

// What is no command is a letter for a person.
func TestS5_NothingElseIsACommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	code := w.code("acme")
	before := w.who(id, "acme")
	var party cvd.Party
	for _, line := range []string{"MEMBERS ADD x@evil.example", "KEY CONFIRM", "case " + string(id), "release acme", "stage acme details now", "We thank you."} {
		if a := w.answered(id, line+" "+code+"\n"); a != nil {
			t.Errorf("%q was answered:\n%s", line, a.Text)
		}
		w.answers("acme", id, true, line+"\n")
	}
	w.view(func(tx *store.Tx) (err error) {
		party, err = PartyByID(tx, "acme")
		return err
	})
	after := w.who(id, "acme")
	if len(party.Members) != 0 || after.Acknowledged != nil || after.Reached != before.Reached || !after.Knows(code) {
		t.Errorf("%+v", after)
	}
	if n := w.countIn("INBOX", "acme wrote"); n != 1 {
		t.Errorf("%d tasks for a person, want one", n)
	}
}

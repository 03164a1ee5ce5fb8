package mailflow

import (
	"bytes"
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// The order of routing: the token, what the mail answers, the case named in the
// inner Subject where a participant of it signed, else Intake. An outer Subject
// alone never routes; where these disagree it is Quarantine (product.md section
// 2).
func TestRouting(t *testing.T) {
	t.Parallel()
	refers := func(name, id string) mailtest.Field { return mailtest.Field{Name: name, Value: "<" + id + ">"} }
	type try struct {
		from   string // acme where empty
		to     string // "", "acme", "globex": whose address; report@ where empty
		sign   bool
		inner  string // the Subject inside; THIS and OTHER are the cases
		outer  string // the Subject outside
		refers string // field: whose notice
		clear  bool
		where  string // "Vendor acme", "Quarantine", "Intake", …
		why    string
	}
	w := newWorld(t)
	w.person("stranger", "x@x.example")
	this := w.started("acme", "globex")
	other := w.caseWith("acme")
	fill := strings.NewReplacer("THIS", string(this), "OTHER", string(other))
	count := func() map[string]int {
		return map[string]int{
			"Quarantine": w.cameIn("Quarantine"), "Intake": w.cameIn("Intake"),
			"Vendor acme": w.cameIn(w.folderOf(this, "Vendor acme")), "Vendor globex": w.cameIn(w.folderOf(this, "Vendor globex")),
			"OTHER Vendor acme": w.cameIn(w.folderOf(other, "Vendor acme")),
		}
	}
	for name, c := range map[string]try{
		"token":                                  {to: "acme", sign: true, inner: "hello", where: "Vendor acme"},
		"token and its own notice":               {to: "acme", sign: true, inner: "hello", refers: "In-Reply-To acme", where: "Vendor acme"},
		"token and its own case":                 {to: "acme", sign: true, inner: "Re: [THIS]", where: "Vendor acme"},
		"token, and a CVE in the Subject":        {to: "acme", sign: true, inner: "Re: [THIS] CVE-2026-12345", where: "Vendor acme"},
		"token, and a case that is not ours":     {to: "acme", sign: true, inner: "Re: our case ACME-2026-0042", where: "Vendor acme"},
		"token, unsigned":                        {to: "acme", inner: "hello", where: "Vendor acme"},
		"token and another's notice":             {to: "acme", sign: true, inner: "hello", refers: "In-Reply-To globex", where: "Quarantine", why: "another thread"},
		"token and another's notice, References": {to: "acme", sign: true, inner: "hello", refers: "References globex", where: "Quarantine", why: "another thread"},
		"token and another case inside":          {to: "acme", sign: true, inner: "Re: [OTHER]", where: "Quarantine", why: "names another case"},
		"token and another case outside":         {to: "acme", sign: true, inner: "hello", outer: "[OTHER]", where: "Vendor acme"},
		"another's token":                        {to: "globex", sign: true, inner: "Re: [THIS]", where: "Quarantine", why: "somebody else"},
		"In-Reply-To":                            {sign: true, inner: "hello", refers: "In-Reply-To acme", where: "Vendor acme"},
		"References":                             {sign: true, inner: "hello", refers: "References acme", where: "Vendor acme"},
		"In-Reply-To and its own case":           {sign: true, inner: "[THIS]", refers: "In-Reply-To acme", where: "Vendor acme"},
		"In-Reply-To and another case of its":    {sign: true, inner: "[OTHER]", refers: "In-Reply-To acme", where: "Quarantine", why: "different threads"},
		"In-Reply-To, unsigned, from its own":    {inner: "hello", refers: "In-Reply-To acme", where: "Vendor acme"},
		"In-Reply-To, from somebody else":        {from: "stranger", sign: true, inner: "hello", refers: "In-Reply-To acme", where: "Intake"},
		"In-Reply-To, from another vendor":       {from: "globex", sign: true, inner: "hello", refers: "In-Reply-To acme", where: "Intake"},
		"In-Reply-To, in clear":                  {inner: "hello", refers: "In-Reply-To acme", clear: true, where: "Quarantine", why: "not encrypted"},
		"signed tag":                             {sign: true, inner: "Re: [THIS] hello", where: "Vendor acme"},
		"signed tag of another case of its":      {sign: true, inner: "Re: [OTHER] hello", where: "OTHER Vendor acme"},
		"both cases in the Subject":              {sign: true, inner: "[THIS] [OTHER]", where: "Quarantine", why: "different threads"},
		"unsigned tag":                           {inner: "Re: [THIS] hello", where: "Intake"},
		"tag signed by a stranger":               {from: "stranger", sign: true, inner: "Re: [THIS] hello", where: "Intake"},
		"tag of a case it takes no part in":      {from: "globex", sign: true, inner: "Re: [OTHER] hello", where: "Intake"},
		"tag outside only":                       {sign: true, inner: "hello", outer: "Re: [THIS] hello", where: "Intake"},
		"tag outside, in clear":                  {inner: "Re: [THIS] hello", clear: true, where: "Intake"},
		"a new report":                           {from: "stranger", sign: true, inner: "Heap overflow", where: "Intake"},
		"a vendor's new report":                  {sign: true, inner: "We found something else", where: "Intake"},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := w.people["acme"], reportTo
			if c.from != "" {
				from = w.people[c.from]
			}
			if c.to != "" {
				to = w.thread(this, cvd.PartyID(c.to))
			}
			var more []mailtest.Field
			if field, whose, ok := strings.Cut(c.refers, " "); ok {
				more = append(more, mailtest.Field{Name: "X-Other", Value: "<a@b>"}, refers(field, w.notice(this, cvd.PartyID(whose), cvd.HeadsUp).MessageID))
			}
			raw := w.seal(from, to, c.sign, mailtest.Entity(fill.Replace(c.inner), "text\n"), more...)
			if c.clear {
				raw = mailtest.Plain(from.Address, to, fill.Replace(c.inner), "text\n", w.clock.Now(), more...)
			}
			if c.outer != "" {
				raw = bytes.Replace(raw, []byte("Subject: ..."), []byte("Subject: "+fill.Replace(c.outer)), 1)
			}
			before := count()
			w.arrives(from.Address, to, raw)
			for folder, n := range count() {
				if want := map[bool]int{true: 1}[folder == c.where]; n-before[folder] != want {
					t.Errorf("%s got %d mails, want %d", folder, n-before[folder], want)
				}
			}
			if c.where == "Quarantine" && !strings.Contains(w.words(w.last("Quarantine")), c.why) {
				t.Errorf("the reason is not %q:\n%s", c.why, w.words(w.last("Quarantine")))
			}
		})
	}
}

// A reply to the mail that brought our key is a report like any other.
func TestRoutingAnswerToOurKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.person("finder", "someone@finder.example")
	w.arrives(f.Address, "report-key@vdp.example.org", mailtest.Plain(f.Address, "report-key@vdp.example.org", "key?", "", w.clock.Now()))
	w.settle()
	key := w.mails(f)
	if len(key) != 1 || key[0].Outer.Get("From") != reportTo {
		t.Fatalf("%d answers", len(key))
	}
	w.arrives(f.Address, reportTo, w.seal(f, reportTo, true, withKey(f, "Heap overflow", "x"), mailtest.Field{Name: "In-Reply-To", Value: key[0].Outer.Get("Message-ID")}))
	w.settle()
	w.one("Intake")
	if all := w.mails(f); len(all) != 2 || all[1].Clear {
		t.Errorf("%d answers; Quarantine %q", len(all), w.subjects("Quarantine"))
	}
	// An encrypted mail to the wrong address is not lost.
	w.arrives(f.Address, "report-key@vdp.example.org", w.seal(f, "report-key@vdp.example.org", true, withKey(f, "another", "y")))
	if n := len(w.filed("Intake")); n != 2 {
		t.Errorf("Intake holds %d mails", n)
	}
	w.sound()
}

// A bounce belongs to the delivery whose address it came to, changes nothing
// else, and an answer of a machine that is none is no bounce (rule M7).
func TestM7_Bounce(t *testing.T) {
	t.Parallel()
	dsn := func(to, action string) []byte {
		return []byte("From: MAILER-DAEMON@acme.example\r\nTo: " + to + "\r\nSubject: Undelivered Mail\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n" +
			"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" +
			"Reporting-MTA: dns; mx.acme.example\r\n\r\nFinal-Recipient: rfc822; psirt@acme.example\r\nAction: " + action + "\r\nStatus: 5.1.1\r\n\r\n--b--\r\n")
	}
	for name, c := range map[string]struct {
		raw  func(to string) []byte
		task bool
	}{
		"failed":    {func(to string) []byte { return dsn(to, "failed") }, true},
		"delayed":   {func(to string) []byte { return dsn(to, "delayed") }, false},
		"delivered": {func(to string) []byte { return dsn(to, "Delivered") }, false},
		"of an old server": {func(to string) []byte {
			return mailtest.Plain("MAILER-DAEMON@acme.example", to, "failure notice", "Hi.", storyStart)
		}, true},
		"of exim": {func(to string) []byte {
			return mailtest.Plain("Mailer-Daemon@acme.example", to, "failure", "Hi.", storyStart, mailtest.Field{Name: "Auto-Submitted", Value: "auto-replied"}, mailtest.Field{Name: "X-Failed-Recipients", Value: "psirt@acme.example"})
		}, true},
		"out of office": {func(to string) []byte {
			return mailtest.Plain("psirt@acme.example", to, "Out of office", "ACK", storyStart, mailtest.Field{Name: "Auto-Submitted", Value: "auto-replied"})
		}, false},
		"not a message": {func(string) []byte { return []byte("?") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.started("acme", "globex")
			before := w.who(id, "acme")
			to := w.sink.To("psirt@acme.example")[0].From
			sent := len(w.sink.Mails())
			raw := c.raw(to)
			w.arrives("", to, raw)
			w.settle()
			if n := w.countIn("INBOX", "Bounced"); n != map[bool]int{true: 1}[c.task] {
				t.Errorf("%d tasks: %q", n, w.subjects("INBOX"))
			}
			m := w.last("Status")
			if !bytes.Equal(w.kept(m), raw) || m.Case != string(id) || m.Scope != caseScope(id) {
				t.Errorf("it is not in Status: %q", w.subjects("Status"))
			}
			reached := map[bool]cvd.Stage{false: before.Reached}[c.task] // what came back told it nothing
			if p := w.who(id, "acme"); p.Acknowledged != nil || p.Reached != reached {
				t.Error("it counts")
			}
			if len(w.sink.Mails()) != sent || len(w.filed("Intake"))+len(w.filed("Quarantine")) != 0 {
				t.Error("it is answered, or a report")
			}
		})
	}
}

// A vendor that was asked in clear which key to use answers in clear: that is no
// leak, and its key is claimed until a person compared it.
func TestKeyAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := w.person("acme", "psirt@acme.example")
	w.do("vendor add acme " + acme.Address)
	id := w.caseWith("acme")
	w.do("case "+string(id), "start now")
	w.after(5 * w.Undo)
	asked := w.mails(acme)
	if len(asked) != 1 || !asked[0].Clear {
		t.Fatalf("acme has %d mails", len(asked))
	}
	answer := []mailtest.Field{{Name: "In-Reply-To", Value: asked[0].Outer.Get("Message-ID")}}
	raw := append([]byte("From: "+acme.Address+"\r\nIn-Reply-To: "+answer[0].Value+"\r\nMessage-ID: <k@acme.example>\r\n"), withKey(acme, "Re: which key", "This one.")...)
	w.arrives(acme.Address, reportTo, raw)
	w.settle()
	m := w.last("Keys")
	if text := w.words(m); !strings.Contains(text, "key confirm acme "+acme.Fingerprint()) {
		t.Errorf("%s", text)
	}
	if n := w.cameIn(w.folderOf(id, "Vendor acme")); n != 1 || len(w.filed("Quarantine")) != 0 || w.countIn("INBOX", "leak") != 0 {
		t.Errorf("its thread has %d mails; Quarantine %q", n, w.subjects("Quarantine"))
	}
	if len(w.mails(acme)) != 1 {
		t.Error("acme was written to with a key that is only claimed")
	}
	w.do("case "+string(id), "key confirm acme "+acme.Fingerprint()+` evidence "phone"`)
	w.after(w.Undo)
	if all := w.mails(acme); len(all) != 2 || all[1].Clear {
		t.Errorf("acme has %d mails", len(all))
	}
	if n := len(w.filed("Keys")); n != 0 {
		t.Errorf("Keys still asks: %q", w.subjects("Keys"))
	}
}

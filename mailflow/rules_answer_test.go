package mailflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// Whatever does not exist here is refused in the same words: an unknown, a
// wrong and a revoked token, a login, a party, a case, an address of the desk
// (rules M1, M2).
func TestM1_M2_UnknownAreAllAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	w.coordinator("ana")
	f := w.person("finder", "someone@finder.example")
	r := w.reported(f, "x", "y")
	live, gone := w.thread(id, "acme"), w.thread(id, "globex")
	bounce := w.sink.To("psirt@acme.example")[0].From
	w.do("case "+string(id), `withdraw globex because "not theirs"`)
	w.do("case "+string(id), "invite globex wave 1") // with another address

	check := func(rcpt string) error {
		return w.intake.CheckRcpt(context.Background(), Envelope{From: "x@x.example"}, rcpt)
	}
	for _, ok := range []string{live, strings.ToUpper(live), bounce, strings.ToUpper(bounce), w.ThreadAddress(r.Token), reportTo, "Report@VDP.Example.ORG",
		"report-key@vdp.example.org", "postmaster@vdp.example.org", "Postmaster", "abuse@vdp.example.org"} {
		if err := check(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	token := strings.TrimPrefix(strings.TrimSuffix(live, "@vdp.example.org"), "case+")
	var want string
	for _, rcpt := range []string{
		"nobody@vdp.example.org", gone, w.ThreadAddress(cvd.NewToken()), w.ThreadAddress(token[:len(token)-1]), w.ThreadAddress(token + "a"),
		w.ThreadAddress(flipped(token)), w.ThreadAddress(""), "case@vdp.example.org", "case+" + token + "@desk.vdp.example.org", "case+" + token + "@x.example",
		token + "@vdp.example.org", "bounce+" + token + "@vdp.example.org", strings.Replace(bounce, "bounce+", "case+", 1), "bounce+@vdp.example.org",
		"ana@vdp.example.org", "acme@vdp.example.org", "acme." + id.Lower() + "@vdp.example.org", id.Lower() + "@vdp.example.org", "finder@vdp.example.org",
		"ana@desk.vdp.example.org", "control@desk.vdp.example.org", "acme." + id.Lower() + "@desk.vdp.example.org", "report@desk.vdp.example.org",
		"report@x.example", "report", "", "@vdp.example.org", "case+" + strings.Repeat("a", 5000) + "@vdp.example.org", "report@vdp.example.org@x.example",
	} {
		err := check(rcpt)
		var reply *Reply
		if !errors.As(err, &reply) || reply.Code != 550 {
			t.Errorf("%.60s: %v", rcpt, err)
			continue
		}
		if want == "" {
			want = err.Error()
		}
		if err.Error() != want {
			t.Errorf("%.60s: %q, others %q", rcpt, err, want)
		}
	}
	if len(token) < 16 { // 80 bits in base32
		t.Errorf("a token of %d characters", len(token))
	}
}

// flipped changes the last character of a token.
func flipped(token string) string {
	last := "a"
	if strings.HasSuffix(token, "a") {
		last = "b"
	}
	return token[:len(token)-1] + last
}

// A mail to an address that ended after it was accepted is kept, sealed under
// its case, and answered by nobody.
func TestM1_RevokedAfterItWasAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	acme, to := w.people["acme"], w.thread(id, "acme")
	raw := w.seal(acme, to, true, mailtest.Entity("["+string(id)+"]", "ACK\n"))
	w.accepts(acme.Address, raw, to)
	w.do("case "+string(id), `withdraw acme because "not theirs"`)
	w.do("case "+string(id), "invite acme wave 1") // with another address
	before := len(w.sink.Mails())
	w.process()
	w.settle()
	m := w.quarantined(0, raw, noLongerValid)
	if m.Scope != caseScope(id) || w.who(id, "acme").Acknowledged != nil || len(w.sink.Mails()) != before {
		t.Errorf("scope %s, %d mails", m.Scope, len(w.sink.Mails())-before)
	}
}

// robots are mails that no person wrote, or that nobody is to answer.
func robots(from string) map[string][]mailtest.Field {
	return map[string][]mailtest.Field{
		"auto-replied":   {{Name: "Auto-Submitted", Value: "auto-replied"}},
		"auto-generated": {{Name: "Auto-Submitted", Value: "auto-generated"}},
		"list":           {{Name: "List-Id", Value: "<x.example>"}},
		"list post":      {{Name: "List-Post", Value: "<mailto:" + from + ">"}},
		"bulk":           {{Name: "Precedence", Value: "bulk"}},
		"junk":           {{Name: "Precedence", Value: "junk"}},
		"suppressed":     {{Name: "X-Auto-Response-Suppress", Value: "All"}},
		"vacation":       {{Name: "X-Autoreply", Value: "yes"}},
		"receipt":        {{Name: "Content-Type", Value: "multipart/report; report-type=disposition-notification; boundary=b"}},
		"bounce":         {{Name: "X-Failed-Recipients", Value: "x@x.example"}},
	}
}

// No robot, no null sender and none of ourselves is answered; all that came is
// kept (rules M3, M4).
func TestM4_RobotsGetNoAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	n := len(w.sink.Mails())
	kept, reports := 0, 0
	send := func(path, from, to string, more ...mailtest.Field) {
		w.arrives(path, to, mailtest.Plain(from, to, "canary", "hello", w.clock.Now(), more...))
		if kept++; to == reportTo {
			reports++
		}
	}
	addresses := []string{reportTo, "report-key@vdp.example.org", w.thread(id, "acme"), "postmaster@vdp.example.org"}
	for _, to := range addresses {
		for name, fields := range robots("x@x.example") {
			send(strings.ReplaceAll(name, " ", "")+"@x.example", strings.ReplaceAll(name, " ", "")+"@x.example", to, fields...)
		}
		send("", "null@x.example", to)
		send("MAILER-DAEMON@x.example", "x1@x.example", to)
		send("x2@x.example", "noreply@x.example", to)
		send("list-bounces@x.example", "x3@x.example", to)
		send("x4@x.example", "report@vdp.example.org", to)
		send("x5@x.example", w.thread(id, "acme"), to)
		send("x6@x.example", "ana@desk.vdp.example.org", to)
	}
	w.settle()
	if got := len(w.sink.Mails()) - n; got != 0 {
		for _, m := range w.sink.Mails()[n:] {
			t.Logf("to %s", m.To)
		}
		t.Errorf("%d answers", got)
	}
	if got := len(w.filed("Intake")); got != reports {
		t.Errorf("%d of %d reports are kept", got, reports)
	}
	if w.waiting() != 0 {
		t.Error("something waits")
	}
}

// Nothing that we answer by ourselves repeats a word of what came, not even
// the Subject, nor names the mail; it says that a program wrote it (rule M3, RFC
// 3834 section 5).
func TestM3_NothingIsQuoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	finder, asker := w.person("finder", "someone@finder.example"), w.person("asker", "someone@asker.example")
	canaries := []string{"canary", "kanarie"}
	more := []mailtest.Field{{Name: "Message-ID", Value: "<canary-id@x.example>"}, {Name: "References", Value: "<canary-ref@x.example>"}, {Name: "X-Canary", Value: "canary"},
		{Name: "Reply-To", Value: "canary@x.example"}, {Name: "Sender", Value: "canary@x.example"}, {Name: "Cc", Value: "canary@x.example"}}
	plain := func(from, to string) []byte {
		return bytes.Replace(mailtest.Plain(`"canary name" <`+from+`>`, to, "canarysubject", "canarytext", w.clock.Now(), more...), []byte("Message-ID: "), []byte("X-Old: "), 1)
	}
	n := len(w.sink.Mails())
	w.arrives(finder.Address, reportTo, plain(finder.Address, reportTo))
	w.arrives(asker.Address, "report-key@vdp.example.org", plain(asker.Address, "report-key@vdp.example.org"))
	to := w.thread(id, "acme")
	w.arrives("psirt@acme.example", to, plain("psirt@acme.example", to))
	w.arrives(finder.Address, reportTo, w.seal(finder, reportTo, true, withKey(finder, "canarysubject", "canarytext")))
	w.settle()
	sent := w.sink.Mails()[n:]
	if len(sent) != 4 {
		t.Fatalf("%d answers", len(sent))
	}
	for _, p := range []*mailtest.Person{finder, asker, w.people["acme"]} {
		for _, l := range w.mails(p) {
			if word := l.find(canaries); word != "" {
				t.Errorf("an answer to %s holds %q", p.Name, word)
			}
			auto := l.Outer.Get("Auto-Submitted")
			if id := l.Outer.Get("In-Reply-To") + l.Outer.Get("References"); id != "" {
				t.Errorf("an answer to %s refers to %s", p.Name, id)
			}
			if stage := strings.Contains(l.Subject, "Heads-up"); stage != (auto == "") || (!stage && auto != "auto-replied") {
				t.Errorf("Auto-Submitted %q of %q", auto, l.Subject)
			}
			if !strings.HasPrefix(l.From, "bounce+") {
				t.Errorf("envelope from %s", l.From)
			}
		}
	}
	if w.sink.To("canary@x.example") != nil {
		t.Error("an address in the mail was written to")
	}
}

// An answer to a command repeats it, and says that a program wrote it: what came back
// counts as not told, so that no line of a stage stands above the command, and a
// gateway that shares the number of the case would obey it, and answer (rule M4).
func TestM4_AnswersSayThatAProgramWrote(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	back := w.sink.To("psirt@acme.example")[0].From
	w.arrives("", back, dsn(back, "psirt@acme.example", "failed", 1))
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	all := w.mails(w.people["acme"])
	answer := all[len(all)-1]
	if !slices.ContainsFunc(commandLines(answer.Text), func(l string) bool { return strings.HasPrefix(l, "ACCEPT "+string(id)) }) {
		t.Fatalf("it answers:\n%s", answer.Text)
	}
	for what, head := range map[string]string{"outer": string(answer.Raw), "inner": string(answer.Inner)} {
		if head, _, _ = strings.Cut(head, "\r\n\r\n"); !strings.Contains(head, "\r\nAuto-Submitted: auto-replied") {
			t.Errorf("the %s header:\n%s", what, head)
		}
	}
}

// A mail that cannot be delivered back is no reason for another one.
func TestM3_NoReportAboutAReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sink.Refuse("someone@finder.example", 550)
	w.arrives("someone@finder.example", reportTo, mailtest.Plain("someone@finder.example", reportTo, "x", "y", w.clock.Now()))
	w.after(2 * time.Hour)
	if n := len(w.sink.Mails()); n != 0 {
		t.Errorf("%d mails left", n)
	}
}

// An address gets one answer a day for mail that nothing vouches for, and each
// report its receipt, within a budget.
func TestM4_OnceADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	to := w.thread(id, "acme")
	count := func(addr string) int { return len(w.sink.To(addr)) }
	clear := func(i int) {
		w.arrives("psirt@acme.example", to, mailtest.Plain("psirt@acme.example", to, fmt.Sprint(i), "in clear", w.clock.Now()))
		w.arrives("jo@asker.example", "report-key@vdp.example.org", mailtest.Plain("Jo@Asker.example", "report-key@vdp.example.org", fmt.Sprint(i), "key?", w.clock.Now()))
		w.settle()
	}
	for i := range 5 {
		clear(i)
		w.clock.Advance(time.Hour)
	}
	if count("psirt@acme.example") != 2 || count("jo@asker.example") != 1 {
		t.Fatalf("acme was answered %d times, jo %d", count("psirt@acme.example")-1, count("jo@asker.example"))
	}
	if n := len(w.filed("Quarantine")); n != 5 {
		t.Errorf("Quarantine holds %d mails", n)
	}
	if n := w.countIn("INBOX", "Was it a leak?"); n != 1 {
		t.Errorf("%d questions whether it was a leak", n)
	}
	w.after(20 * time.Hour)
	clear(9)
	if count("psirt@acme.example") != 3 || count("jo@asker.example") != 2 {
		t.Errorf("after a day: acme %d, jo %d", count("psirt@acme.example")-1, count("jo@asker.example"))
	}
	for i := range reportAnswers + 5 {
		w.arrives("a@x.example", reportTo, mailtest.Plain("a@x.example", reportTo, fmt.Sprint(i), "report", w.clock.Now()))
	}
	w.settle()
	if count("a@x.example") != reportAnswers || len(w.filed("Intake")) != reportAnswers+5 {
		t.Errorf("%d receipts for %d reports", count("a@x.example"), len(w.filed("Intake")))
	}
}

// Two gateways that face each other stop, whoever made them talk.
func TestM4_TwoGateways(t *testing.T) {
	t.Parallel()
	a, b := newWorld(t), newWorld(t)
	b.Domain, b.DeskDomain = "b.example", "desk.b.example"
	bReport, bKey := "report@b.example", "report-key@b.example"
	// somebody writes to each in the name of the other
	a.arrives("x@x.example", reportTo, mailtest.Plain(bReport, reportTo, "x", "y", a.clock.Now()))
	a.arrives("x@x.example", "report-key@vdp.example.org", mailtest.Plain(bKey, "report-key@vdp.example.org", "x", "y", a.clock.Now()))
	b.arrives("x@x.example", bReport, mailtest.Plain(reportTo, bReport, "x", "y", a.clock.Now()))
	b.arrives("x@x.example", bKey, mailtest.Plain("report-key@vdp.example.org", bKey, "x", "y", a.clock.Now()))
	// and each has the other as a vendor of a case
	for _, w := range []*world{a, b} {
		other := map[*world]*world{a: b, b: a}[w]
		id := w.caseWith()
		addr := "report@" + other.Domain
		w.do("vendor add peer " + addr)
		cert := other.signer().Certificate()
		w.update(func(tx *store.Tx) error {
			return w.addKey(tx, "peer", keyring.Pinned{Fingerprint: cert.Fingerprint(), Trust: keyring.Confirmed, Address: addr, Cert: cert.Bytes()})
		})
		w.do("case "+string(id), "invite peer wave 1", "start now")
	}
	sent := func() int { return len(a.sink.Mails()) + len(b.sink.Mails()) }
	seen := map[*world]int{}
	for round := range 12 {
		before := sent()
		for _, w := range []*world{a, b} {
			w.clock.Advance(10 * time.Minute)
			w.settle()
		}
		for _, w := range []*world{a, b} {
			other := map[*world]*world{a: b, b: a}[w]
			mails := w.sink.Mails()
			for _, m := range mails[seen[w]:] {
				if err := other.intake.CheckRcpt(t.Context(), Envelope{From: m.From}, m.To); err == nil {
					other.accepts(m.From, m.Raw, m.To)
				}
			}
			seen[w] = len(mails)
			other.process()
		}
		if round > 3 && sent() != before {
			t.Fatalf("they still talk in round %d: %d mails", round, sent())
		}
	}
	// 4 answers to the forged mails, 2 heads-ups, and a receipt for each of those
	if n := sent(); n > 8 {
		t.Errorf("they exchanged %d mails", n)
	}
}

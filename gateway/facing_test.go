package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// Two whole gateways, each a vendor of the other's case and each the other's
// smarthost, tell each other their notices; then somebody writes to each address of
// each in the name of each address of the other, and mail servers report about
// deliveries that did and did not fail. Every mail that a person could have written
// is answered once at most, no answer is answered, no refusal or report brings a mail
// about, and no plan changes (rules M3, M4, M7).
func TestM4_M7_TwoGatewaysFacing(t *testing.T) {
	t.Parallel()
	a, b := newFacing(t)
	both := []*facingGateway{a, b}
	for _, g := range both {
		g.opens()
	}
	for _, g := range both {
		g.starts()
	}
	pass(a, b, 5*time.Minute)
	pass(a, b, 5*time.Minute)
	// of each three notices: one is answered by a receipt, one is a letter, one is refused
	for _, g := range both {
		checkNotices(t, g)
	}
	for _, scene := range []struct {
		name string
		act  func(g *facingGateway) int
	}{{"forged mails", forgesMails}, {"machines", answersByMachines}, {"reports", reportsDeliveries}, {"hops", goesInCircles},
		{"a program that signs", func(g *facingGateway) int { g.hearsAccept([2]string{"Auto-Submitted", "auto-replied"}); return 0 }}} {
		before, plans := crossed(a, b), [][]string{a.plan(), b.plan()}
		most := 0
		for _, g := range both {
			most += scene.act(g)
		}
		rested(a, b)
		pass(a, b, time.Hour)
		answers := crossed(a, b) - before
		if answers > most || most > 0 && answers == 0 {
			t.Errorf("%s: %d mails crossed, at most %d may", scene.name, answers, most)
		}
		samePlans(t, scene.name, both, plans)
		t.Logf("%s: %d mails crossed, at most %d may", scene.name, answers, most)
	}
	accepts(t, a, b)
	for _, g := range both {
		checkAnswers(t, g)
	}
	stops(t, a, b)
}

// accepts is what may change a plan: a signed word. It is answered once.
func accepts(t *testing.T, a, b *facingGateway) {
	t.Helper()
	before := crossed(a, b)
	for _, g := range []*facingGateway{a, b} {
		g.hearsAccept()
		g.rests()
		if i := slices.IndexFunc(g.participants(), func(p cvd.Participant) bool { return p.Party == atThread && p.Accepted() == 1 }); i < 0 {
			t.Errorf("%s: a signed word does not count", g.domain)
		}
	}
	rested(a, b)
	if n := crossed(a, b) - before; n != 2 {
		t.Errorf("two who accept bring %d mails about", n)
	}
}

// samePlans wants that nothing has changed by which something leaves, or counts.
func samePlans(t *testing.T, what string, both []*facingGateway, before [][]string) {
	t.Helper()
	for i, g := range both {
		if after := g.plan(); !slices.Equal(after, before[i]) {
			t.Errorf("%s: the plan of %s changed:\n%s\nwas\n%s", what, g.domain, strings.Join(after, "\n"), strings.Join(before[i], "\n"))
		}
	}
}

// checkNotices: each vendor was told once, and what its server refused counts as not
// told.
func checkNotices(t *testing.T, g *facingGateway) {
	t.Helper()
	sent := map[string]cvd.NoticeState{atReport: cvd.Sent, atThread: cvd.Sent, atNowhere: cvd.Failed}
	for vendor, want := range sent {
		i := slices.IndexFunc(g.notices()[cvd.PartyID(vendor)], func(n cvd.Notice) bool { return n.Stage == cvd.HeadsUp && n.State == want })
		if i < 0 {
			t.Errorf("%s: the notice to %s is not %s: %+v", g.domain, vendor, want, g.notices()[cvd.PartyID(vendor)])
		}
	}
	auto, plain := 0, 0
	for _, m := range g.wire.mails() {
		if field(m.Raw, "Auto-Submitted") == "" {
			plain++
		} else {
			auto++
		}
	}
	if plain != 2 || auto != 1 {
		t.Errorf("%s sent %d notices and %d answers", g.domain, plain, auto)
	}
}

// addresses are all at which a gateway takes mail: the fixed ones, of two threads and
// of two deliveries.
func (g *facingGateway) addresses() []string {
	g.Helper()
	return []string{g.at("report"), g.at("report-key"), g.at("postmaster"), g.at("abuse"), g.thread(atReport), g.thread(atThread),
		g.back(g.other.at("report")), g.back(g.other.thread(atThread))}
}

const facingLines = "ACK\nACCEPT v1\nDECLINE\nPROPOSE 2031-01-02\nREQUEST proof\n"

// forgesMails writes to each address in the name of each of the other gateway, as a
// person does, in clear, and says how many answers there may be: whoever reports, or
// asks for the key, gets one, and each vendor one a day at its own address.
func forgesMails(g *facingGateway) int {
	g.Helper()
	from := g.other.addresses()
	for _, from := range from {
		for _, to := range g.addresses() {
			g.must(g.tell(from, to, mailtest.Plain(from, to, "Re", facingLines, g.time.Now())))
		}
	}
	return 2*len(from) + 2
}

// answersByMachines is the same by programs that say so, each in another way: none
// is answered.
func answersByMachines(g *facingGateway) int {
	g.Helper()
	marks := []mailtest.Field{{Name: "Auto-Submitted", Value: "auto-replied"}, {Name: "Auto-Submitted", Value: "auto-generated"}, {Name: "Precedence", Value: "bulk"},
		{Name: "X-Auto-Response-Suppress", Value: "All"}, {Name: "List-Id", Value: "<x.example>"}}
	for i, from := range g.other.addresses() {
		for _, to := range g.addresses() {
			g.must(g.tell(from, to, mailtest.Plain(from, to, "Out of office", facingLines, g.time.Now(), marks[i%len(marks)])))
			g.must(g.tell("", to, mailtest.Plain(from, to, "Away", facingLines, g.time.Now())))
		}
	}
	return 0
}

// reportsDeliveries lets a mail server say to each address, from no address and in
// the name of each of the other, that a mail came back. Only what came to the address
// of that delivery counts, and that for the state of the delivery alone.
func reportsDeliveries(g *facingGateway) int {
	g.Helper()
	n := 0
	for _, from := range append(g.other.addresses(), "") {
		for _, to := range g.addresses() {
			n++
			g.must(g.tell(from, to, facingReport(from, to, g.other.at("report"), n)))
		}
	}
	g.rests()
	for _, n := range g.notices()[atReport] {
		if n.Kind == cvd.KindStage && n.Stage == cvd.HeadsUp && n.Bounced.IsZero() {
			g.Errorf("%s: a delivery came back, and does not say so", g.domain)
		}
	}
	return 0
}

// facingReport is what a mail server says of a delivery (RFC 3464).
func facingReport(from, to, about string, n int) []byte {
	if from == "" {
		from = "MAILER-DAEMON@mx.example"
	}
	return fmt.Appendf(nil, "From: %s\r\nTo: %s\r\nSubject: Undelivered\r\nMessage-ID: <%d@mx.example>\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"+
		"Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; %s\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n", from, to, n, about)
}

// goesInCircles sends what has gone round for long: with too many hops (rule P3) it is
// refused in the dialogue, and nobody writes a report about that.
func goesInCircles(g *facingGateway) int {
	g.Helper()
	from, to := g.other.at("report"), g.at("report")
	raw := mailtest.Plain("", to, "Round", "and round", g.time.Now())
	hop := []byte("Received: from mx.example by mx.example; Mon, 2 Jan 2006 15:04:05 +0000\r\n")
	for hops, taken := range map[int]bool{99: true, 100: true, 101: false, 1000: false} {
		err := g.tell(from, to, append(bytes.Repeat(hop, hops), raw...))
		var no *mailtest.Refused
		if refused := errors.As(err, &no) && no.Code == 554 && no.Enhanced == [3]int{5, 4, 6}; taken && err != nil || !taken && !refused {
			g.Errorf("%s: after %d hops: %v", g.domain, hops, err)
		}
	}
	return 0
}

// checkAnswers: all that left is a notice or says that a program wrote it, comes back
// to an address of its own, and repeats no word of what it answers.
func checkAnswers(t *testing.T, g *facingGateway) {
	t.Helper()
	backs, notices := map[string]bool{}, 0
	for _, m := range g.wire.mails() {
		switch auto := field(m.Raw, "Auto-Submitted"); auto {
		case "":
			notices++
		case "auto-replied":
		default:
			t.Errorf("%s: Auto-Submitted is %q", g.domain, auto)
		}
		if !strings.HasPrefix(m.From, "bounce+") || !strings.HasSuffix(m.From, "@"+g.domain) || backs[m.From] {
			t.Errorf("%s: a mail comes back to %q", g.domain, m.From)
		}
		if backs[m.From] = true; bytes.Contains(m.Raw, []byte("PROPOSE 2031")) || field(m.Raw, "Subject") == "Re" {
			t.Errorf("%s: it quotes what it answers:\n%s", g.domain, m.Raw)
		}
	}
	if notices != 2 {
		t.Errorf("%s: %d mails do not say that a program wrote them", g.domain, notices)
	}
}

// stops lets days pass, on which new answers would be allowed, and wants silence.
func stops(t *testing.T, a, b *facingGateway) {
	t.Helper()
	before, plans := crossed(a, b), [][]string{a.plan(), b.plan()}
	for range 10 {
		pass(a, b, 12*time.Hour)
	}
	if n := crossed(a, b) - before; n != 0 {
		t.Errorf("%d more mails crossed in five days", n)
	}
	samePlans(t, "five days", []*facingGateway{a, b}, plans)
	t.Logf("%d mails crossed in all", crossed(a, b))
}

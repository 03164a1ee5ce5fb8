package mailflow

import (
	"strings"
	"testing"
)

// FuzzRecipients asks for any address at a gateway with two threads, one of which has
// ended, and a delivery. LIVE, GONE and BACK stand for their tokens, which nobody could
// guess. What is taken is one of ours, letter by letter but for the case of ASCII, and
// leads to the token that stands in it; all else is refused in the one way.
func FuzzRecipients(f *testing.F) {
	for _, local := range []string{"report", "REPORT-KEY", "report-\u212aey", "postmaster", "abu\u017fe", "case+LIVE", "CASE+LIVE", "case+GONE", "bounce+BACK", "case+BACK", "bounce+LIVE",
		"case+", "case+LIVEa", "case+LIVE+x", "case-LIVE", "bounce+bounce+BACK", " case+LIVE", "\"case+LIVE\"", "case+LIVE\x00", "@case+LIVE", "LIVE", "acme.par-2026-0001"} {
		for _, domain := range []string{"@vdp.example.org", "@VDP.EXAMPLE.ORG", "@desk.vdp.example.org", "@vdp.example.org.", "@vdp.example.org@x.example", "@x.example@vdp.example.org", "", "@"} {
			f.Add(local + domain)
		}
	}
	w := newWorld(f)
	id := w.started("acme", "globex")
	ours := map[string]string{} // the tokens by their addresses
	for _, local := range []string{localReport, localReportKey, localPost, localAbuse} {
		ours[local+"@"+w.Domain] = ""
	}
	ours[localPost] = ""
	token := func(addr string) string {
		_, rest, _ := strings.Cut(addr, "+")
		name, _, _ := strings.Cut(rest, "@")
		return name
	}
	live, gone, back := w.thread(id, "acme"), w.thread(id, "globex"), w.sink.To("psirt@acme.example")[0].From
	ours[live], ours[back] = token(live), token(back)
	w.do("case "+string(id), `withdraw globex because "not theirs"`, "invite globex wave 1") // with another address
	names := strings.NewReplacer("LIVE", token(live), "GONE", token(gone), "BACK", token(back))
	f.Fuzz(func(t *testing.T, rcpt string) {
		rcpt = names.Replace(rcpt)
		err := w.intake.CheckRcpt(t.Context(), Envelope{From: "x@x.example"}, rcpt)
		want, known := ours[asciiLower(rcpt)]
		if known != (err == nil) || err != nil && err != error(replyNoMailbox) {
			t.Fatalf("%q: %v", rcpt, err)
		}
		local, ourDomain := w.intake.localPart(rcpt)
		kind, got := splitLocal(local)
		if known && (!ourDomain || kind != "" && got != want) {
			t.Errorf("%q is %q, %q", rcpt, kind, got)
		}
	})
}

// asciiLower is what RFC 5321 section 2.4 and DNS hold for the same, and no more.
func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

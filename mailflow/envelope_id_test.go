package mailflow

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"parley/mailflow/cvd"
)

// An identifier of an envelope is different on each mail, and says nothing: no case, no party, not the token, and not
// that two are of one case or to one vendor.
func TestV2_EnvelopeID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	w.answers("acme", id, true, "ACCEPT v1\n")
	w.settle()
	form, seen := regexp.MustCompile("^[a-z2-7]{24}$"), map[string]string{}
	for _, m := range w.sink.Mails() {
		token := strings.TrimSuffix(strings.TrimPrefix(m.From, "bounce+"), "@"+w.Domain)
		if !form.MatchString(m.EnvelopeID) || m.Return != "HDRS" || m.Notify != "FAILURE,DELAY" {
			t.Errorf("mail to %s: ENVID %q RET %q NOTIFY %q", m.To, m.EnvelopeID, m.Return, m.Notify)
		}
		if before, twice := seen[m.EnvelopeID]; twice {
			t.Errorf("mails to %s and %s have one identifier", before, m.To)
		}
		seen[m.EnvelopeID] = m.To
		for part := range len(token) - 7 {
			if strings.Contains(m.EnvelopeID, token[part:part+8]) {
				t.Error("it holds a part of the token")
			}
		}
		if strings.Contains(string(m.Raw), m.EnvelopeID) {
			t.Error("it stands in the mail as well")
		}
	}
	if len(seen) < 3 {
		t.Fatalf("%d mails left", len(seen))
	}
}

// reportOn is a report of a server about a mail of ours, under an identifier where there is one.
func reportOn(to, envelope string) []byte {
	if envelope != "" {
		envelope = "Original-Envelope-Id: " + envelope + "\r\n"
	}
	return []byte("From: MAILER-DAEMON@acme.example\r\nTo: " + to + "\r\nSubject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" +
		"Reporting-MTA: dns; mx.acme.example\r\n" + envelope + "\r\nFinal-Recipient: rfc822; psirt@acme.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n")
}

// The address of a bounce authenticates it, and the identifier can only take away from that: a report with another one changes
// nothing and is a task for a person, once however many come; the identifier at any other address of ours is nothing.
func TestM7_EnvelopeID(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		to, id  func(acme, globex string) string // of the reverse-paths
		bounced bool
		task    string
	}{
		"its own":            {first, func(a, _ string) string { return envelopeID(tokenIn(a)) }, true, "Bounced"},
		"in capitals":        {first, func(a, _ string) string { return strings.ToUpper(envelopeID(tokenIn(a))) }, true, "Bounced"},
		"none":               {first, func(_, _ string) string { return "" }, true, "Bounced"},
		"of another mail":    {first, func(_, g string) string { return envelopeID(tokenIn(g)) }, false, "Report about another mail"},
		"made up":            {first, func(_, _ string) string { return "xyz" }, false, "Report about another mail"},
		"at another address": {func(_, _ string) string { return "postmaster@vdp.example.org" }, func(a, _ string) string { return envelopeID(tokenIn(a)) }, false, ""},
		"as a report":        {func(_, _ string) string { return reportTo }, func(a, _ string) string { return envelopeID(tokenIn(a)) }, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.started("acme", "globex")
			acme, globex := w.sink.To("psirt@acme.example")[0].From, w.sink.To("psirt@globex.example")[0].From
			to := c.to(acme, globex)
			for i := range 3 {
				w.arrives("", to, append(fmt.Appendf(nil, "Received: by mx%d.acme.example\r\n", i), reportOn(to, c.id(acme, globex))...))
				w.settle()
			}
			if n := w.notice(id, "acme", cvd.HeadsUp); n.Bounced.IsZero() == c.bounced {
				t.Errorf("it bounced: %v", n.Bounced)
			}
			if reached := w.who(id, "acme").Reached; (reached == "") != c.bounced {
				t.Errorf("acme was told %q", reached)
			}
			if n := w.countIn("INBOX", "Bounced") + w.countIn("INBOX", "Report about another mail"); c.task == "" && n != 0 || c.task != "" && (n != 1 || w.countIn("INBOX", c.task) != 1) {
				t.Errorf("tasks %q", w.subjects("INBOX"))
			}
			w.sound()
		})
	}
}

func first(acme, _ string) string { return acme }

func tokenIn(from string) string {
	return strings.TrimSuffix(strings.TrimPrefix(from, "bounce+"), "@vdp.example.org")
}

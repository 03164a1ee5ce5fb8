package message

import "testing"

func TestM4_AutomaticReason(t *testing.T) {
	t.Parallel()
	tests := []struct{ path, fields, want string }{
		{"ana@x.example", "From: ana@x.example\nSubject: Heap overflow", ""},
		{"<ana@x.example>", "Subject: Re: Automatic reply feature leaks memory: details\nAuto-Submitted: no\nPrecedence: first-class", ""},
		{"ana@x.example", "Subject: Automatic replies reveal addresses", ""},
		{"ana@x.example", "X-Auto-Response-Suppress: DR, RN, NRN\nSubject: x", ""},
		{"ana@x.example", "Content-Type: text/calendar; method=REQUEST", ""},
		{"ana@x.example", "X-Autoreply: no", ""},
		{"", "From: ana@x.example", "null sender"},
		{"<>", "From: ana@x.example", "null sender"},
		{"MAILER-DAEMON@x.example", "From: x@y", "mailer-daemon"},
		{"ana@x.example", "From: Mail Delivery <mailer-daemon@x.example>", "mailer-daemon"},
		{"no-reply@x.example", "", "no-reply address"},
		{"ana@x.example", "From: Do.Not_Reply@x.example", "no-reply address"},
		{"list-bounces+ana=x.example@l.example", "", "mailing list"},
		{"owner-list@l.example", "", "mailing list"},
		{"list-request@l.example", "", "mailing list"},
		{"a@x", "Auto-Submitted: auto-replied (vacation)", "auto-submitted"},
		{"a@x", "auto-submitted: Auto-Generated; owner-email=\"b@x\"", "auto-submitted"},
		{"a@x", "List-Id: <dev.l.example>", "mailing list"},
		{"a@x", "List-Unsubscribe: <mailto:x@y>", "mailing list"},
		{"a@x", "X-BeenThere: dev@l.example", "mailing list"},
		{"a@x", "Precedence: Bulk", "precedence bulk"},
		{"a@x", "Precedence: junk", "precedence junk"},
		{"a@x", "Precedence: list (really)", "precedence list"},
		{"a@x", "X-Auto-Response-Suppress: DR, OOF, AutoReply", "auto-response suppressed"},
		{"a@x", "X-Auto-Response-Suppress: All", "auto-response suppressed"},
		{"a@x", "X-Autoreply: yes", "automatic reply"},
		{"a@x", "Subject: Out of Office: Re: report", "out of office"},
		{"a@x", "Subject: =?utf-8?Q?R=C3=A9ponse_automatique_=3A_x?=", "out of office"},
		{"a@x", "Subject: Automatische Antwort: x", "out of office"},
		{"a@x", "Subject: Vacation reply", "out of office"},
		{"a@x", "Content-Type: multipart/report; report-type=delivery-status; boundary=b", "delivery report"},
		{"a@x", "Content-Type: multipart/report; report-type=\"disposition-notification\"; boundary=b", "read receipt"},
		{"a@x", "Content-Type: multipart/report; report-type=feedback-report; boundary=b", "report"},
		{"a@x", "Content-Type: text/calendar; charset=utf-8; method=REPLY", "calendar reply"},
		{"a@x", "Content-class: urn:content-classes:calendarmessage", "calendar reply"},
		{"a@x", "X-Failed-Recipients: b@y", "delivery report"},
	}
	for _, tt := range tests {
		h := Header{crlf(tt.fields + "\n")}
		if got := AutomaticReason(h, tt.path); got != tt.want {
			t.Errorf("%q %q: %q, want %q", tt.path, tt.fields, got, tt.want)
		}
	}
}

func TestM4_AutomaticInsideTheMessage(t *testing.T) {
	t.Parallel()
	outlook := crlf("Subject: Accepted: call\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nok\n--b\nContent-Type: text/calendar; method=REPLY\n\nBEGIN:VCALENDAR\n--b--\n")
	if got := parse(t, outlook).Automatic("ana@x.example"); got != "calendar reply" {
		t.Errorf("an answer to an invitation is %q", got)
	}
	forwarded := crlf("Subject: a bounce I got\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nlook\n--b\nContent-Type: message/rfc822\n\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=c\n\n--c\nContent-Type: message/delivery-status\n\nx: y\n--c--\n--b--\n")
	if got := parse(t, forwarded).Automatic("ana@x.example"); got != "" {
		t.Errorf("a person who forwards a bounce is %q", got)
	}
}

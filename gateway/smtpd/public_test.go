package smtpd_test

import (
	"strings"
	"testing"

	"parley/mailflow"
)

func TestPublicDialogue(t *testing.T) {
	t.Parallel()
	f := &flow{}
	addr, _ := serve(t, config(f))
	dial(t, addr).talk(`
	S: 220 vdp.example.org ESMTP Service Ready
	C: EHLO peer.example
	S: 250-Hello peer.example|250-PIPELINING|250-8BITMIME|250-ENHANCEDSTATUSCODES|250-SIZE 1048576|250 LIMITS RCPTMAX=100
	C: MAIL FROM:<finder@peer.example> SIZE=100 BODY=8BITMIME
	S: 250 *
	C: RCPT TO:<report@vdp.example.org>
	S: 250 *
	C: RCPT TO:<case+live@VDP.example.org>
	S: 250 *
	C: DATA
	S: 354 *
	C: Subject: one
	C: 
	C: ..dot
	C: .
	S: 250 2.0.0 kept
	C: MAIL FROM:<>
	C: RCPT TO:<report@vdp.example.org>
	C: DATA
	S: 250 *
	S: 250 *
	S: 354 *
	C: two
	C: .
	C: QUIT
	S: 250 2.0.0 kept
	S: 221 *
	S: EOF`)
	got := f.got()
	if len(got) != 2 {
		t.Fatalf("%d mails", len(got))
	}
	one := got[0]
	if one.From != "finder@peer.example" || len(one.To) != 2 || one.To[1] != "case+live@VDP.example.org" ||
		one.Remote != "127.0.0.1" || one.Hello != "peer.example" || one.TLS || one.Login != "" {
		t.Errorf("envelope: %+v", one.Envelope)
	}
	if one.Text != "Subject: one\r\n\r\n.dot\r\n" {
		t.Errorf("text: %q", one.Text)
	}
	if got[1].From != "" || len(got[1].To) != 1 || got[1].Text != "two\r\n" {
		t.Errorf("from nobody: %+v", got[1])
	}
}

func TestPublicRepliesInAllOrders(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, config(&flow{}))
	dial(t, addr).talk(`
	S: 220 *
	C: MAIL FROM:<a@peer.example>
	S: 503 5.5.1 EHLO first
	C: AUTH PLAIN AGFuYQBzZWNyZXQ=
	S: 503 5.5.1 EHLO first
	C: EHLO
	S: 501 *
	C: MAIL FROM:<a@peer.example>
	S: 503 5.5.1 EHLO first
	C: HELO peer.example
	S: 250 *
	C: RCPT TO:<report@vdp.example.org>
	S: 503 *
	C: DATA
	S: 503 *
	C: MAIL FROM:<a@peer.example>
	S: 250 *
	C: DATA
	S: 503 *
	C: RCPT TO:<nobody@vdp.example.org>
	S: 550 *
	C: DATA
	S: 503 *
	C: RCPT TO:<report@vdp.example.org>
	S: 250 *
	C: RSET
	S: 250 *
	C: DATA
	S: 503 *
	C: MAIL FROM:<jürgen@peer.example>
	S: 553 5.1.7 *
	C: NOOP
	S: 250 *
	C: QUIT
	S: 221 *
	S: EOF`)
}

// A1: whatever a client says, the public port takes no password.
func TestA1_NoAuthOnThePublicPort(t *testing.T) {
	t.Parallel()
	c := config(&flow{})
	c.TLS, _ = certificate(t)
	addr, _ := serve(t, c)
	dial(t, addr).talk(`
	S: 220 *
	C: EHLO peer.example
	S: 250-Hello peer.example|250-PIPELINING|250-8BITMIME|250-ENHANCEDSTATUSCODES|250-STARTTLS|250-SIZE 1048576|250 LIMITS RCPTMAX=100
	C: AUTH PLAIN AGFuYQBzZWNyZXQ=
	S: 504 *
	C: AUTH LOGIN
	S: 504 *
	C: AUTH
	S: 501 *
	C: STARTTLS
	S: 220 *
	TLS
	C: EHLO peer.example
	S: 250-Hello peer.example|250-PIPELINING|250-8BITMIME|250-ENHANCEDSTATUSCODES|250-SIZE 1048576|250 LIMITS RCPTMAX=100
	C: AUTH PLAIN AGFuYQBzZWNyZXQ=
	S: 504 *
	C: QUIT
	S: 221 *
	S: EOF`)
}

// M1: all that does not exist here is refused before DATA in the same words.
func TestM1_UnknownRecipientsLookTheSame(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, config(&flow{}))
	p := dial(t, addr)
	p.talk(greet + `
	C: MAIL FROM:<a@peer.example>
	S: 250 *`)
	for _, rcpt := range []string{
		"nobody@vdp.example.org", "case+wrong@vdp.example.org", "case+revoked@vdp.example.org", "case+@vdp.example.org",
		"acme.par-2026-0007@desk.vdp.example.org", "report@elsewhere.example", `"report@vdp.example.org"@elsewhere.example`,
		`"re port"@vdp.example.org`, "bounce+x@vdp.example.org", "jürgen@vdp.example.org",
	} {
		p.talk("C: RCPT TO:<" + rcpt + ">\nS: 550 5.1.1 No such mailbox here")
	}
	p.talk("C: DATA\nS: 503 *")
}

func TestM2_VrfyAndExpnSayNothing(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, config(&flow{}))
	p := dial(t, addr)
	p.talk(greet)
	for _, who := range []string{"report@vdp.example.org", "nobody@vdp.example.org", "ana"} {
		p.talk("C: VRFY " + who + "\nS: 252 2.5.0 Cannot VRFY user, but will accept message")
		p.talk("C: EXPN " + who + "\nS: 502 5.5.1 EXPN command not implemented")
	}
}

// H6, M2: an error of the flow never reaches the client, a Reply wrapped in one does.
func TestM2_ErrorsStayInside(t *testing.T) {
	t.Parallel()
	f := &flow{refuse: &mailflow.Reply{Code: 250, Text: "the case of acme"}}
	addr, _ := serve(t, config(f))
	dial(t, addr).talk(greet + `
	C: MAIL FROM:<a@peer.example>
	S: 250 *
	C: RCPT TO:<broken@vdp.example.org>
	S: 451 4.3.0 Not possible now, try again later
	C: RCPT TO:<wrapped@vdp.example.org>
	S: 452 4.3.1 No room now, try again later
	C: RCPT TO:<report@vdp.example.org>
	S: 250 *
	C: DATA
	S: 354 *
	C: .
	S: 451 4.3.0 Not possible now, try again later
	C: MAIL FROM:<a@peer.example>
	S: 250 *
	C: RCPT TO:<panic@vdp.example.org>
	S: 421 4.0.0 Internal server error
	S: EOF`)
	honestAfter(t, f, addr)
}

func honestAfter(t *testing.T, f *flow, addr string) {
	t.Helper()
	f.refuse, f.skip = nil, false
	honest(t, addr, "127.0.0.1")
}

// What a flow refuses is refused after the whole text was read, so that the
// line is in step for the next message.
func TestRefusedMessagesLeaveTheLineInStep(t *testing.T) {
	t.Parallel()
	f := &flow{refuse: &mailflow.Reply{Code: 452, Enhanced: [3]int{4, 3, 1}, Text: "No room now, try again later"}}
	addr, _ := serve(t, config(f))
	text := strings.Repeat("C: MAIL FROM:<forged@peer.example>\n", 2000)
	p := dial(t, addr)
	p.talk(greet + `
	C: MAIL FROM:<a@peer.example>
	C: RCPT TO:<report@vdp.example.org>
	C: DATA
	S: 250 *
	S: 250 *
	S: 354 *
` + text + `
	C: .
	S: 452 4.3.1 No room now, try again later
	C: NOOP
	S: 250 *`)
	f.refuse, f.skip = nil, true // says it kept what it never read
	p.talk(`
	C: MAIL FROM:<a@peer.example>
	C: RCPT TO:<report@vdp.example.org>
	C: DATA
	S: 250 *
	S: 250 *
	S: 354 *
	C: Subject: unread
	C: .
	S: 451 *
	C: QUIT
	S: 221 *`)
	honestAfter(t, f, addr)
}

// Behind a mail server there is one reply for each recipient (RFC 2033
// section 4.2), and a broken text still ends the line.
func TestLMTP(t *testing.T) {
	t.Parallel()
	f := &flow{}
	c := config(f)
	c.LMTP = true
	addr, _ := serve(t, c)
	p := dial(t, addr)
	p.talk(`
	S: 220 vdp.example.org LMTP Service Ready
	C: EHLO mx.example
	S: 500 *
	C: LHLO mx.example
	S: 250-Hello mx.example|250-PIPELINING|250-8BITMIME|250-ENHANCEDSTATUSCODES|250-SIZE 1048576|250 LIMITS RCPTMAX=100
	C: MAIL FROM:<a@peer.example>
	C: RCPT TO:<report@vdp.example.org>
	C: RCPT TO:<nobody@vdp.example.org>
	C: RCPT TO:<postmaster>
	C: DATA
	S: 250 *
	S: 250 *
	S: 550 *
	S: 250 *
	S: 354 *
	C: text
	C: .
	S: 250 2.0.0 <report@vdp.example.org> kept
	S: 250 2.0.0 <postmaster@vdp.example.org> kept
	C: MAIL FROM:<a@peer.example>
	C: RCPT TO:<report@vdp.example.org>
	C: RCPT TO:<postmaster>
	C: DATA
	S: 250 *
	S: 250 *
	S: 250 *
	S: 354 *
	R: bare\n
	C: .
	S: 554 5.6.0 *
	S: EOF`)
	if got := f.got(); len(got) != 1 || len(got[0].To) != 2 {
		t.Errorf("kept %+v", got)
	}
}

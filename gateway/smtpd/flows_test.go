package smtpd_test

import (
	"log/slog"
	"testing"

	"parley/gateway/smtpd"
	"parley/mailflow"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

var (
	_ smtpd.Public     = (*mailflow.Intake)(nil)
	_ smtpd.Submission = (*mailflow.Submission)(nil)
)

// base is what the flows need to answer at the door.
func base(st *store.Store) *mailflow.Base {
	return &mailflow.Base{
		Settings: mailflow.Settings{Domain: domain, DeskDomain: "desk.example.org", CasePrefix: "PAR", Limits: message.DefaultLimits()},
		Store:    st,
		Log:      slog.New(slog.DiscardHandler),
	}
}

// The real intake behind the public port: what does not exist is refused
// before DATA in the same words, and a report is kept.
func TestM1_TheIntakeBehindThePort(t *testing.T) {
	t.Parallel()
	b := base(logins(t).Store)
	c := config(nil)
	c.Intake = &mailflow.Intake{Base: b}
	addr, _ := serve(t, c)
	kept := b.Store.Subscribe("spool")
	defer kept.Close()
	p := dial(t, addr)
	p.talk(greet + "C: MAIL FROM:<finder@peer.example>\nS: 250 *")
	for _, rcpt := range []string{
		"nobody@vdp.example.org", "case+AAAAAAAAAAAAAAAA@vdp.example.org", "case+@vdp.example.org", "bounce+AAAA@vdp.example.org",
		"case+AAAAAAAAAAAAAAAA@desk.example.org", "control@desk.example.org", "ana@desk.example.org", "report@peer.example",
		`"report@vdp.example.org"@peer.example`, `"report x"@vdp.example.org`,
	} {
		p.talk("C: RCPT TO:<" + rcpt + ">\nS: 550 5.1.1 No such mailbox here")
	}
	p.talk(`
	C: RCPT TO:<Report@VDP.Example.org>
	S: 250 *
	C: RCPT TO:<"report"@vdp.example.org>
	S: 250 *
	C: RCPT TO:<postmaster>
	S: 250 *
	C: DATA
	S: 354 *
	C: Subject: heap overflow
	C: 
	C: text
	C: .
	S: 250 2.0.0 kept`)
	if got := kept.Take(); len(got) != 1 {
		t.Errorf("%d mails in the spool", len(got))
	}

	p.talk(`
	C: MAIL FROM:<finder@peer.example>
	C: RCPT TO:<report@vdp.example.org>
	C: DATA
	S: 250 *
	S: 250 *
	S: 354 *
	R: half\r\nbare\n
	S: 554 *
	S: EOF`)
	if got := kept.Take(); len(got) != 0 {
		t.Error("a broken mail is in the spool")
	}
}

// The real submission flow: a refusal is a sentence at RCPT.
func TestTheSubmissionBehindThePort(t *testing.T) {
	t.Parallel()
	c := submission(t, &desk{})
	b := base(c.Logins.Store)
	c.Submission = &mailflow.Submission{Base: b, Desk: &mailflow.Desk{Base: b}}
	addr, _ := serve(t, c)
	dialTLS(t, addr).talk(greet + "C: AUTH PLAIN " + plainOK + `
	S: 235 *
	C: MAIL FROM:<ben@desk.example.org>
	S: 550 5.7.1 Not sent: ben@desk.example.org is not your address *
	C: MAIL FROM:<ana@desk.example.org>
	S: 250 *
	C: RCPT TO:<psirt@acme.example>
	S: 550 5.7.1 Not sent: psirt@acme.example is not an address of the desk*
	C: RCPT TO:<acme.par-2026-0007@desk.example.org>
	S: 550 5.7.1 Not sent: *
	C: DATA
	S: 503 *`)
}

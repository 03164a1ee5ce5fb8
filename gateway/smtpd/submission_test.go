package smtpd_test

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"parley/mailflow"
	"parley/mailflow/store"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

var plainOK = b64("\x00ana\x00" + password)

func TestSubmissionDialogue(t *testing.T) {
	t.Parallel()
	d := &desk{}
	addr, _ := serve(t, submission(t, d))
	dialTLS(t, addr).talk(`
	S: 220 vdp.example.org ESMTP Service Ready
	C: EHLO laptop.example
	S: 250-Hello laptop.example|250-PIPELINING|250-8BITMIME|250-ENHANCEDSTATUSCODES|250-AUTH PLAIN LOGIN|250-SIZE 1048576|250 LIMITS RCPTMAX=100
	C: AUTH PLAIN ` + plainOK + `
	S: 235 *
	C: MAIL FROM:<ana@desk.example.org>
	C: RCPT TO:<acme.par-2026-0007@desk.example.org>
	C: DATA
	S: 250 *
	S: 250 *
	S: 354 *
	C: Subject: to acme
	C: .
	S: 250 2.0.0 kept
	C: QUIT
	S: 221 *
	S: EOF`)
	got := d.got()
	if len(got) != 1 || got[0].Login != "ana" || !got[0].TLS || got[0].To[0] != "acme.par-2026-0007@desk.example.org" {
		t.Errorf("kept %+v", got)
	}
}

func TestA1_NoMailBeforeALogin(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, submission(t, &desk{}))
	dialTLS(t, addr).talk(greet + `
	C: MAIL FROM:<ana@desk.example.org>
	S: 530 5.7.0 Log in first
	C: RCPT TO:<acme.par-2026-0007@desk.example.org>
	S: 503 *
	C: DATA
	S: 503 *
	C: STARTTLS
	S: 503 *`)
	// Nothing is said to a client without TLS.
	p := dial(t, addr)
	p.talk("C: EHLO laptop.example")
	if got := p.reply(); !strings.HasSuffix(got, "EOF") || strings.Contains(got, "250") {
		t.Errorf("in clear: %q", got)
	}
}

func TestA1_LoginMechanisms(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, submission(t, &desk{}))
	for _, script := range []string{
		"C: AUTH PLAIN " + plainOK + "\nS: 235 *\nC: AUTH PLAIN " + plainOK + "\nS: 503 *",
		"C: AUTH PLAIN\nS: 334 \nC: " + plainOK + "\nS: 235 *",
		"C: AUTH plain " + b64("ana\x00ana\x00"+password) + "\nS: 235 *",
		"C: AUTH PLAIN " + b64("\x00ana@desk.example.org\x00"+password) + "\nS: 235 *",
		"C: AUTH LOGIN\nS: 334 " + b64("Username:") + "\nC: " + b64("ana") + "\nS: 334 " + b64("Password:") + "\nC: " + b64(password) + "\nS: 235 *",
		"C: AUTH LOGIN " + b64("ana") + "\nS: 334 " + b64("Password:") + "\nC: " + b64(password) + "\nS: 235 *",
		"C: AUTH LOGIN\nS: 334 *\nC: *\nS: 501 *\nC: AUTH PLAIN " + plainOK + "\nS: 235 *",
		"C: AUTH PLAIN " + b64("ben\x00ana\x00"+password) + "\nS: 535 *",
		"C: AUTH PLAIN " + b64("ana") + "\nS: 501 5.5.2 That is not an answer of this mechanism",
		"C: AUTH PLAIN !!\nS: 454 *",
		"C: AUTH CRAM-MD5\nS: 504 *",
		"C: AUTH\nS: 501 *",
		// Answers that look like commands are answers.
		"C: AUTH LOGIN\nS: 334 *\nC: STARTTLS\nS: 334 *\nC: BDAT\nS: 535 *\nC: NOOP\nS: 250 *",
	} {
		dialTLS(t, addr).talk(greet + script)
	}
}

func TestA1_DeniedLooksTheSame(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, submission(t, &desk{}))
	for _, who := range []string{"\x00ana\x00wrong password", "\x00nobody\x00" + password, "\x00\x00", "\x00ana\x00"} {
		dialTLS(t, addr).talk(greet + "C: AUTH PLAIN " + b64(who) + "\nS: 535 5.7.8 Login or password is wrong")
	}
}

func TestM8_AuthTries(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, submission(t, &desk{}))
	wrong := "C: AUTH PLAIN " + b64("\x00ana\x00wrong password") + "\n"
	for range 3 {
		dialTLS(t, addr).talk(greet + strings.Repeat(wrong+"S: 535 *\n", 3) + "S: EOF")
	}
	dialTLS(t, addr).talk(greet + wrong + "S: 535 *\n" + wrong + "S: 421 4.7.0 Too many failed logins from here, *\nS: EOF")
	dialTLS(t, addr).talk(greet + "C: AUTH PLAIN " + plainOK + "\nS: 421 4.7.0 *\nS: EOF")
}

// Refusals are sentences for the compose window, in one line of ASCII.
func TestSubmissionRefuses(t *testing.T) {
	t.Parallel()
	d := &desk{}
	addr, _ := serve(t, submission(t, d))
	p := dialTLS(t, addr)
	p.talk(greet + "C: AUTH PLAIN " + plainOK + `
	S: 235 *
	C: MAIL FROM:<ben@desk.example.org>
	S: 553 5.7.1 You write as ana@desk.example.org
	C: RCPT TO:<acme@desk.example.org>
	S: 503 *
	C: MAIL FROM:<>
	S: 553 *
	C: MAIL FROM:<ana@desk.example.org>
	S: 250 *
	C: MAIL FROM:<ana@desk.example.org>
	S: 503 *
	C: RCPT TO:<acme@desk.example.org>
	S: 250 *
	C: RCPT TO:<globex@desk.example.org>
	S: 554 5.7.1 Zwei Empf?nger  in one mail: globex@desk.example.org and acme@desk.example.org
	C: DATA
	S: 354 *
	C: Subject: to acme at least
	C: .
	S: 554 5.5.1 Not sent to anybody, since a recipient was refused
	C: MAIL FROM:<ana@desk.example.org>
	S: 250 *
	C: RCPT TO:<acme@desk.example.org>
	S: 250 *`)
	if got := d.got(); len(got) != 0 {
		t.Errorf("kept %+v", got)
	}
	d.refuse = &mailflow.Reply{Code: 554, Enhanced: [3]int{5, 7, 1}, Text: strings.Repeat("long ", 1000)}
	p.talk("C: DATA\nS: 354 *\nC: .")
	if got := p.reply(); len(got) > 510 || !strings.HasPrefix(got, "554 5.7.1 long ") || !strings.HasSuffix(got, "...") {
		t.Errorf("S: %s", got)
	}
	p.talk("C: NOOP\nS: 250 *")
}

// A6: a session ends with its login.
func TestA6_ALoginThatEndedSendsNothing(t *testing.T) {
	t.Parallel()
	c := submission(t, &desk{})
	addr, _ := serve(t, c)
	p := dialTLS(t, addr)
	p.talk(greet + "C: AUTH PLAIN " + plainOK + "\nS: 235 *\nC: MAIL FROM:<ana@desk.example.org>\nS: 250 *\nC: RSET\nS: 250 *")
	must(t, c.Logins.Store.Update(func(tx *store.Tx) error { return c.Logins.End(tx, "ana") }))
	p.talk("C: MAIL FROM:<ana@desk.example.org>\nS: 421 4.7.0 This login has changed, log in again\nS: EOF")
}

// buffer is a log that several sessions write.
type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *buffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.String()
}

// H6: at every level the log has verbs and codes, and nothing that a client or
// a flow said.
func TestH6_LogsHoldIDsOnly(t *testing.T) {
	t.Parallel()
	var log buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f := &flow{}
	c := config(f)
	c.Log = logger
	addr, _ := serve(t, c)
	dial(t, addr).talk(`
	S: 220 *
	C: EHLO canary.example
	S: 250-*
	C: CANARY canary
	S: 501 *
	C: CNRY canary
	S: 500 *
	C: MAIL FROM:<canary@peer.example>
	S: 250 *
	C: RCPT TO:<canary@vdp.example.org>
	S: 550 *
	C: RCPT TO:<broken@vdp.example.org>
	S: 451 *
	C: RCPT TO:<case+livecanary@vdp.example.org>
	S: 250 *
	C: DATA
	S: 354 *
	C: Subject: canary
	C: .
	S: 250 *
	C: MAIL FROM:<canary@peer.example>
	S: 250 *
	C: RCPT TO:<panic@vdp.example.org>
	S: 421 *
	S: EOF`)
	s := submission(t, &desk{})
	s.Log = logger
	addr, _ = serve(t, s)
	dialTLS(t, addr).talk("S: 220 *\nC: EHLO canary.example\nS: 250-*\nC: AUTH PLAIN " + b64("\x00canary\x00canary") + "\nS: 535 *\nC: QUIT\nS: 221 *\nS: EOF")
	text := log.text()
	for _, word := range []string{"canary", "acme", "127.0.0.1", "secret", "peer.example", b64("\x00canary\x00canary")} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(word)) {
			t.Errorf("the log has %q:\n%s", word, text)
		}
	}
	for _, word := range []string{"verb=RCPT status=550", "verb=DATA status=250", "verb=AUTH status=535", "session panicked", "harness_test.go", "kind=*errors.errorString"} {
		if !strings.Contains(text, word) {
			t.Errorf("the log lacks %q:\n%s", word, text)
		}
	}
}

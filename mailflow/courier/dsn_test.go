package courier

import (
	"strings"
	"testing"
)

const greetsWith = "S: 220 relay.example.org\nC: EHLO vdp.example.org\nS: 250-relay.example.org\n"

// Where the server notes it, a report is asked for with the header alone and under our identifier (RFC 3461); of a mail without a
// sender, and where it is not offered, nothing.
func TestNotification(t *testing.T) {
	t.Parallel()
	end := "\nS: 250 ok\nC: DATA\nS: 354 go on\nC: ...\nS: 250 ok\nC: QUIT\nS: 221 bye"
	for name, c := range map[string]struct{ dialogue, from, id string }{
		"offered": {greetsWith + "S: 250 DSN\nC: MAIL FROM:<bounce+x@vdp.example.org> RET=HDRS ENVID=abc234\nS: 250 ok\n" +
			"C: RCPT TO:<psirt@acme.example> NOTIFY=FAILURE,DELAY", testFrom, "abc234"},
		"no identifier": {greetsWith + "S: 250 DSN\nC: MAIL FROM:<bounce+x@vdp.example.org> RET=HDRS\nS: 250 ok\n" +
			"C: RCPT TO:<psirt@acme.example> NOTIFY=FAILURE,DELAY", testFrom, ""},
		"no sender": {greetsWith + "S: 250 DSN\nC: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<psirt@acme.example>", "", "abc234"},
		"not offered": {greetsWith + "S: 250 HELP\nC: MAIL FROM:<bounce+x@vdp.example.org>\nS: 250 ok\n" +
			"C: RCPT TO:<psirt@acme.example>", testFrom, "abc234"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := speaks(t, c.dialogue+end)
			courier, m := to(t, s.addr), mailOf(testMessage)
			m.From, m.EnvelopeID = c.from, c.id
			want(t, courier.Deliver(t.Context(), m), Sent, Answer)
			courier.Close()
			s.ended(t, 1)
		})
	}
	for _, id := range []string{"a b", "a+2B", "a=b", "é", "a\r\nRSET", strings.Repeat("a", 101)} {
		m := mailOf(testMessage)
		m.EnvelopeID = id
		want(t, to(t, "127.0.0.1:1").Deliver(t.Context(), m), Failed, Envelope)
	}
}

// What the server says that it takes is held to before a byte of the mail leaves: too large is final, since it stays too large.
func TestSize(t *testing.T) {
	t.Parallel()
	more := "\nC: MAIL FROM:<bounce+x@vdp.example.org> SIZE=37\n"
	s := speaks(t, greetsWith+"S: 250 SIZE 36\nC: QUIT\nS: 221 bye", greetsWith+"S: 250 SIZE 37"+more+"S: 452 4.3.1 full",
		greetsWith+"S: 250 SIZE 0"+more+"S: 552 5.3.4 too large\nC: RSET\nS: 250 ok\nC: EHLO vdp.example.org\nS: 250 x\nC: QUIT\nS: 221 bye", greetsWith+"S: 250 SIZE x"+more+"S: 550 5.7.1 no")
	c := to(t, s.addr)
	r := c.Deliver(t.Context(), mailOf(testMessage))
	want(t, r, Failed, MailFrom)
	if got := r.String(); got != "MAIL: the message has 37 bytes and the server takes 36 at most" {
		t.Errorf("it says %q", got)
	}
	c.Close()
	want(t, c.Deliver(t.Context(), mailOf(testMessage)), Later, MailFrom)
	want(t, c.Deliver(t.Context(), mailOf(testMessage)), Failed, MailFrom)
	c.Close()
	want(t, c.Deliver(t.Context(), mailOf(testMessage)), Later, MailFrom) // about us, and an operator puts it right
	s.ended(t, 4)
}

// Octets above 127 go only where the server takes them, in the body, and are declared; in the header they would need SMTPUTF8, which
// is refused in words of ours.
func TestM6_EightBit(t *testing.T) {
	t.Parallel()
	body, header := []byte("Subject: x\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"), []byte("Subject: Gr\xc3\xbc\xc3\x9fe\r\n\r\nx\r\n")
	mail := "\nC: MAIL FROM:<bounce+x@vdp.example.org>"
	rest := "\nS: 250 ok\nC: RCPT TO:<psirt@acme.example>\nS: 250 ok\nC: DATA\nS: 354 go on\n"
	s := speaks(t, greetsWith+"S: 250 8BITMIME"+mail+" BODY=8BITMIME"+rest+"C: ...\nS: 250 ok\nC: QUIT\nS: 221 bye",
		greetsWith+"S: 250 HELP"+mail+rest+"N", greetsWith+"S: 250-SMTPUTF8\nS: 250 8BITMIME"+mail+" BODY=8BITMIME"+rest+"N")
	c := to(t, s.addr)
	want(t, c.Deliver(t.Context(), mailOf(body)), Sent, Answer)
	c.Close()
	want(t, c.Deliver(t.Context(), mailOf(body)), Failed, Message)
	r := c.Deliver(t.Context(), mailOf(header))
	want(t, r, Failed, Message)
	if got := r.String(); !strings.Contains(got, "SMTPUTF8") {
		t.Errorf("it says %q", got)
	}
	s.ended(t, 3)
}

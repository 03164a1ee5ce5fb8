package smtpd_test

import (
	"testing"
	"time"

	"parley/gateway/auth"
	"parley/gateway/smtpd"
)

// drip sends a text over and over, an octet at a time, until the server ends it.
func drip(p *peer, text string) {
	for i := 0; ; i++ {
		if _, err := p.Write([]byte{text[i%len(text)]}); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// slow is a client that begins well, and then sends an octet now and then.
type slow struct{ what, before, drip string }

const (
	toMail = greet + "C: MAIL FROM:<finder@peer.example>\nS: 250 *\n"
	toRcpt = toMail + "C: RCPT TO:<report@vdp.example.org>\nS: 250 *\n"
	toTLS  = greet + "C: STARTTLS\nS: 220 *\n"

	// hello begins a record of TLS that is 16 KiB long (RFC 8446 section 5.1).
	hello = "\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03"
)

var (
	toLogin = greet + "C: AUTH PLAIN " + plainOK + "\nS: 235 *\n"
	toDraft = toLogin + "C: MAIL FROM:<ana@desk.example.org>\nS: 250 *\nC: RCPT TO:<acme@desk.example.org>\nS: 250 *\n"
)

var slowPublic = []slow{
	{"nothing", "S: 220 *", ""},
	{"the first line", "S: 220 *", "x"},
	{"EHLO", "S: 220 *", "EHLO x"},
	{"EHLO again", greet, "EHLO x"},
	{"MAIL", greet, "MAIL FROM:<a"},
	{"RCPT", toMail, "RCPT TO:<a"},
	{"DATA", toRcpt, "DATA "},
	{"RSET", toRcpt, "RSET "},
	{"a command behind whole ones", greet + "R: NOOP\\r\\nNOOP\\r\\nNO\nS: 250 *\nS: 250 *", "O"},
	{"STARTTLS", greet, "STARTTLS "},
	{"a command in TLS", toTLS + "TLS\n", "EHLO x"},
	{"MAIL in TLS", toTLS + "TLS\nC: EHLO x\nS: 250-*\n", "MAIL FROM:<a"},
	{"a mail in lines", toData, "text\r\n"},
	{"a mail in one line", toData, "x"},
	{"the header of a mail", toData + "C: Subject: x\n", "X: y\r\n"},
	{"the end of a mail", toData + "C: text\nR: .", "\r"},
}

var slowSubmission = []slow{
	{"nothing", "S: 220 *", ""},
	{"EHLO", "S: 220 *", "EHLO x"},
	{"AUTH", greet, "AUTH PLAIN "},
	{"the answer to AUTH PLAIN", greet + "C: AUTH PLAIN\nS: 334 *\n", "A"},
	{"the login of AUTH LOGIN", greet + "C: AUTH LOGIN\nS: 334 *\n", "A"},
	{"the password of AUTH LOGIN", greet + "C: AUTH LOGIN\nS: 334 *\nC: " + b64("ana") + "\nS: 334 *\n", "A"},
	{"MAIL", toLogin, "MAIL FROM:<a"},
	{"RCPT", toLogin + "C: MAIL FROM:<ana@desk.example.org>\nS: 250 *\n", "RCPT TO:<a"},
	{"DATA", toDraft, "DATA "},
	{"a mail", toDraft + "C: DATA\nS: 354 *\n", "text\r\n"},
}

// M8: who sends an octet now and then is cut off once the time of the whole command,
// or of the whole mail, is over, at every verb; the next sender is served meanwhile
// and after.
func TestM8_SlowLoris(t *testing.T) {
	t.Parallel()
	for _, c := range slowPublic {
		t.Run("public/"+c.what, func(t *testing.T) {
			t.Parallel()
			f := &flow{}
			cfg := config(f)
			cfg.TLS, _ = certificate(t)
			addr := serveSlow(t, cfg)
			c.endsAlone(t, dial(t, addr), func() { honest(t, addr, "127.0.0.1") })
			if senders(f) != "finder@peer.example finder@peer.example" {
				t.Errorf("kept: %s", senders(f))
			}
		})
	}
	for _, c := range slowSubmission {
		t.Run("submission/"+c.what, func(t *testing.T) {
			t.Parallel()
			d := &desk{}
			addr := serveSlow(t, submission(t, d))
			c.endsAlone(t, dialTLS(t, addr), func() { honestDesk(t, addr) })
			if n := len(d.got()); n != 2 {
				t.Errorf("kept %d mails", n)
			}
		})
	}
	t.Run("lmtp/LHLO", func(t *testing.T) {
		t.Parallel()
		cfg := config(&flow{})
		cfg.LMTP = true
		addr := serveSlow(t, cfg)
		slow{"", "S: 220 *", "LHLO x"}.endsAlone(t, dial(t, addr), func() {
			dial(t, addr).talk("S: 220 *\nC: LHLO x\nS: 250-*\nC: QUIT\nS: 221 *\nS: EOF")
		})
	})
}

// whole is how long a command or mail may take in these tests.
const whole = time.Second

// serveSlow runs a port with room for two, where nothing may take long.
func serveSlow(t *testing.T, c smtpd.Config) string {
	t.Helper()
	c.Limiter = auth.NewLimiter(2, 2)
	c.Limits.Command, c.Limits.Data = whole, whole
	addr, _ := serve(t, c)
	return addr
}

// endsAlone plays a slow client, which is told 421, beside an honest one.
func (c slow) endsAlone(t *testing.T, p *peer, honest func()) {
	t.Helper()
	p.talk(c.before)
	begun := time.Now()
	if c.drip != "" {
		go drip(p, c.drip)
	}
	honest()
	p.expect("421 4.4.2 Timeout")
	p.expect("EOF")
	c.inTime(t, begun)
	honest()
}

// inTime looks whether it ended for its time: an end of each octet's time would come
// at the limit of a line or never.
func (c slow) inTime(t *testing.T, begun time.Time) {
	t.Helper()
	if took := time.Since(begun); took > 10*whole {
		t.Errorf("it took %s", took)
	}
}

// honestDesk submits one mail as a client should, and must be served.
func honestDesk(t *testing.T, addr string) {
	t.Helper()
	dialTLS(t, addr).talk(toDraft + "C: DATA\nS: 354 *\nC: Hello.\nC: .\nS: 250 2.0.0 kept\nC: QUIT\nS: 221 *\nS: EOF")
}

// M8: a handshake that comes an octet at a time, or not at all, ends too. There is no
// way to say why: the client waits for a record of TLS.
func TestM8_SlowHandshake(t *testing.T) {
	t.Parallel()
	for _, c := range []slow{{"nothing", "", ""}, {"a record", "", hello + "\x00"}} {
		t.Run("submission/"+c.what, func(t *testing.T) {
			t.Parallel()
			addr := serveSlow(t, submission(t, &desk{}))
			c.handshakeEnds(t, dial(t, addr), func() { honestDesk(t, addr) })
		})
		t.Run("STARTTLS/"+c.what, func(t *testing.T) {
			t.Parallel()
			cfg := config(&flow{})
			cfg.TLS, _ = certificate(t)
			addr := serveSlow(t, cfg)
			p := dial(t, addr)
			p.talk(toTLS)
			c.handshakeEnds(t, p, func() { honest(t, addr, "127.0.0.1") })
		})
	}
}

func (c slow) handshakeEnds(t *testing.T, p *peer, honest func()) {
	t.Helper()
	begun := time.Now()
	if c.drip != "" {
		go drip(p, c.drip)
	}
	honest()
	p.expect("EOF")
	c.inTime(t, begun)
	honest()
}

// M8: on the submission port whole commands keep no place without a login: the time
// for it is that of one command. Who is logged in has the time of a session.
func TestM8_TimeToLogIn(t *testing.T) {
	t.Parallel()
	addr := serveSlow(t, submission(t, &desk{}))
	in := dialTLS(t, addr)
	in.talk(toLogin)
	p := dialTLS(t, addr)
	p.talk(greet)
	begun := time.Now()
	go drip(p, "NOOP\r\n")
	for got := p.reply(); got != "421 4.4.2 Timeout"; got = p.reply() {
		if got != "250 2.0.0 I have successfully done nothing" {
			t.Fatalf("S: %s", got)
		}
		in.talk("C: NOOP\nS: 250 *")
	}
	slow{}.inTime(t, begun)
	in.talk("C: NOOP\nS: 250 *\nC: QUIT\nS: 221 *\nS: EOF")
}

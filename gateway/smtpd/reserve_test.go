package smtpd_test

import (
	"log/slog"
	"sync/atomic"
	"testing"

	"parley/mailflow"
)

// room is a reserve of a MiB, on a disk that has so much more free.
func room(above *atomic.Int64) *mailflow.Reserve {
	const size = 1 << 20
	return &mailflow.Reserve{Size: size, Free: func() (uint64, error) { return uint64(size + above.Load()), nil }, Log: slog.New(slog.DiscardHandler)}
}

const noRoom = "452 4.3.1 *No room now, try again later" // LMTP names the recipient of a text

// Below the reserve mail is refused at MAIL, where a client says how large it is also
// one that would reach into it, and at the end of a text during which the room went.
// The same session is served once there is room.
func TestT8_ThePublicPort(t *testing.T) {
	t.Parallel()
	for name, lmtp := range map[string]bool{"smtp": false, "lmtp": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var above atomic.Int64
			b := base(logins(t).Store)
			b.Reserve = room(&above)
			c := config(nil)
			c.Intake, c.LMTP = &mailflow.Intake{Base: b}, lmtp
			addr, _ := serve(t, c)
			p := dial(t, addr)
			hello := "EHLO"
			if lmtp {
				hello = "LHLO"
			}
			above.Store(-1)
			p.talk("S: 220 *\nC: " + hello + ` peer.example
			S: 250-*
			C: MAIL FROM:<finder@peer.example>
			S: ` + noRoom + `
			C: RCPT TO:<report@vdp.example.org>
			S: 503 *`)
			above.Store(1000)
			p.talk(`
			C: MAIL FROM:<finder@peer.example> SIZE=1001
			S: ` + noRoom + `
			C: MAIL FROM:<finder@peer.example> SIZE=1000
			S: 250 *
			C: RCPT TO:<report@vdp.example.org>
			S: 250 *
			C: DATA
			S: 354 *`)
			above.Store(10)
			const text = `
			C: Subject: heap overflow
			C: 
			C: text
			C: .
			S: `
			p.talk(text + noRoom)
			above.Store(1000)
			p.talk(`
			C: MAIL FROM:<finder@peer.example>
			S: 250 *
			C: RCPT TO:<report@vdp.example.org>
			S: 250 *
			C: DATA
			S: 354 *` + text + "250 2.0.0 *")
		})
	}
}

// Submission as well, to who is logged in: a stranger learns nothing of the disk.
func TestT8_Submission(t *testing.T) {
	t.Parallel()
	var above atomic.Int64
	c := submission(t, &desk{})
	b := base(c.Logins.Store)
	b.Reserve = room(&above)
	c.Submission = &mailflow.Submission{Base: b, Desk: &mailflow.Desk{Base: b}}
	addr, _ := serve(t, c)
	above.Store(-1)
	p := dialTLS(t, addr)
	p.talk(greet + `
	C: MAIL FROM:<ana@desk.example.org>
	S: 530 *
	C: AUTH PLAIN ` + plainOK + `
	S: 235 *
	C: MAIL FROM:<ana@desk.example.org>
	S: ` + noRoom)
	above.Store(1000)
	p.talk(`
	C: MAIL FROM:<ana@desk.example.org> SIZE=1001
	S: ` + noRoom + `
	C: MAIL FROM:<ana@desk.example.org>
	S: 250 *
	C: RCPT TO:<control@desk.example.org>
	S: 250 *
	C: DATA
	S: 354 *`)
	above.Store(10)
	p.talk(`
	C: Subject: commands
	C: 
	C: tasks
	C: .
	S: ` + noRoom)
}

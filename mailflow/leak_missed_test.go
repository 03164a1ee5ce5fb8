package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// A vendor whose server took the notice of a leak and gave it back does not have
// it: it stands in the alarm, also where it came back after the others had theirs.
func TestLeak_BouncedIsMissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.leakCase()
	ben := Actor{Name: "ben", Via: ViaMail, Signed: true}
	w.as(ben, "approve "+w.kitRequest().ID)
	w.fires("ana", id, "details")
	w.after(31 * time.Minute)
	alarm := func() string { return w.words(w.message("INBOX", "ALARM: the leak in "+string(id)+" is not with")) }
	if len(w.leaks("acme")) != 1 {
		t.Fatalf("acme has %d mails", len(w.leaks("acme")))
	}
	if strings.Contains(alarm(), "acme:") {
		t.Errorf("it has it:\n%s", alarm())
	}
	sent := w.leaks("acme")[0].Received
	w.arrives("", sent.From, []byte("From: MAILER-DAEMON@acme.example\r\nTo: "+sent.From+"\r\nX-Failed-Recipients: psirt@acme.example\r\n\r\nno such mailbox\r\n"))
	w.settle()
	wants(t, unwrapped(alarm()), "acme: their server took it and gave it back (D")
	wants(t, unwrapped(alarm()), "write or call psirt@acme.example")
}

// Whoever still waits for a leak when the embargo is over goes on waiting for a yes
// that people are asked for, where the kit changed meanwhile.
func TestLeak_AsksAfterTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.leakCase()
	w.as(Actor{Name: "ben", Via: ViaMail, Signed: true}, "approve "+w.kitRequest().ID)
	w.fires("ana", id, "details")
	w.after(2 * cvd.Day) // the end, without a key of initech's
	w.material(id, cvd.Details, "the details text, once more "+canary(cvd.Details))
	w.settle()
	n := w.noticesOf(id, "initech", cvd.KindLeak)[0]
	if a := w.kitRequest(); n.State != cvd.Approval || n.Why != a.ID || !a.Open() {
		t.Errorf("the leak to initech is %s: %s; the request %s is %q", n.State, n.Why, a.ID, a.How)
	}
}

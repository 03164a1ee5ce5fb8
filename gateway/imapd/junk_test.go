package imapd_test

import (
	"slices"
	"testing"
	"time"

	"parley/mailflow"
	"parley/mailflow/cvd"
)

// A client that has Junk open learns that junk was removed as of an EXPUNGE of
// another session, unasked in IDLE, and keeps what is not due (RFC 9051 section
// 7.5.1).
func TestJunk_ExpungedForClients(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.base.Retention.Junk = 10 * cvd.Day
	s := &mailflow.Scheduler{Base: o.base, Outbox: &mailflow.Outbox{Base: o.base}}
	thrown := func(subject string) {
		o.report(subject, "buy "+subject)
		c := o.in("ben", "Intake")
		c.ask("UID MOVE * Do/Spam")
		c.ask("LOGOUT")
	}
	thrown("pills")
	o.clock.Advance(5 * cvd.Day)
	thrown("watches")
	c := o.in("ana", "Junk")
	if got := c.ask("UID SEARCH ALL"); !slices.Equal(got, []string{"* SEARCH 1 2"}) {
		t.Fatalf("before: %q", got)
	}
	c.send("i IDLE")
	c.want("+ ...")
	o.clock.Advance(5*cvd.Day + time.Hour)
	next, err := s.JunkDue(o.clock.Now())
	must(t, err)
	if want := o.clock.Now().Add(5*cvd.Day - time.Hour); !next.Equal(want) {
		t.Errorf("next at %s, not %s", next, want)
	}
	c.want("* 1 EXPUNGE")
	c.send("DONE")
	c.want("i OK ...")
	c.talk(`
		C: a UID SEARCH ALL
		S: * SEARCH 2
		S: a OK ...
		C: b UID FETCH 1:2 (UID)
		S: * 1 FETCH (UID 2)
		S: b OK ...`)
	if got := o.in("ben", "Junk").ask("UID SEARCH ALL"); !slices.Equal(got, []string{"* SEARCH 2"}) {
		t.Errorf("ben: %q", got)
	}
}

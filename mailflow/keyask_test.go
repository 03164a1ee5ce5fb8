package mailflow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// expiring is a case that reminds, in which the key of acme ended after it had
// acknowledged: its scope, due on Wednesday, 2 December at 09:00, is held.
func expiring(t *testing.T) (*world, cvd.CaseID) {
	t.Helper()
	w := newWorld(t)
	p := w.Policies["fast"]
	p.Remind = []time.Duration{3 * cvd.Day, 7 * cvd.Day, 14 * cvd.Day}
	w.Policies["fast"] = p
	acme := w.person("acme", psirt)
	expires(t, acme, 12*time.Hour)
	w.do("vendor add acme " + psirt)
	w.pins("acme", acme, keyring.Confirmed)
	id := w.started("acme")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.after(cvd.Day)
	w.wantHeld(id, "acme", cvd.Scope, "expired on 2026-12-01")
	return w, id
}

// askedOn lists the days on which somebody was written to in clear, at an address,
// for want of a key. Nothing of any case stands in such a mail.
func (w *world) askedOn(id cvd.CaseID, name, address string) (days []string) {
	w.t.Helper()
	for _, l := range w.notesTo(w.people[name], address) {
		subject := l.Outer.Get("Subject")
		if !strings.Contains(subject, "no key to send it with") && !strings.Contains(subject, "Which key") {
			continue
		}
		if word := l.find([]string{string(id), w.participant(id, cvd.PartyID(name)).Token, "case+", "scope", "overflow", "embargo", canary(cvd.Scope), w.DeskDomain}); word != "" {
			w.t.Errorf("the mail to %s holds %q", address, word)
		}
		date, err := l.Outer.Date()
		if err != nil {
			w.t.Fatal(err)
		}
		days = append(days, date.UTC().Format("Mon 2 Jan"))
	}
	return days
}

func (w *world) wantAsked(id cvd.CaseID, name, address string, want ...string) {
	w.t.Helper()
	if got := w.askedOn(id, name, address); fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("%s was asked for a key on %q, want %q", address, got, want)
	}
}

// A contact is asked once for each reason why no key can be used, whatever makes
// the gate look again, then as the policy reminds on days on which people work,
// again when the reason changes, and no more once a key can be used.
func TestV5_AskedOnceForEachReason(t *testing.T) {
	t.Parallel()
	w, id := expiring(t)
	for day := range 16 {
		w.in(id, "hold acme", "release acme")
		w.another("acme", fmt.Sprintf("claims%d", day), psirt) // anybody may send one
		w.after(cvd.Day)
	}
	asked := []string{"Wed 2 Dec", "Mon 7 Dec", "Wed 9 Dec", "Wed 16 Dec"} // three days after a Wednesday is a Saturday
	w.wantAsked(id, "acme", psirt, asked...)
	w.in(id, "key reject acme "+w.people["acme"].Fingerprint()+` because "it ended"`)
	w.after(cvd.Day)
	asked = append(asked, "Fri 18 Dec")
	w.wantAsked(id, "acme", psirt, asked...)
	w.after(cvd.Day)
	good := w.another("acme", "good", psirt)
	w.in(id, "key confirm acme "+good.Fingerprint()+" evidence phone")
	w.after(5 * cvd.Day)
	if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Sent {
		t.Errorf("scope is %s: %s", n.State, n.Why)
	}
	w.wantAsked(id, "acme", psirt, asked...)
	if n := w.keyAsks(); n != 0 {
		t.Errorf("%d contacts are still asked", n)
	}
}

// keyAsks counts what is kept of contacts that are asked for a key.
func (w *world) keyAsks() (n int) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		all, err := collect(keyAsks.All(tx, nil), nil)
		if err != nil {
			return err
		}
		due, err := collect(keyAskRows.All(tx, nil), nil)
		n = len(all) + len(due)
		return err
	})
	return n
}

// A key that ended is one reason, in however many cases; the second contact, and a
// member whose key is confirmed, are contacts, too; others are not.
func TestV5_EachContactOfAParty(t *testing.T) {
	t.Parallel()
	w, id := expiring(t)
	w.in(id, "member add acme li@acme.example", "vendor edit acme second boss@acme.example")
	other := w.caseWith("acme")
	w.in(other, "start now")
	w.after(2 * cvd.Day)
	w.wantHeld(other, "acme", cvd.HeadsUp, "expired")
	w.wantAsked(id, "acme", psirt, "Wed 2 Dec")
	w.wantAsked(id, "acme", "boss@acme.example", "Wed 2 Dec")
	w.wantAsked(id, "acme", "li@acme.example")
	w.in(id, "vendor edit acme address security@acme.example")
	w.after(12 * time.Hour)
	w.wantAsked(id, "acme", psirt, "Wed 2 Dec")
	w.wantAsked(id, "acme", "boss@acme.example", "Wed 2 Dec")
	w.wantAsked(id, "acme", "security@acme.example", "Fri 4 Dec")
}

// Nobody is asked who is told by hand, who was withdrawn or whose case is closed,
// and no reminder leaves while a person holds it.
func TestV5_WhoIsNotAskedForAKey(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		lines []string
		want  []string
	}{
		"by hand":   {[]string{"vendor edit acme channel hand"}, []string{"Wed 2 Dec"}},
		"withdrawn": {[]string{`withdraw acme because "no longer"`}, []string{"Wed 2 Dec"}},
		"closed":    {[]string{"case close"}, []string{"Wed 2 Dec"}},
		"held":      {[]string{"hold acme"}, []string{"Wed 2 Dec"}},
		"nothing":   {[]string{"status"}, []string{"Wed 2 Dec", "Mon 7 Dec", "Wed 9 Dec"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := expiring(t)
			w.in(id, row.lines...)
			w.steps(6*time.Hour, 9*cvd.Day)
			w.wantAsked(id, "acme", psirt, row.want...)
		})
	}
}

// A note that did not leave is taken back once there is a key.
func TestV5_NoteThatDidNotLeave(t *testing.T) {
	t.Parallel()
	w, id := pausing(t)
	acme, good := w.people["acme"], w.another("acme", "good", psirt)
	w.do("hold all")
	w.revokes(acme)
	w.brings("acme", acme)
	if n := len(w.noticesOf(id, "acme", cvd.KindNote)); n != 1 {
		t.Fatalf("%d notes are to leave", n)
	}
	w.in(id, "key confirm acme "+good.Fingerprint()+" evidence phone")
	w.do("sending resume")
	w.after(time.Hour)
	w.wantAsked(id, "acme", psirt)
	w.revokes(good)
	w.brings("acme", good)
	w.after(time.Hour)
	w.wantAsked(id, "acme", psirt, "Tue 1 Dec")
}

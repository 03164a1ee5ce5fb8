package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// standingList is the Subject and text of the list that stands in INBOX, unwrapped; ""
// for none.
func (w *world) standingList() string {
	w.t.Helper()
	got := w.preflightMails("INBOX")
	if len(got) > 1 {
		w.t.Fatalf("INBOX holds %d lists: %q", len(got), got)
	}
	if len(got) == 0 {
		return ""
	}
	return got[0] + "\n" + unwrapped(w.words(w.message("INBOX", "Preflight ")))
}

// lists are all that stand anywhere.
func (w *world) lists() []string {
	w.t.Helper()
	return slices.Concat(w.preflightMails("INBOX"), w.preflightMails("Status"))
}

// tenDays is a case whose details are ten days off, that both accepted.
func tenDays(t *testing.T, vendors ...string) (*world, cvd.CaseID) {
	t.Helper()
	w := newWorld(t)
	w.detailsLater()
	id := w.caseWith(vendors...)
	w.in(id, "start now")
	w.after(5 * time.Minute)
	for _, v := range vendors {
		w.answers(v, id, true, "ACCEPT "+string(id)+" v1\n")
	}
	return w, id
}

// What made a list red is mended, or is not to come any more, between two checks:
// the list goes with it, and no other takes its place before the next check.
func TestPreflight_MendedBetween(t *testing.T) {
	t.Parallel()
	hold := func(w *world, id cvd.CaseID) { w.in(id, `hold acme because "lawyers"`) }
	refuse := func(w *world, id cvd.CaseID) { w.in(id, "key reject acme "+w.people["acme"].Fingerprint()) }
	for name, row := range map[string]struct{ break_, mend func(w *world, id cvd.CaseID) }{
		"released":  {hold, func(w *world, id cvd.CaseID) { w.in(id, "release acme") }},
		"a new key": {refuse, func(w *world, id cvd.CaseID) { w.confirm("acme", w.person("acme", "psirt@acme.example")) }},
		"by hand":   {refuse, func(w *world, id cvd.CaseID) { w.in(id, "vendor edit acme channel hand") }},
		"withdrawn": {refuse, func(w *world, id cvd.CaseID) { w.in(id, `withdraw acme because "no such product"`) }},
		"moved away": {refuse, func(w *world, id cvd.CaseID) {
			w.in(id, "stage acme details at start+25d", `embargo 2027-03-01T09:00Z because "more time"`)
		}},
		"another policy": {refuse, func(w *world, id cvd.CaseID) {
			p := storyPolicy(w.t)
			p.Name, p.Stages = "less", slices.Delete(p.Stages, 2, 3)
			w.Policies["less"] = p
			w.in(id, "case policy less")
		}},
		"closed": {refuse, func(w *world, id cvd.CaseID) { w.in(id, `case close because "no flaw"`) }},
		"address": {func(w *world, id cvd.CaseID) { w.setAddress(id, "acme", "psirt@acme.example\r\nBcc: all@evil.example") },
			func(w *world, id cvd.CaseID) { w.setAddress(id, "acme", "psirt@acme.example") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := tenDays(t, "acme")
			row.break_(w, id)
			w.steps(6*time.Hour, 84*time.Hour)
			wants(t, w.standingList(), "WOULD BE HELD (1) details to acme")
			w.after(time.Hour)
			row.mend(w, id)
			w.settle()
			if got := w.standingList(); got != "" {
				t.Errorf("INBOX still says %s", got)
			}
			if got := w.preflightMails("Status"); len(got) > 0 {
				t.Errorf("without a check Status holds %q", got)
			}
		})
	}
}

func (w *world) setAddress(id cvd.CaseID, party cvd.PartyID, address string) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		p, err := ParticipantByID(tx, id, party)
		if err != nil {
			return err
		}
		p.Address = address
		w.touch(tx, id)
		return PutParticipant(tx, p)
	})
}

// Of two that would be held one is mended: the list that stands tells of the other
// alone, red first, and there is still one. What becomes red after a check is in
// the list that stands; where none does, the next check finds it.
func TestPreflight_StandingListFollows(t *testing.T) {
	t.Parallel()
	w, id := tenDays(t, "acme", "globex", "initech")
	w.in(id, "hold acme because x", "hold globex because y")
	w.steps(6*time.Hour, 84*time.Hour)
	wants(t, w.standingList(), "details in 7 days: 2 of 3 would be held")
	w.in(id, "release acme")
	text := w.standingList()
	wants(t, text, "WOULD BE HELD (1) details to globex")
	wants(t, text, "CAN GO (2) details to acme, initech")
	w.in(id, `withdraw initech because "gone"`)
	w.in(id, "key reject acme "+w.people["acme"].Fingerprint())
	text = w.standingList()
	wants(t, text, "WOULD BE HELD (2) details to acme")
	if strings.Contains(text, "initech") {
		t.Errorf("who was withdrawn still stands there:\n%s", text)
	}
	w.confirm("acme", w.person("acme", "psirt@acme.example"))
	w.in(id, "release globex")
	if got := w.standingList(); got != "" {
		t.Fatalf("INBOX still says %s", got)
	}
	w.in(id, "hold globex because z") // the desk did it, and the check five days later says so
	if got := w.standingList(); got != "" {
		t.Errorf("between two checks INBOX says %s", got)
	}
	w.steps(6*time.Hour, 5*cvd.Day)
	wants(t, w.standingList(), "details in 2 days: 1 of 2 would be held")
}

// A key that ends, is revoked, or whose pin goes after a green check is red at the
// next one, as it will be on the day.
func TestPreflight_KeyBetweenTwoChecks(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(w *world, id cvd.CaseID)
		why    string
	}{
		"revoked": {func(w *world, id cvd.CaseID) { w.revokes(w.people["acme"]); w.brings("acme", w.people["acme"]) }, "no usable key of acme"},
		"refused": {func(w *world, id cvd.CaseID) { w.in(id, "key reject acme "+w.people["acme"].Fingerprint()) }, "no usable key of acme"},
		"a shorter life": {func(w *world, id cvd.CaseID) {
			life := uint32(9 * cvd.Day / time.Second)
			w.resign(w.people["acme"], func(s *packet.Signature) {
				s.CreationTime, s.KeyLifetimeSecs = w.clock.Now(), &life
			})
			w.brings("acme", w.people["acme"])
		}, "no usable key of acme"},
		"policy": {func(w *world, id cvd.CaseID) {
			p := w.Policies["fast"]
			p.Name, p.Stages = "more", slices.Clone(p.Stages)
			proof := p.Stages[2]
			proof.Stage, proof.At.Offset = cvd.Proof, 11*cvd.Day
			p.Stages = slices.Insert(p.Stages, 3, proof)
			w.Policies["more"] = p
			w.in(id, "case policy more")
		}, "there is no material for proof"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := tenDays(t, "acme")
			w.steps(6*time.Hour, 84*time.Hour)
			if got := w.preflightMails("Status"); len(got) != 1 || !strings.HasSuffix(got[0], "details in 7 days: all can go (1)") {
				t.Fatalf("Status holds %q", w.lists())
			}
			row.change(w, id)
			w.steps(6*time.Hour, 5*cvd.Day)
			wants(t, w.standingList(), row.why)
			if n := len(w.lists()); n != 2 && row.why == "no usable key of acme" {
				t.Errorf("%d lists: %q", n, w.lists())
			}
		})
	}
}

// A date that is moved, or a notice that is new, after the list of the day is tried
// all the same; the day still has one list, which names all.
func TestPreflight_MovedAfterTheListOfTheDay(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ line, want string }{
		"a check later today":   {"stage globex details at 2026-12-09T20:00Z", "details to globex, Wed 9 Dec 2026, 20:00 UTC"},
		"in less than a day":    {"stage globex details at 2026-12-09T06:00Z", "details to globex, Wed 9 Dec 2026, 06:00 UTC"},
		"a slip by four hours":  {"stage globex details at 2026-12-11T13:00Z", "details to globex, Fri 11 Dec 2026, 13:00 UTC"},
		"in less than an hour":  {"stage globex details at 2026-12-08T13:00Z", "details to globex, Tue 8 Dec 2026, 13:00 UTC"},
		"the whole case sooner": {"embargo 2026-12-12T12:00Z because leak", "public to acme, globex, Sat 12 Dec 2026, 12:00 UTC"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := tenDays(t, "acme", "globex")
			w.in(id, "stage acme details at 2026-12-10T09:00Z")
			w.steps(6*time.Hour, 7*cvd.Day) // Tuesday the 8th, two days before acme's details
			if got := w.lists(); len(got) == 0 || !strings.Contains(got[len(got)-1], "details in 2 days") {
				t.Fatalf("no list of the day: %q", got)
			}
			before := len(w.lists())
			w.after(3 * time.Hour)
			w.in(id, row.line)
			w.steps(30*time.Minute, 9*time.Hour)
			got := w.lists()
			if len(got) != before {
				t.Errorf("there are %d lists, not %d: %q", len(got), before, got)
			}
			m := w.last("Status")
			wants(t, unwrapped(w.words(m)), row.want)
		})
	}
}

// Of two stages with a check on one day, the later too is red where its yes is
// missing two days before.
func TestPreflight_UndecidedLaterThatDay(t *testing.T) {
	t.Parallel()
	w, id := tenDays(t, "acme", "globex")
	w.in(id, "stage globex details at 2026-12-11T22:00Z")
	w.update(func(tx *store.Tx) error {
		c, err := CaseByID(tx, id)
		if err != nil {
			return err
		}
		c.Policy.Stages = slices.Clone(c.Policy.Stages)
		c.Policy.Stages[2].Approvals = 1
		w.touch(tx, id)
		return PutCase(tx, c)
	})
	w.steps(time.Hour, 8*cvd.Day+time.Hour)
	wants(t, w.standingList(), "details in 2 days: 2 of 2 would be held")
}

// While the gateway was away over one check, or over all of a week, there is one
// list when it comes back, and none the same day.
func TestPreflight_Downtime(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]time.Duration{"one check": 60 * time.Hour, "three": 9*cvd.Day - 30*time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := tenDays(t, "acme")
			w.steps(6*time.Hour, 36*time.Hour)
			w.in(id, "hold acme because x")
			w.clock.Advance(away)
			w.restart()
			w.settle()
			if got := w.preflightMails("INBOX"); len(got) != 1 {
				t.Fatalf("INBOX holds %q, Status %q", w.subjects("INBOX"), w.subjects("Status"))
			}
			first := w.message("INBOX", "Preflight ").ID
			w.restart()
			w.steps(time.Hour, 8*time.Hour)
			if m := w.message("INBOX", "Preflight "); m.ID != first {
				t.Error("it came twice")
			}
			if n := w.journalled("preflight"); n != 1 {
				t.Errorf("%d lists are on record", n)
			}
		})
	}
}

// A clock that was wrong for a while leaves nothing untried after it was put right.
func TestPreflight_AfterAWrongClock(t *testing.T) {
	t.Parallel()
	w, id := tenDays(t, "acme")
	w.steps(6*time.Hour, 84*time.Hour)
	n := len(w.lists())
	w.clock.Jump(20 * cvd.Day) // "public" is ten days off then, and its check is made up for
	w.settle()
	w.do("sending resume")
	w.clock.Jump(-20 * cvd.Day)
	w.settle()
	w.in(id, "hold acme because x")
	w.do("sending resume")
	w.steps(6*time.Hour, 5*cvd.Day)
	if got := w.standingList(); got == "" {
		t.Errorf("nothing was tried since: %d lists before, now %q", n, w.lists())
	}
}

// Dates of vendors at both ends of the world: each check is so many times 24 hours
// before the notice, a day in UTC has one list, and none is left out.
func TestPreflight_Zones(t *testing.T) {
	t.Parallel()
	w, id := tenDays(t, "acme", "globex")
	w.in(id, "stage acme details at 2026-12-13T00:30 Pacific/Kiritimati") // 12 Dec, 10:30 UTC
	w.in(id, "stage globex details at 2026-12-12T23:30 Etc/GMT+12")       // 13 Dec, 11:30 UTC
	w.steps(30*time.Minute, 12*cvd.Day)
	days := map[string]int{}
	for _, m := range w.filed("Status") {
		if strings.HasPrefix(m.Envelope.Subject, "Preflight ") {
			days[m.At.UTC().Format("2 Jan 15:04")+" "+strings.TrimPrefix(m.Envelope.Subject, "Preflight "+string(id)+" ")]++
		}
	}
	want := []string{"5 Dec 10:35", "6 Dec 11:35", "10 Dec 10:35", "11 Dec 10:35", "12 Dec 11:35"}
	for _, d := range want {
		if !strings.Contains(fmt.Sprint(days), d) {
			t.Errorf("no list at %s: %v", d, days)
		}
	}
}

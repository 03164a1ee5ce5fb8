package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// endTask are the Subjects in INBOX about the end of our key.
func (w *world) endTask() []string {
	w.t.Helper()
	var out []string
	for _, m := range w.filed("INBOX") {
		if m.Kind == "own-key" {
			out = append(out, m.Envelope.Subject)
		}
	}
	return out
}

// The desk is told at each step, once, in one mail that replaces the one
// before, whatever happens to the process in between.
func TestOwnKey_WarnsBeforeItEnds(t *testing.T) {
	t.Parallel()
	end := storyStart.Add(70 * cvd.Day)
	w := newWorldUntil(t, end)
	w.settle()
	if got := w.endTask(); len(got) != 0 {
		t.Fatalf("70 days before: %q", got)
	}
	for i, left := range []int{60, 30, 14, 7, 1} {
		at := end.Add(-time.Duration(left) * cvd.Day)
		w.clock.Advance(at.Sub(w.clock.Now()) - time.Second)
		w.settle()
		if n := w.journalled("own-key.expiring"); n != i {
			t.Fatalf("a second before %d days: told %d times", left, n)
		}
		if next, err := w.OwnKeysDue(w.clock.Now()); err != nil || !next.Equal(at) {
			t.Errorf("it wants to be called at %v, %v", next, err)
		}
		w.clock.Advance(time.Second)
		w.settle()
		w.restart()
		w.settle()
		w.clock.Advance(time.Hour)
		w.settle()
		got := w.endTask()
		if len(got) != 1 || !strings.HasPrefix(got[0], "Our signing key ends in "+count(left, "day")+": 2027-02-09") {
			t.Errorf("%d days before: %q", left, got)
		}
		if n := w.journalled("own-key.expiring"); n != i+1 {
			t.Errorf("%d days before: told %d times", left, n)
		}
	}
	if out := w.do("status"); !strings.Contains(out, "our signing key ends 2027-02-09") {
		t.Errorf("status:\n%s", out)
	}
	w.rotates(end.Add(-time.Hour), time.Time{})
	if got := w.endTask(); len(got) != 0 {
		t.Errorf("with a next key: %q", got)
	}
	if out := w.do("status"); !strings.Contains(out, "our next key") {
		t.Errorf("status:\n%s", out)
	}
	w.clock.Advance(3 * cvd.Day)
	w.settle()
	if w.journalled("own-key.expired") != 0 || len(w.endTask()) != 0 {
		t.Error("a key that was replaced in time raised an alarm")
	}
}

// A key that ended signs nothing: what falls due is held, and the desk knows;
// mail still comes in. With a later end, or another key, what was held goes.
func TestOwnKey_EndedHoldsEverything(t *testing.T) {
	t.Parallel()
	for name, mend := range map[string]func(*world) error{
		"extended": func(w *world) error {
			_, err := w.ExtendKey(theOperator, storyStart.Add(400*cvd.Day))
			return err
		},
		"rotated": func(w *world) error {
			_, err := w.RotateKey(theOperator, Rotation{Algorithm: keyring.Ed25519, Signs: w.clock.Now()})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldUntil(t, storyStart.Add(2*cvd.Day))
			w.person("finder", "f@finder.example")
			id := w.started("acme")
			old := w.signer().Certificate()
			w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
			w.after(26 * time.Hour)
			before := len(w.received("acme"))
			w.after(2 * cvd.Day)
			if got := w.endTask(); len(got) != 1 || !strings.HasPrefix(got[0], "Our signing key has ended") {
				t.Errorf("INBOX: %q", got)
			}
			n := w.notice(id, "acme", cvd.Details)
			if n.State != cvd.Held || !strings.HasPrefix(n.Why, ownKeyWhy) || !strings.Contains(n.Why, "expired on 2026-12-03") {
				t.Errorf("details is %s: %s", n.State, n.Why)
			}
			if w.countIn("Held", "expired on 2026-12-03") != 1 || len(w.received("acme")) != before {
				t.Errorf("Held: %q", w.subjects("Held"))
			}
			if out := w.do("status"); !strings.Contains(out, "NOTHING LEAVES: our own signing key") {
				t.Errorf("status:\n%s", out)
			}
			w.reportsToEnded(old)
			w.restart()
			if err := mend(w); err != nil {
				t.Fatal(err)
			}
			w.settle()
			w.after(5 * time.Minute)
			if len(w.endTask()) != 0 || w.journalled("own-key.expired") != 1 {
				t.Errorf("INBOX: %q", w.subjects("INBOX"))
			}
			if n := w.notice(id, "acme", cvd.Details); n.State != cvd.Sent {
				t.Errorf("details is %s: %s", n.State, n.Why)
			}
			if !w.heard("acme", cvd.Details) || w.countIn("Held", "expired") != 0 {
				t.Errorf("Held: %q", w.subjects("Held"))
			}
		})
	}
}

// reportsToEnded lets a report come in that a finder encrypted to a key of ours
// before that ended.
func (w *world) reportsToEnded(c *keyring.Certificate) {
	w.t.Helper()
	f := w.people["finder"]
	sealed, err := keyring.Encrypt(withKey(f, "late", "words"), []*keyring.Certificate{c}, w.asOurs(f), storyStart.Add(cvd.Day))
	if err != nil {
		w.t.Fatal(err)
	}
	armored, err := keyring.EncodeArmor(keyring.ArmorMessage, sealed)
	if err != nil {
		w.t.Fatal(err)
	}
	w.arrives(f.Address, reportTo, mailtest.PGPMIME(f.Address, reportTo, w.clock.Now(), armored))
	w.settle()
	if got := w.subjects("Intake"); len(got) != 1 || got[0] != "#1 late" {
		w.t.Errorf("Intake: %q, Quarantine: %q", got, w.subjects("Quarantine"))
	}
	if n := w.countIn("Held", "receipt"); n != 1 {
		w.t.Errorf("the receipt is not held: %q", w.subjects("Held"))
	}
}

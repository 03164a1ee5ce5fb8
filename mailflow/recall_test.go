package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// What waits in the queue encrypted to a key that may not be used any more
// never leaves: it is taken back, and goes to whatever is good then.
func TestT4_QueuedToAKeyThatEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, old, fresh *mailtest.Person){
		"rejected": func(w *world, old, _ *mailtest.Person) {
			w.as(Actor{Name: "ana", Via: ViaMail}, "key reject acme "+old.Fingerprint()+" because stolen")
		},
		"replaced": func(w *world, old, fresh *mailtest.Person) {
			w.do(fmt.Sprintf("key confirm acme %s replaces %s evidence phone", fresh.Fingerprint(), old.Fingerprint()))
		},
		"revoked": func(w *world, old, _ *mailtest.Person) {
			w.revokes(old)
			w.brings("acme", old)
		},
		"subkey": func(w *world, old, _ *mailtest.Person) {
			w.clock.Advance(time.Minute)
			sub := w.newSubkey(old)
			w.brings("acme", old)
			w.do("key adopt acme " + string(sub) + " evidence phone")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.coordinator("ana")
			id := w.started("acme")
			w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
			old, fresh := w.people["acme"], w.another("acme", "fresh", psirt)
			w.Queue.Paused = func(*store.Tx) bool { return true } // the smarthost is away
			w.after(25 * time.Hour)
			n := w.notice(id, "acme", cvd.Scope)
			if n.State != cvd.Queued || len(n.Keys) != 1 || n.Keys[0] != string(w.parsed(old).EncryptsTo(w.clock.Now())) {
				t.Fatalf("scope is %s, encrypted to %q", n.State, n.Keys)
			}
			end(w, old, fresh)
			if got := w.notice(id, "acme", cvd.Scope); got.State == cvd.Queued && got.Delivery == n.Delivery {
				t.Errorf("it still waits to be sent")
			}
			if who := w.participant(id, "acme"); who.Reached != cvd.HeadsUp {
				t.Errorf("acme reached %s", who.Reached)
			}
			w.Queue.Paused = SendingPaused
			w.after(time.Hour)
			if got := w.readersOf(psirt, old)[2:]; name != "subkey" && slices.Contains(got, "acme") { // after heads-up and answer
				t.Errorf("the old key got more: %q", got)
			}
			want := map[string]cvd.NoticeState{"rejected": cvd.Held, "replaced": cvd.Sent, "revoked": cvd.Held, "subkey": cvd.Sent}[name]
			now := w.notice(id, "acme", cvd.Scope)
			if now.State != want || slices.Contains(now.Keys, n.Keys[0]) {
				t.Errorf("scope is %s, want %s, to %q, was to %q: %s", now.State, want, now.Keys, n.Keys, now.Why)
			}
		})
	}
}

// Mail that is encrypted to a key in force stays where it is, whatever else
// comes.
func TestT4_QueuedStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.Queue.Paused = func(*store.Tx) bool { return true }
	w.after(25 * time.Hour)
	was := w.notice(id, "acme", cvd.Scope)
	w.another("acme", "other", psirt)
	w.brings("acme", w.people["acme"])
	if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Queued || n.Delivery != was.Delivery {
		t.Errorf("it was taken back: %s", n.State)
	}
}

// The same bytes are not sent again to a key that is out of use: the notice
// passes the gate anew.
func TestT3_AgainToAKeyThatEnded(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	d := r.queued("acme", cvd.Scope)
	_, err := r.Queue.RunDue(t.Context(), r.now())
	r.must(err)
	var f keyring.Fingerprint
	r.view(func(tx *store.Tx) error {
		keys, err := ownerKeys(tx, "acme")
		f = keys[0].Fingerprint
		return err
	})
	r.say(asOperator, "key reject acme "+string(f))
	if said := r.say(asOperator, "delivery D1 again"); !strings.Contains(said, "is written anew to the keys that are in force") {
		t.Errorf("answered %s", said)
	}
	if s := r.itemState(d); s != queue.Dropped {
		t.Errorf("the delivery is %s", s)
	}
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.Scope); n.State == cvd.Queued {
		t.Errorf("scope is %s", n.State)
	}
}

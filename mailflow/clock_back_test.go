package mailflow

import (
	"testing"
	"time"
)

// A notice leaves no sooner than the undo window after anything that a person did,
// by the clock of then, though that was put back since and a person did one more
// thing.
func TestT5_UndoOutlastsAClockPutBack(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		stop, release string
		back          time.Duration
	}{
		"the vendor let go twice":      {"hold acme", "release acme", time.Minute},
		"sending resumed twice":        {"sending pause", "sending resume", time.Minute},
		"by as much as nobody is told": {"hold acme", "release acme", clockJump},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.coordinator("ana")
			w.in(w.caseWith("acme"), "start "+instantOf(storyStart.Add(10*time.Minute)))
			w.clock.Advance(9 * time.Minute)
			w.in(w.theOnlyCase(), row.stop, row.release)
			w.clock.Jump(-row.back)
			w.in(w.theOnlyCase(), row.stop, row.release)
			w.clock.Advance(row.back + w.Undo - time.Second)
			w.settle()
			w.told("acme")
			w.clock.Advance(time.Second)
			w.settle()
			w.told("acme", "Heads-up")
		})
	}
}

// A letter that its writer takes back and lets go again is no exception, nor one
// that was on its way.
func TestT5_UndoOfALetterOutlastsAClockPutBack(t *testing.T) {
	t.Parallel()
	for name, queued := range map[string]bool{"waiting": false, "accepted nowhere yet": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := writing(t)
			ben := Actor{Name: "ben", Via: ViaMail}
			w.answersAcme(id)
			letter := w.ownLetter(id, "waiting").Ref
			if queued {
				w.sink.Refuse("psirt@acme.example", 451)
				w.clock.Advance(w.Undo)
				w.settle()
				w.sink.Refuse("psirt@acme.example", 0)
				w.clock.Jump(-w.Undo)
			}
			w.clock.Jump(-time.Minute)
			m := undoID.FindStringSubmatch(w.as(ben, "reject "+letter).String())
			if m == nil || !w.as(ben, "undo "+m[1]).Done() {
				t.Fatal("not taken back, or not let go again")
			}
			w.clock.Advance(w.Undo)
			w.settle()
			w.ownLetter(id, "waiting")
			w.clock.Advance(time.Minute)
			w.settle()
			w.ownLetter(id, "accepted")
		})
	}
}

// A clock that was wrong by more stops everything; who acts by the right one does
// not wait for what the wrong one said.
func TestT5_LastAct(t *testing.T) {
	t.Parallel()
	now := storyStart
	for ahead, want := range map[time.Duration]time.Duration{-time.Hour: 0, 0: 0, time.Minute: time.Minute, clockJump: clockJump, clockJump + 1: 0, 1000 * time.Hour: 0} {
		if got := lastAct(now.Add(ahead), now).Sub(now); got != want {
			t.Errorf("after an act %s ahead the last one is %s ahead, want %s", ahead, got, want)
		}
	}
	if got := lastAct(time.Time{}, now); !got.Equal(now) {
		t.Errorf("the first act is at %s", got)
	}
}

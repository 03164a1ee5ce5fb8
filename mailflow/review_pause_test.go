package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
)

var anaByMail = Actor{Name: "ana", Via: ViaMail}

// What a person paused stays paused, whatever the clock does after it or did
// before it, until somebody says `sending resume`: no answer to a review is that.
func TestT5_HoldAllOutlastsAJump(t *testing.T) {
	t.Parallel()
	for name, holdFirst := range map[string]bool{"hold, then the jump": true, "the jump, then hold": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.coordinator("ana")
			w.coordinator("ben")
			id := w.caseWith("acme")
			w.in(id, "start now")
			hold := func() {
				if got := w.as(anaByMail, `hold all because "our key may be stolen"`); !got.Done() {
					t.Fatalf("one word of one person did not stop it:\n%s", got)
				}
			}
			if holdFirst {
				hold()
			}
			w.after(time.Hour)
			w.clock.Jump(6 * time.Minute)
			w.settle()
			w.clock.Jump(-7 * time.Minute)
			w.settle()
			if !holdFirst {
				hold()
			}
			for _, a := range w.requests(reviewStage) {
				wants(t, w.as(benByMail, "approve "+a.ID).String(), "nothing leaves while")
			}
			w.after(10 * time.Minute)
			w.told("acme", map[bool][]string{false: {"Heads-up"}}[holdFirst]...)
			state := w.sending()
			if !state.Stops() || state.By != "ana" || state.Because != "our key may be stolen; and then the clock jumped by -7m0s" {
				t.Errorf("%+v", state)
			}
			w.refuses(anaByMail, "paused since", "hold all")
			w.do("sending resume")
			w.after(10 * time.Minute)
			w.told("acme", "Heads-up")
		})
	}
}

// Who answers a review of what was overdue after downtime says nothing about a
// clock that jumped since.
func TestT5_OldReviewDoesNotEndAJump(t *testing.T) {
	t.Parallel()
	w, first, second := backAfter(t, 12*time.Hour)
	w.after(time.Hour)
	w.clock.Jump(-6 * time.Hour)
	w.settle()
	third := w.caseWith("initech")
	w.in(third, "start now")
	text := unwrapped(w.words(w.message("INBOX", "Sending is paused: the clock jumped")))
	wants(t, text, "no mail in Approvals ends this")
	for _, id := range []cvd.CaseID{first, second} {
		w.as(anaByMail, "approve "+w.reviewOf(id).ID)
	}
	w.after(10 * time.Minute)
	w.told("initech")
	w.do("sending resume")
	w.after(10 * time.Minute)
	w.told("initech", "Heads-up")
}

// A clock that was put back while nobody ran is seen at the next start; a little
// is none.
func TestT5_ClockPutBackWhileAway(t *testing.T) {
	t.Parallel()
	for _, back := range []time.Duration{10 * time.Hour, 4 * time.Minute} {
		w := newWorld(t)
		id := w.caseWith("acme")
		w.after(cvd.Day)
		w.clock.Jump(-back)
		w.restart()
		w.settle()
		stops := back > clockJump
		if state := w.sending(); state.Stops() != stops || stops && !strings.Contains(state.Because, "the clock stands 10h0m0s before") {
			t.Errorf("back by %s: %+v", back, state)
		}
		w.in(id, "start now")
		w.after(10 * time.Minute)
		w.told("acme", map[bool][]string{false: {"Heads-up"}}[stops]...)
	}
}

// A review of which nothing is left goes: whoever was overdue was withdrawn, was
// released, or has by a leak what it was to get.
func TestT5_IdleReviewEnds(t *testing.T) {
	t.Parallel()
	w, first, second := backAfter(t, 12*time.Hour)
	id := w.reviewOf(first).ID
	w.in(first, `withdraw acme because "no such product"`)
	w.refuses(anaByMail, "nothing that it stopped is to leave any more", "approve "+id)
	if w.countIn("Approvals", string(first)) != 0 || !w.sending().Overdue {
		t.Errorf("Approvals holds %q; %+v", w.subjects("Approvals"), w.sending())
	}
	w.fires("ana", second, "rumour")
	if state := w.sending(); state.Paused || w.countIn("Approvals", "Overdue") != 0 || w.countIn("INBOX", "Sending is paused") != 0 {
		t.Errorf("%+v; Approvals holds %q, INBOX %q", state, w.subjects("Approvals"), w.subjects("INBOX"))
	}
	if got := w.leaks("globex"); len(got) != 1 {
		t.Errorf("globex has %d mails about the leak", len(got))
	}
}

// A clock that jumped is looked at by a person. Where the one review that it made
// goes since its case is closed, or its vendor withdrawn, nobody has looked: then
// `sending resume` alone lets mail leave. Who releases the vendor has looked.
func TestT5_IdleReviewEndsNoJump(t *testing.T) {
	t.Parallel()
	for command, looked := range map[string]bool{`withdraw acme because "no such product"`: false, `case close because "a duplicate"`: false, "release acme": true} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.coordinator("ana")
			first, second := w.caseWith("acme"), w.caseWith("globex")
			w.in(first, "start now")
			w.clock.Jump(6 * time.Hour)
			w.settle()
			w.in(second, "start now")
			w.in(first, command)
			if got := w.sending(); got.Stops() == looked || got.Reviews {
				t.Errorf("%+v", got)
			}
			if n := w.countIn("Approvals", "Overdue: "); n != 0 {
				t.Errorf("Approvals holds %q", w.subjects("Approvals"))
			}
			w.after(10 * time.Minute)
			w.told("globex", map[bool][]string{true: {"Heads-up"}}[looked]...)
			if looked {
				return
			}
			text := unwrapped(w.words(w.message("INBOX", "Sending is paused: the clock jumped")))
			wants(t, text, "no mail in Approvals ends this")
			w.do("sending resume")
			w.after(10 * time.Minute)
			w.told("globex", "Heads-up")
		})
	}
}

// A vendor that answers while its reminder waits for a review ends both.
func TestT5_AnswerDuringAReview(t *testing.T) {
	t.Parallel()
	w, id := reminding(t, "acme")
	w.after(time.Hour)
	w.clock.Advance(4 * cvd.Day)
	w.restart()
	w.settle()
	wants(t, w.words(w.message("Approvals", "Overdue: ")), "reminder 1 of heads-up to acme")
	w.in(id, "release acme")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.after(time.Hour)
	if n := len(w.reminded("acme")); n != 0 || w.sending().Paused {
		t.Errorf("%d reminders; %+v; Approvals holds %q", n, w.sending(), w.subjects("Approvals"))
	}
	w.told("acme", "Heads-up", "Scope", "Details")
}

package mailflow

import (
	"context"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// An undecided request alarms another coordinator four hours before it is due,
// once, whatever restarts between.
func TestApproval_Alarm(t *testing.T) {
	t.Parallel()
	w, _ := strict(t, "acme")
	a := w.request(cvd.Scope)
	w.steps(time.Hour, a.Due.Sub(w.clock.Now())-alarmBefore-time.Minute)
	if n := w.countIn("INBOX", "undecided"); n != 0 {
		t.Fatalf("an alarm too early: %q", w.subjects("INBOX"))
	}
	w.restart()
	w.steps(time.Minute, 2*time.Minute)
	m := w.last("INBOX")
	if want := "ben, please look: scope to acme"; !strings.HasPrefix(m.Envelope.Subject, want) {
		t.Errorf("Subject %q, want %q...", m.Envelope.Subject, want)
	}
	w.restart()
	w.steps(time.Hour, 8*time.Hour)
	if n := w.countIn("INBOX", "undecided"); n != 1 || w.message("INBOX", "undecided").ID != m.ID {
		t.Errorf("%d alarms: %q", n, w.subjects("INBOX"))
	}
	if err := w.desk.Gesture(context.Background(), benByGesture, Gesture{Button: "Approve", Message: m.ID}); err != nil {
		t.Errorf("the alarm itself cannot be dropped into Do/Approve: %v", err)
	}
	if n := w.countIn("INBOX", "undecided"); n != 0 {
		t.Error("the alarm outlives the yes")
	}
}

// With one coordinator the alarm is for that one; decided requests have none.
func TestApproval_AlarmOfOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.strictCase("acme", "globex")
	w.steps(time.Hour, w.request(cvd.Scope).Due.Sub(w.clock.Now())-alarmBefore)
	if n := w.countIn("INBOX", "ana, please look"); n != 1 {
		t.Errorf("INBOX: %q", w.subjects("INBOX"))
	}
	w, _ = strict(t, "acme")
	w.as(benByMail, "approve "+w.request(cvd.Scope).ID)
	w.steps(time.Hour, cvd.Day)
	if n := w.countIn("INBOX", "undecided"); n != 0 {
		t.Errorf("INBOX: %q", w.subjects("INBOX"))
	}
}

// A signed Reply to the request counts, with the request quoted below or above.
func TestApproval_Reply(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]func(id, quoted string) string{
		"below": func(id, quoted string) string {
			return "approve " + id + "\n\nOn Tue, 1 Dec 2026, ana wrote:\n" + quoted
		},
		"above": func(id, quoted string) string {
			return "On Tue, 1 Dec 2026, ana wrote:\n" + quoted + "\n\napprove " + id + "\n\n-- \nben\n"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := strict(t, "acme")
			a := w.request(cvd.Scope)
			var mail store.Message
			for _, m := range w.filed("Approvals") {
				mail = m
			}
			to := mail.Envelope.From[0].Addr()
			quoted := "> " + strings.ReplaceAll(strings.TrimSpace(w.words(mail)), "\n", "\n> ")
			w.submits("ben", to, true, "Re: "+mail.Envelope.Subject, text(a.ID, quoted))
			if all := w.requests(cvd.Scope); len(all) != 0 {
				t.Errorf("it did not count: %s", w.words(w.last("Status")))
			}
		})
	}
}

// A line about an approval of another case than the one named is refused.
func TestApproval_OtherCase(t *testing.T) {
	t.Parallel()
	w, _ := strict(t, "acme")
	other := w.caseOf("acme")
	a := w.request(cvd.Scope)
	w.refuses(benSigned, "is about "+string(a.Case), "case "+string(other), "approve "+a.ID)
	w.refuses(benSigned, "is about "+string(a.Case), "case "+string(other), "reject "+a.ID+" because x")
	w.in(a.Case, "case restrict ana")
	w.refuses(benSigned, "there is no approval "+a.ID, "approve "+a.ID)
}

// Who may not see the case any more is not asked to look, in its alarm or anywhere.
func TestA2_AlarmOfRestricted(t *testing.T) {
	t.Parallel()
	w, id := writtenByAll(t)
	w.coordinator("cho")
	w.coordinator("dee")
	w.steps(6*time.Hour, kitAlarmAfter+6*time.Hour)
	if s := w.message("INBOX", "leak kit").Envelope.Subject; !strings.HasPrefix(s, "cho, dee, please look") {
		t.Fatalf("INBOX: %q", s)
	}
	w.in(id, "case restrict ana ben dee")
	for _, s := range w.subjects("INBOX") {
		if strings.Contains(s, "cho") {
			t.Errorf("INBOX: %q", s)
		}
	}
	wants(t, w.words(w.message("INBOX", "dee, please look")), "it waits for dee")
}

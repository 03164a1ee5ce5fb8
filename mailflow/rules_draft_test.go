package mailflow

import (
	"context"
	"strings"
	"testing"
)

// A draft that somebody let go obeys all else that stops a letter: a hold, a
// withdrawal, the end of its case; and a yes is not taken back once it left.
func TestV6_DraftIsStopped(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		stop  []string
		again []string
	}{
		"the case on hold":   {[]string{`hold case because "wait"`}, []string{"release case"}},
		"the vendor on hold": {[]string{`hold acme because "wait"`}, []string{"release acme"}},
		"all on hold":        {[]string{`hold all because "wait"`}, []string{"release all"}},
		"withdrawn":          {[]string{`withdraw acme because "no product of theirs"`}, nil},
		"closed":             {[]string{"case close"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, approveFirst := range []bool{true, false} {
				w, id := crossing(t)
				w.submits("ana", w.deskTo("acme", id), false, "look", globexWords+"\n")
				a := w.keptBack("globex wrote")
				if approveFirst {
					w.as(benByMail, "approve "+a.ID)
				}
				w.in(id, row.stop...)
				if !approveFirst {
					w.as(benByMail, "approve "+a.ID)
				}
				w.after(3 * w.Undo)
				if n := w.letters("acme", globexWords); n != 0 {
					t.Fatalf("approved first %t: it left", approveFirst)
				}
				if n := w.countIn("Approvals", "letter"); n != 0 {
					t.Errorf("approved first %t: %q", approveFirst, w.subjects("Approvals"))
				}
				if row.again == nil {
					continue
				}
				w.in(id, row.again...)
				w.after(3 * w.Undo)
				if n := w.letters("acme", globexWords); n != 1 {
					t.Errorf("approved first %t: after the release it left %d times", approveFirst, n)
				}
			}
		})
	}
}

// A yes to a draft is not taken back once the letter left.
func TestV6_DraftHasLeft(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.submits("ana", w.deskTo("acme", id), false, "look", globexWords+"\n")
	w.keptBack("globex wrote")
	g := Gesture{Button: "Approve", Message: w.last("Approvals").ID}
	w.ok(w.desk.Gesture(context.Background(), benByGesture, g))
	w.after(3 * w.Undo)
	if n := w.letters("acme", globexWords); n != 1 {
		t.Fatalf("%d letters left", n)
	}
	if err := w.desk.Undo(context.Background(), benByGesture, g); err == nil || !strings.Contains(err.Error(), "has left already") {
		t.Errorf("undone: %v", err)
	}
	if n := w.countIn("Approvals", "letter"); n != 0 {
		t.Errorf("it waits again: %q", w.subjects("Approvals"))
	}
}

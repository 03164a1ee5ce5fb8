package mailflow

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// Small mails share their commits, also where only one is opened at a time. Those that
// take memory are held one after the other until they are filed.
func TestIntake_SmallMailsShareCommits(t *testing.T) {
	const mails = 32
	for _, row := range []struct {
		name    string
		text    int
		waiting int
		shares  bool
	}{
		{"small", 1000, mails - 1, true},
		{"large", smallMail, mails - 1, false},
		{"nobody waits", 1000, 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.intake.Parallel, w.intake.Waiting = 1, row.waiting
			for n := range mails {
				from := fmt.Sprintf("jo%d@finder.example", n)
				raw := mailtest.Plain(from, reportTo, "report", strings.Repeat("one line of a text\n", 1+row.text/19), w.clock.Now())
				env := Envelope{From: from, To: []string{reportTo}, Remote: "192.0.2.1"}
				if err := w.intake.Receive(context.Background(), env, bytes.NewReader(raw)); err != nil {
					t.Fatal(err)
				}
			}
			before := w.serial()
			if err := w.intake.RunSpool(context.Background()); err != nil {
				t.Fatal(err)
			}
			w.view(func(tx *store.Tx) error {
				if left, filed := spool.Count(tx, nil), reports.Count(tx, nil); left != 0 || filed != mails {
					t.Errorf("%d mails are in the spool and %d are filed, want 0 and %d", left, filed, mails)
				}
				return nil
			})
			commits := int(w.serial() - before)
			if shared := commits < mails; shared != row.shares {
				t.Errorf("%d mails took %d commits", mails, commits)
			}
		})
	}
}

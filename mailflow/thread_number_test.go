package mailflow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// numberOf is the number of a party's thread.
func (w *world) numberOf(id cvd.CaseID, party cvd.PartyID) (n int) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) {
		n, err = threadNumber(tx, id, party)
		return err
	})
	return n
}

// A reply to what a sealed login was shown goes to whose thread it is, by its
// number, and to nobody else; who that is is not said.
func TestA4_ReplyByThread(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	w.coordinator("ana")
	n := w.numberOf(id, "globex")
	if n == 0 || n == w.numberOf(id, "acme") {
		t.Fatalf("globex has thread %d, acme %d", n, w.numberOf(id, "acme"))
	}
	to := fmt.Sprintf("thread-%d.%s@%s", n, id.Lower(), w.DeskDomain)
	before := len(w.got("acme"))
	w.submits("ana", to, false, "A question", "Which versions do you ship?\n")
	w.after(time.Hour)
	mails := w.mails(w.people["globex"])
	if last := mails[len(mails)-1]; !strings.Contains(last.Text, "Which versions do you ship?") {
		t.Errorf("globex was sent %q", last.Text)
	}
	if len(w.got("acme")) != before {
		t.Error("acme was sent something, too")
	}
	w.do("key reject globex " + w.people["globex"].Fingerprint())
	err := w.trySubmit("ana", to, false, "A question", "And now?\n")
	if err == nil || strings.Contains(err.Error(), "globex") || !strings.Contains(err.Error(), "nothing can be sent to thread-") {
		t.Errorf("without a key of globex: %v", err)
	}
	err = w.trySubmit("ana", strings.Replace(to, "thread-", "thread-9", 1), false, "A question", "And now?\n")
	if err == nil || !strings.Contains(err.Error(), "takes no part in") {
		t.Errorf("to a thread that there is none of: %v", err)
	}
	if _, err := cvd.ParsePartyID("thread-3"); err == nil {
		t.Error("a party can be named as a thread is addressed")
	}
}

package mailflow

import (
	"context"
	"strings"
	"testing"

	"parley/mailflow/mailtest"
)

// The From of a coordinator's mail is its login's address, in the header as in the
// envelope: nobody writes in a colleague's name, whoever its client says it is.
func TestA3_SubmissionFrom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana, ben := w.coordinator("ana"), w.coordinator("ben")
	id := w.started("acme")
	to := w.deskTo("acme", id)
	before := len(w.got("acme"))
	submit := func(from string) error {
		raw := mailtest.Plain(from, to, "hello", "hello from "+from+"\n", w.clock.Now())
		return w.sub.Submit(context.Background(), Envelope{From: ana.Address, To: []string{to}, Login: "ana", TLS: true}, strings.NewReader(string(raw)))
	}
	for _, from := range []string{ben.Address, "Ana <" + ana.Address + ">, " + ben.Address, "x@outside.example"} {
		if err := submit(from); err == nil || !strings.Contains(err.Error(), "write as "+ana.Address) {
			t.Errorf("From %s: %v", from, err)
		}
	}
	w.after(3 * w.Undo)
	if n := len(w.got("acme")) - before; n != 0 {
		t.Errorf("%d letters left", n)
	}
	if err := submit("Ana <" + strings.ToUpper(ana.Address) + ">"); err != nil {
		t.Errorf("its own: %v", err)
	}
	w.after(3 * w.Undo)
	if n := len(w.got("acme")) - before; n != 1 {
		t.Errorf("%d letters left, want its own", n)
	}
}

package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// The main job: two vendors are told in stages, each what it may know, when
// its answers and the dates allow it.
func TestStoryTwoVendors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	finder := w.person("finder", "someone@finder.example")
	entity := mailtest.Entity("Heap overflow in libfoo", "It overflows. canaryreport\n",
		mailtest.File{Name: "my-key.asc", Type: "application/pgp-keys", Data: string(finder.PublicKey())})
	w.arrives(finder.Address, "report@vdp.example.org", w.seal(finder, "report@vdp.example.org", true, entity))
	w.settle()
	if s := w.subjects("Intake"); len(s) != 1 || s[0] != "#1 Heap overflow in libfoo" {
		t.Fatalf("Intake holds %q", s)
	}
	receipts := w.got("finder")
	if len(receipts) != 1 || !strings.Contains(receipts[0].Text, "SHA-256") || strings.Contains(receipts[0].Text, "canaryreport") {
		t.Fatalf("receipts: %v", receipts)
	}

	id := w.caseWith("acme", "globex")
	w.do("case "+string(id), "start now")
	if w.heard("acme", cvd.Scope) || len(w.got("acme")) != 0 {
		t.Fatal("something left within the undo window")
	}
	w.after(5 * time.Minute)
	if len(w.got("acme")) != 1 || len(w.got("globex")) != 1 {
		t.Fatalf("heads-up: acme %d, globex %d", len(w.got("acme")), len(w.got("globex")))
	}
	w.answers("acme", id, true, "ACK\n")
	if w.heard("acme", cvd.Scope) {
		t.Fatal("scope left a day early")
	}
	w.after(cvd.Day)
	if !w.heard("acme", cvd.Scope) || w.heard("acme", cvd.Details) || w.heard("globex", cvd.Scope) {
		t.Fatal("after the ACK and a day: acme has scope, globex has not")
	}
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n\nThank you.\n")
	w.after(cvd.Day)
	if !w.heard("acme", cvd.Details) {
		t.Fatal("details did not follow the ACCEPT")
	}
	w.answers("globex", id, false, "ACK\n")
	w.answers("globex", id, false, "ACK "+string(id)+" "+w.code("acme")+"\n")
	if w.heard("globex", cvd.Scope) {
		t.Fatal("an unsigned ACK without globex's own code counts")
	}
	w.answers("globex", id, false, "ACK "+string(id)+" "+w.code("globex")+"\n")
	if !w.heard("globex", cvd.Scope) || w.heard("globex", cvd.Details) {
		t.Fatal("globex's own code did not let scope go at once")
	}
	w.after(30 * cvd.Day)
	for _, name := range []string{"acme", "globex"} {
		if !w.heard(name, cvd.Public) {
			t.Errorf("%s did not get the public text", name)
		}
	}
	sent := len(w.sink.Mails())
	w.restart()
	w.settle()
	if n := len(w.sink.Mails()); n != sent {
		t.Errorf("a restart sent %d mails again", n-sent)
	}
	w.view(func(tx *store.Tx) error {
		ps, err := Participants(tx, id)
		for _, p := range ps {
			if p.Has(cvd.RoleVendor) && p.Reached != cvd.Public {
				t.Errorf("%s reached %s", p.Party, p.Reached)
			}
		}
		return err
	})
}

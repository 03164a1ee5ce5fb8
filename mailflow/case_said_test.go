package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// The desk files a statement that a vendor gave by phone, and takes it back.
func TestRecord_Statement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	ana := w.coordinator("ana")
	by := Actor{Name: ana.Name, Via: ViaMail}
	for line, why := range map[string]string{
		`record acme statement "We fixed it."`:                                      "how it came is missing",
		`record acme statement via phone`:                                           "the statement is missing",
		`record acme statement "` + strings.Repeat("a", 17<<10) + `" via phone "J"`: "at most",
	} {
		w.refuses(by, why, "case "+string(id), line)
	}
	tr := w.as(by, "case "+string(id), `record acme statement "We fixed it in 4.8; see our page." via phone "Jo Doe, 3 Dec"`)
	p := w.participant(id, "acme")
	if !tr.Done() || p.Statement().Text != "We fixed it in 4.8; see our page." || p.Statement().Via != "phone Jo Doe, 3 Dec" {
		t.Fatalf("%s\n%+v", tr, p.Statements)
	}
	if out := w.in(id, "advisory show"); !strings.Contains(unwrapped(out), "We fixed it in 4.8") && !strings.Contains(unwrapped(out), "acme") {
		t.Errorf("%s", out)
	}
	undo := undoIn(t, tr.String())
	if tr := w.as(by, "undo "+undo); !tr.Done() || len(w.participant(id, "acme").Statements) != 0 {
		t.Errorf("%s", tr)
	}
}

func undoIn(t *testing.T, said string) string {
	t.Helper()
	_, rest, ok := strings.Cut(unwrapped(said), "undo U")
	if !ok {
		t.Fatalf("nothing to undo: %s", said)
	}
	n, _, _ := strings.Cut(rest, " ")
	return "U" + n
}

// `reach waves ... apply` does what the proposal shows, signed only.
func TestA3_WavesByFootprint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex", "initech")
	w.in(id, "invite acme footprint 80M", "invite globex footprint 15M", "invite initech footprint 5M")
	ana := w.coordinator("ana")
	w.refuses(Actor{Name: ana.Name, Via: ViaMail}, "counts only", "case "+string(id), "reach waves 80 95 apply")
	w.refuses(theOperator, "how much of the footprint", "case "+string(id), "reach waves apply")
	w.refuses(theOperator, "not understood", "case "+string(id), "reach waves 80 apply 95")
	shown := w.in(id, "reach waves 80 95")
	if w.participant(id, "globex").Wave != 1 {
		t.Fatal("a proposal changes waves")
	}
	w.in(id, "reach waves 80 95 apply")
	for name, wave := range map[string]int{"acme": 1, "globex": 2, "initech": 3} {
		if got := w.participant(id, cvd.PartyID(name)).Wave; got != wave {
			t.Errorf("%s is in wave %d, want %d; shown\n%s", name, got, wave, shown)
		}
	}
	if tr := w.as(theOperator, "case "+string(id), "reach waves 80 95 apply"); !strings.Contains(tr.String(), "the waves are so") {
		t.Errorf("%s", tr)
	}
}

// `member revoke` is what MEMBER REVOKE is, for the desk.
func TestMemberRevoke_ByTheDesk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	ana := w.coordinator("ana")
	by := Actor{Name: ana.Name, Via: ViaMail}
	jo := w.person("jo", "jo@acme.example")
	w.do("member add acme jo@acme.example")
	w.confirm("acme", jo)
	w.refuses(by, "is where the notices to acme go", "member revoke acme psirt@acme.example")
	w.refuses(by, "is no address of acme", "member revoke acme nobody@acme.example")
	if tr := w.as(by, "member revoke acme jo@acme.example"); !tr.Done() || !strings.Contains(unwrapped(tr.String()), "Not used any more") {
		t.Fatal(tr)
	}
	to := w.thread(id, "acme")
	w.arrives(jo.Address, to, w.seal(jo, to, true, mailtest.Entity("["+string(id)+"]", "STATUS affected 1\n")))
	w.settle()
	if w.participant(id, "acme").Status().Word != "" || len(w.partyOf("acme").Members) != 0 {
		t.Error("a revoked member counts")
	}
}

package mailflow

import (
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// lateCase is a started case of 30 days with all six stages, none of which needs
// an approval in time, and ana, ben and cho on the desk; nobody has answered.
func lateCase(t *testing.T, desk []string, vendors ...string) (*world, cvd.CaseID) {
	t.Helper()
	w := newWorld(t)
	for _, name := range desk {
		w.coordinator(name)
	}
	when := func(s string) cvd.When {
		at, err := cvd.ParseWhen(s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	p := w.Policies["fast"]
	public := p.Stages[3]
	p.Stages = append(p.Stages[:3:3],
		cvd.StageRule{Stage: cvd.Proof, At: when("start+5d"), Trust: cvd.Confirmed, Needs: []cvd.Need{cvd.Accepted}, TLP: "AMBER"},
		cvd.StageRule{Stage: cvd.Advisory, At: when("end-10d"), Trust: cvd.Confirmed, Needs: []cvd.Need{cvd.Accepted}, TLP: "AMBER"}, public)
	w.Policies["fast"] = p
	id := w.caseWith(vendors...)
	w.material(id, cvd.Proof, "the proof text "+canary(cvd.Proof))
	w.material(id, cvd.Advisory, "the advisory text "+canary(cvd.Advisory))
	w.in(id, "start now")
	w.after(10 * time.Minute)
	return w, id
}

// approveAll says yes to every open request, as each of these and signed.
func (w *world) approveAll(names ...string) {
	w.t.Helper()
	for _, a := range w.requests("") {
		for _, name := range names {
			if t := w.as(Actor{Name: name, Via: ViaMail, Signed: true}, "approve "+a.ID); !t.Done() {
				w.t.Fatalf("%s could not approve %s:\n%s", name, a.ID, t)
			}
		}
	}
	w.after(w.Undo)
}

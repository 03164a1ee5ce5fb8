package mailflow

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// onRequest is a case whose proof goes only to who asks for it, on day 5, and whose
// advisory to who accepted, on day 10.
func onRequest(t *testing.T, vendors ...string) (*world, cvd.CaseID) {
	t.Helper()
	w := newWorld(t)
	p := w.Policies["fast"]
	p.Name, p.Stages = "request", nil
	for _, rule := range w.Policies["fast"].Stages {
		if rule.Stage == cvd.Public {
			p.Stages = append(p.Stages,
				cvd.StageRule{Stage: cvd.Proof, At: whenSaid(t, "start+5d"), Needs: []cvd.Need{cvd.Accepted, cvd.Requested}, Trust: cvd.Confirmed, TLP: rule.TLP},
				cvd.StageRule{Stage: cvd.Advisory, At: whenSaid(t, "start+10d"), Needs: []cvd.Need{cvd.Accepted}, Trust: cvd.Confirmed, TLP: rule.TLP})
		}
		p.Stages = append(p.Stages, rule)
	}
	w.Policies["request"] = p
	id := w.caseWith(vendors...)
	w.material(id, cvd.Proof, "the proof text "+canary(cvd.Proof))
	w.material(id, cvd.Advisory, "the advisory text "+canary(cvd.Advisory))
	w.in(id, "case policy request", "start now")
	w.after(time.Hour)
	for _, v := range vendors {
		w.answers(v, id, true, "ACCEPT "+string(id)+" v1\n")
	}
	w.steps(6*time.Hour, 4*cvd.Day)
	return w, id
}

func whenSaid(t *testing.T, s string) cvd.When {
	t.Helper()
	at, err := cvd.ParseWhen(s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// A stage on request goes to who asks for it, in a line that the notice before it
// prints, and the advisory waits for it with nobody who did not ask.
func TestRequest_GoesToWhoAsks(t *testing.T) {
	t.Parallel()
	w, id := onRequest(t, "acme", "globex")
	w.told("acme", "Heads-up", "Scope", "Details")
	all := w.sealedTo("acme")
	if text := all[len(all)-1].Text; !strings.Contains(text, "\n    REQUEST "+string(id)+" proof ") {
		t.Errorf("the details print no line to ask with:\n%s", text)
	}
	w.steps(6*time.Hour, 2*cvd.Day)
	if out := w.in(id, "plan acme"); !strings.Contains(out, "proof  2") || !strings.Contains(out, "waiting: needs requested") || !strings.Contains(out, "missing: requested") {
		t.Errorf("plan:\n%s", out)
	}
	w.told("acme", "Heads-up", "Scope", "Details")
	w.answers("acme", id, true, "Request a call with your engineers\n")
	w.steps(time.Hour, 6*time.Hour)
	w.told("acme", "Heads-up", "Scope", "Details")
	w.answers("acme", id, true, "REQUEST "+string(id)+" proof\n")
	w.after(time.Minute) // it is due, and goes at once
	w.told("acme", "Heads-up", "Scope", "Details", "Proof")
	w.steps(6*time.Hour, 5*cvd.Day)
	w.told("acme", "Heads-up", "Scope", "Details", "Proof", "Advisory")
	w.told("globex", "Heads-up", "Scope", "Details", "Advisory")
	w.answers("globex", id, true, "REQUEST proof\n")
	w.steps(6*time.Hour, cvd.Day)
	w.told("globex", "Heads-up", "Scope", "Details", "Advisory")
}

// A coordinator files a request that came another way, signed, and can undo it.
func TestRequest_Recorded(t *testing.T) {
	t.Parallel()
	w, id := onRequest(t, "acme")
	tag, line := "case "+string(id), `record acme requested proof via phone "Jo Doe"`
	w.refuses(Actor{Name: "ana", Via: ViaMail}, "counts only signed", tag, line)
	w.refuses(theOperator, "scope needs no request by policy request", tag, `record acme requested scope via phone "Jo Doe"`)
	if out := w.in(id, line, "status"); !strings.Contains(out, "acme asks for proof, via phone Jo Doe") || !strings.Contains(unwrapped(out), "asked for proof") {
		t.Errorf("record:\n%s", out)
	}
	w.refuses(theOperator, "asked for proof already", tag, line)
	w.steps(6*time.Hour, 2*cvd.Day)
	w.told("acme", "Heads-up", "Scope", "Details", "Proof")
}

// Who filed it takes it back, and the proof does not go.
func TestUndo_Requested(t *testing.T) {
	t.Parallel()
	w, id := onRequest(t, "acme")
	out := w.in(id, `record acme requested proof via phone "Jo Doe"`)
	number := regexp.MustCompile(`undo (U\d+)`).FindStringSubmatch(out)
	if number == nil || !w.who(id, "acme").Meets(cvd.Requested, cvd.Proof) {
		t.Fatalf("record:\n%s", out)
	}
	w.do("undo " + number[1])
	if w.who(id, "acme").Meets(cvd.Requested, cvd.Proof) {
		t.Error("what was taken back counts")
	}
	w.steps(6*time.Hour, 2*cvd.Day)
	w.told("acme", "Heads-up", "Scope", "Details")
}

// What REQUEST is, and what only looks like it.
func TestRequest_Lines(t *testing.T) {
	t.Parallel()
	who := cvd.Participant{Roles: []cvd.Role{cvd.RoleVendor}, Reached: cvd.Details}
	c := cvd.Case{Policy: cvd.Policy{Stages: []cvd.StageRule{{Stage: cvd.Details}, {Stage: cvd.Proof, Needs: []cvd.Need{cvd.Requested}}, {Stage: cvd.Advisory}}}}
	for line, want := range map[string]string{
		"REQUEST":                                "requested",
		"request PAR-2026-0007 proof K7Q3-X9PM":  "requested",
		"REQUEST PAR-2026-0007 K7Q3-X9PM":        "requested",
		"REQUEST advisory":                       "no request",
		"Request proof of the claim that you it": "",
		"Request for comments":                   "",
		"REQUEST poc":                            "",
	} {
		cmd, ok := parseVendorLine(line, verbsOf("acme"))
		if ok != (want != "") {
			t.Errorf("%q: a command: %t", line, ok)
			continue
		}
		if !ok {
			continue
		}
		who := who
		if _, counted := counts(&who, &cmd, "PAR-2026-0007", true, map[string]bool{"K7Q3-X9PM": true}, time.Time{}); !counted {
			t.Errorf("%q does not count", line)
		}
		if got := request(c, &who, cmd.Args); got.Word != want {
			t.Errorf("%q: %s, want %s", line, got.Word, want)
		}
	}
}

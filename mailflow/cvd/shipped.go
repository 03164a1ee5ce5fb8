package cvd

import "time"

// Shipped gives the policies that Parley brings along; a configuration may
// replace each by name.
func Shipped() map[string]Policy {
	strict := func(s Stage, at string, trust Trust, approvals int, signed bool, needs ...Need) StageRule {
		w, err := ParseWhen(at)
		if err != nil {
			panic(err) // a constant of this file
		}
		tlp := TLP("AMBER+STRICT")
		if s == Public {
			tlp = "CLEAR"
		}
		return StageRule{Stage: s, At: w, Trust: trust, Approvals: approvals, Signed: signed, Needs: needs, TLP: tlp}
	}
	staged := func(scope, details, proof, advisory string) []StageRule {
		return []StageRule{
			strict(HeadsUp, "start", Found, 0, false),
			strict(Scope, scope, Confirmed, 1, false, Accepted),
			strict(Details, details, Confirmed, 1, true, Accepted),
			strict(Proof, proof, Confirmed, 1, true, Accepted),
			strict(Advisory, advisory, Confirmed, 1, true, Accepted),
			strict(Public, "end", Found, 1, true),
		}
	}
	remind := []time.Duration{3 * Day, 7 * Day, 14 * Day}
	all := []Policy{
		{Name: "default", Embargo: 90 * Day, Wave: 2 * Day, Remind: remind, Lead: 90 * Day, Leak: DefaultLeak, Confirmers: 1,
			Stages: staged("start+1d", "start+3d", "start+14d", "end-14d")},
		{Name: "cert-cc", Embargo: 45 * Day, Wave: Day, Remind: remind, Lead: 45 * Day, Leak: DefaultLeak, Confirmers: 1,
			Stages: staged("start+1d", "start+2d", "start+7d", "end-7d")},
		{Name: "project-zero", Embargo: 90 * Day, Wave: 0, Remind: remind, Lead: 90 * Day, Leak: DefaultLeak, Confirmers: 1,
			Stages: staged("start", "start", "start", "end-7d")},
		{Name: "distros", Embargo: 21 * Day, Wave: 7 * Day, Remind: []time.Duration{Day, 3 * Day}, Lead: 14 * Day, Leak: DefaultLeak, Confirmers: 1,
			Stages: staged("start", "start+1d", "start+2d", "end-3d")},
		{Name: "hardware", Embargo: 270 * Day, Wave: 30 * Day, Remind: remind, Lead: 270 * Day, Leak: DefaultLeak, Confirmers: 1,
			Stages: staged("start+3d", "start+14d", "start+45d", "end-30d")},
	}
	m := make(map[string]Policy, len(all))
	for _, p := range all {
		m[p.Name] = p
	}
	return m
}

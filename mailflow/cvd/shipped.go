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
		// Ninety days are what most who coordinate or find flaws give: the page
		// of Project Zero below, from which others took it.
		{Name: "default", Embargo: 90 * Day, Wave: 2 * Day, Remind: remind, Lead: 90 * Day, Leak: DefaultLeak, Confirmers: 1,
			Stages: staged("start+1d", "start+3d", "start+14d", "end-14d")},
		// The CERT/CC aims at publication 45 days after it first tried to reach
		// the vendor, and negotiates.
		// https://certcc.github.io/CERT-Guide-to-CVD/tutorials/coord_certcc/vendor
		{Name: "cert-cc", Embargo: 45 * Day, Wave: Day, Remind: remind, Lead: 45 * Day, Leak: DefaultLeak, Confirmers: 1,
			Stages: staged("start+1d", "start+2d", "start+7d", "end-7d")},
		// Project Zero gives 90 days for the fix and 30 more for people to take
		// it, before technical details: so the embargo is of the details, and the
		// joint advisory at end-30d is the day by which the fix is to be out.
		// Where it is out earlier, or not at all, the desk moves the end.
		// https://googleprojectzero.blogspot.com/p/vulnerability-disclosure-policy.html
		{Name: "project-zero", Embargo: 120 * Day, Wave: 0, Remind: remind, Lead: 120 * Day, Leak: DefaultLeak, Confirmers: 1,
			Stages: staged("start", "start", "start", "end-30d")},
		// The lists of the distributions take embargoes of at most 14 days, and
		// ask that upstream is told before them: it is wave 1 here, and has a week
		// more.
		// https://oss-security.openwall.org/wiki/mailing-lists/distros
		{Name: "distros", Embargo: 21 * Day, Wave: 7 * Day, Remind: []time.Duration{Day, 3 * Day}, Lead: 14 * Day, Leak: DefaultLeak, Upstream: 1, Confirmers: 1,
			Stages: staged("start", "start+1d", "start+2d", "end-3d")},
		// Nobody publishes a number for processors and firmware. The process of
		// the Linux kernel names none and speaks of a time that the vendors of
		// the hardware agree on; known cases took half a year to a year.
		// https://docs.kernel.org/process/embargoed-hardware-issues.html
		{Name: "hardware", Embargo: 270 * Day, Wave: 30 * Day, Remind: remind, Lead: 270 * Day, Leak: DefaultLeak, Confirmers: 1,
			Stages: staged("start+3d", "start+14d", "start+45d", "end-30d")},
	}
	m := make(map[string]Policy, len(all))
	for _, p := range all {
		p.Days.Publish = Days{}.publish()
		m[p.Name] = p
	}
	return m
}

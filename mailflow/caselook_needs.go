package mailflow

import (
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
)

// trouble is one thing about notices that needs a person, for one vendor or
// for several that it is the same for.
type trouble struct {
	what, why string
	parties   []cvd.PartyID
	task      string // of the first notice
}

// needsOf lists what a person must do about notices. What is the same for
// several vendors is one thing.
func needsOf(vendors []vendorLook, open []taskRow) []string {
	var all []trouble
	for _, p := range vendors {
		for _, n := range p.notices {
			what, why := troubleOf(n)
			if what == "" {
				continue
			}
			i := slices.IndexFunc(all, func(t trouble) bool { return t.what == what && t.why == why })
			if i < 0 {
				i, all = len(all), append(all, trouble{what: what, why: why, task: troubleTask(n)})
			}
			all[i].parties = append(all[i].parties, p.Party)
		}
	}
	var out []string
	for _, t := range all {
		who := partyList(t.parties)
		if n := len(t.parties); n > 3 {
			who = fmt.Sprintf("%s and %d more", partyList(t.parties[:2]), n-2)
		}
		each := who
		if len(t.parties) > 1 {
			each = "each"
		}
		line := strings.Replace(t.what, anyParty, who, 1)
		if t.why != "" {
			line += ": " + strings.ReplaceAll(t.why, anyParty, each)
		}
		if i := slices.IndexFunc(open, func(r taskRow) bool { return r.Key == t.task }); i >= 0 && len(t.parties) == 1 {
			line = open[i].id() + " " + line + open[i].doer()
		}
		out = append(out, line)
	}
	return out
}

// anyParty stands in the words of a trouble where the vendor's name does, so
// that the words of several vendors can be the same. No name has capitals.
const anyParty = "PARTY"

// unnamed puts anyParty in the place of a vendor's name.
func unnamed(text string, p cvd.PartyID) string {
	words := strings.Split(text, " ")
	for i, w := range words {
		if bare := strings.TrimRight(w, ":;,."); bare == string(p) {
			words[i] = anyParty + w[len(bare):]
		}
	}
	return strings.Join(words, " ")
}

// troubleOf says what a notice needs somebody for, and why; or "".
func troubleOf(n cvd.Notice) (what, why string) {
	name := noticeName(n)
	switch {
	case n.State == cvd.Held && n.Row.IsZero(): // with a row it ends by itself
		return name + " to " + anyParty + " is held", unnamed(n.Why, n.Party)
	case n.State == cvd.Unknown:
		return name + " to " + anyParty, fmt.Sprintf("did it arrive? (D%d)", n.Delivery)
	case n.State == cvd.Sent && cameBack(n):
		return name + " to " + anyParty, fmt.Sprintf("bounced (D%d)", n.Delivery)
	case n.State == cvd.Failed:
		return name + " to " + anyParty, fmt.Sprintf("refused by their server (D%d)", n.Delivery)
	}
	return "", ""
}

// troubleTask names the task that tells of it.
func troubleTask(n cvd.Notice) string {
	switch {
	case n.State == cvd.Held:
		return heldKey(n)
	case n.State == cvd.Sent && cameBack(n):
		return bounceKey(n)
	}
	return deliveryKey(n.Delivery)
}

// taskNeeds lists the other open tasks of a case, by their Subjects without the
// tag of the case.
func taskNeeds(open []taskRow) []string {
	var out []string
	for _, r := range open {
		if r.Kind == "held" || r.Kind == "delivery" {
			continue
		}
		subject := r.Subject
		if r.Kind == "exploited" { // that it is stands on a line of its own
			subject = "can the embargo last, now that it is exploited?"
		}
		if r.Case != "" {
			for _, words := range []string{" in " + string(r.Case), " of " + string(r.Case), string(r.Case) + " "} {
				subject = strings.Replace(subject, words, "", 1)
			}
		}
		out = append(out, r.id()+" "+subject+r.doer())
	}
	return out
}

// alarmsFirst puts what cannot wait before what can: a case file shows no more than
// a page of either.
func alarmsFirst(needs []string) []string {
	slices.SortStableFunc(needs, func(a, b string) int { return alarmed(a) - alarmed(b) })
	return needs
}

// alarmed is 0 for an alarm, before which the number of its task may stand, and 1
// for all else.
func alarmed(need string) int {
	words := strings.Fields(need)
	if slices.ContainsFunc(words[:min(2, len(words))], func(w string) bool { return strings.TrimSuffix(w, ":") == "ALARM" }) {
		return 0
	}
	return 1
}

// doer is " [ana]" where somebody does a task.
func (r taskRow) doer() string {
	if r.By == "" {
		return ""
	}
	return " [" + r.By + "]"
}

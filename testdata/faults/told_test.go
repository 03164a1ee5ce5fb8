package faults

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"parley/mailflow/mailtest"
)

// once says which notices left early, or twice.
func (l *load) once(t *testing.T) (f findings) {
	t.Helper()
	ids, notices := map[string]int{}, map[string]int{}
	for _, m := range l.sink.mails("") {
		if ids[m.id]++; ids[m.id] == 2 {
			f.add("the mail %s to %s was sent twice", m.id, m.to)
		}
	}
	for _, v := range l.p.vendors {
		for _, m := range l.sink.mails(v.Address) {
			o, err := v.Open(m.raw, l.p.ours)
			if err != nil {
				f.add("%s cannot open its mail: %v", v.Name, err)
				continue
			}
			tag := tagOf.FindString(o.Subject)
			if !strings.Contains(o.Subject, "Heads-up") {
				continue // an answer to an answer
			}
			if notices[v.Name+tag]++; notices[v.Name+tag] == 2 {
				f.add("%s was told of %s twice", v.Name, tag)
			}
			if m.at.Before(l.cases[tag]) {
				f.add("%s was told of %s %s early", v.Name, tag, l.cases[tag].Sub(m.at))
			}
		}
	}
	return f
}

var tagOf = regexp.MustCompile(`[A-Z]+-\d{4}-\d{4}`)

// unknownDelivery is one that waits for a person; a server that refused for good is such a case as well.
var unknownDelivery = regexp.MustCompile(`(?:unknown|failed) delivery (D\d+)`)

// accounted says which notices neither arrived nor wait for a person, and lets a person decide about the rest.
func (l *load) accounted(t *testing.T) (f findings, unknown int) {
	t.Helper()
	told := func(v *mailtest.Person) map[string]bool {
		out := map[string]bool{}
		for _, m := range l.sink.mails(v.Address) {
			if o, err := v.Open(m.raw, l.p.ours); err == nil {
				out[tagOf.FindString(o.Subject)] = true
			}
		}
		return out
	}
	missing := func() (out []string) {
		for _, v := range l.p.vendors {
			got := told(v)
			for tag := range l.cases {
				if !got[tag] {
					out = append(out, tag)
				}
			}
		}
		return out
	}
	within(15*time.Second, func() bool { return len(missing()) == 0 || l.allAsked(t, missing()) })
	for _, tag := range missing() {
		if !unknownDelivery.MatchString(l.g.mustDo("case "+tag, "plan")) {
			f.add("a notice of %s did not arrive, and nobody is asked about it", tag)
		}
	}
	for tag := range l.cases {
		for _, m := range unknownDelivery.FindAllStringSubmatch(l.g.mustDo("case "+tag, "plan"), -1) {
			unknown++
			l.g.mustDo("case "+tag, "delivery "+m[1]+" again")
		}
	}
	if !within(20*time.Second, func() bool { return len(missing()) == 0 }) {
		f.add("%d notices are lost, also after a person said again", len(missing()))
	}
	return f, unknown
}

func (l *load) allAsked(t *testing.T, tags []string) bool {
	t.Helper()
	for _, tag := range tags {
		if !unknownDelivery.MatchString(l.g.mustDo("case "+tag, "plan")) {
			return false
		}
	}
	return true
}

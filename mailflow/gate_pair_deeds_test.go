package mailflow

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
)

// pairDeeds are what desk and vendors do about an introduction, and observerDeeds
// about somebody who gets counts only.
var (
	pairDeeds = []deedKind{
		{"introduce", 1, (*history).introduce},
		{"consent", 3, (*history).consent},
	}
	observerDeeds = []deedKind{
		{"observer", 2, (*history).observer},
		{"state", 1, (*history).asksForCounts},
	}
)

// deedsBetween puts what leads to an introduction between the steps of every fourth
// history, in its order, and an observer among those of another fourth: by chance
// alone hardly any would come that far.
func deedsBetween(r *rand.Rand, seed int, steps []deed) []deed {
	var more []deed
	switch seed % 8 {
	case 1, 4, 5:
		more = []deed{{"days", 66, 0, 0}, {what: "introduce"}, {what: "consent"}, {what: "consent"}, {what: "consent"}}
	case 2, 6:
		more = []deed{{what: "observer"}, {what: "state"}}
	}
	at := 0
	for _, d := range more {
		if d.a == 0 {
			d.a, d.b, d.c = r.IntN(1<<16), r.IntN(1<<16), r.IntN(1<<16)
		}
		at += r.IntN((len(steps)-at)/2 + 1)
		steps = slices.Insert(steps, at, d)
		at++
	}
	return steps
}

// toldIn are the vendors that take part in a case and were told of it.
func (h *history) toldIn(id cvd.CaseID) (in []string) {
	for _, v := range historyVendors {
		if s := h.o.cases[id].seats[v]; s != nil && !s.gone && s.reached != "" {
			in = append(in, v)
		}
	}
	return in
}

// introduce is the desk, which brings two vendors together, or thinks better of it.
// Now and then it names an observer, which is refused.
func (h *history) introduce(d deed) {
	in := h.toldIn(h.caseOf(d))
	if len(in) < 2 {
		in = historyVendors // which is refused
	}
	a, b := in[d.b%len(in)], in[(d.b+1)%len(in)]
	switch d.c % 8 {
	case 0:
		h.command(d, "introduce "+a+" "+historyObserver)
	case 1:
		h.command(d, "introduce "+a+" "+b+` cancel because "no use"`)
	default:
		h.command(d, "introduce "+a+" "+b+` because "`+b+` has the same decoder"`)
	}
	h.pass(time.Duration(d.a%4) * 2 * time.Minute)
}

// consent is the word of one of two who are being introduced: by letter, signed or
// with the code of the question, or by telephone, which the desk files.
func (h *history) consent(d deed) {
	id, p := h.pairNear(d)
	if p == nil {
		return
	}
	v := p.of[d.b/8%2]
	if p.yes[v] && d.a%4 != 0 {
		v = p.other(v)
	}
	if p.asked[v] == 0 {
		h.pass(2 * h.Undo)
	}
	switch d.c % 8 {
	case 0:
		h.gives(id, v, "REFUSE", p, d)
	case 1:
		h.files(id, p, fmt.Sprintf(`record %s consent to %s via phone "Jo"`, v, p.other(v)), v)
	case 2:
		h.files(id, p, fmt.Sprintf(`record %s introduced to %s via "their portal"`, v, p.other(v)), v)
	default:
		h.gives(id, v, "CONSENT", p, d)
	}
}

// pairNear is an introduction in the case of a deed, or else in another one.
func (h *history) pairNear(d deed) (cvd.CaseID, *pairKnown) {
	for i := range h.ids {
		id := h.ids[(d.a+i)%len(h.ids)]
		if p := h.o.cases[id].openPair(d.b); p != nil {
			return id, p
		}
	}
	return "", nil
}

// gives is a word by letter. Without a signature it needs the line of a question,
// which may be an older one, or one whose code was used.
func (h *history) gives(id cvd.CaseID, v, word string, p *pairKnown, d deed) {
	if p.asked[v] == 0 {
		return
	}
	h.o.said = word
	defer func() { h.o.said = "" }()
	if line := h.lineOf(id, v, fmt.Sprintf("%s %s %d ", word, id, p.asked[v])); d.a%3 == 0 && line != "" {
		h.sends(goodKey, false, id, v, line+"\n")
		return
	}
	h.letter(id, v, fmt.Sprintf("%s %s %d\n", word, id, p.asked[v]))
}

// lineOf is the newest line that begins in some way of all that a participant was
// sent in a case.
func (h *history) lineOf(id cvd.CaseID, v, begins string) string {
	for _, m := range slices.Backward(h.mails) {
		for line := range strings.Lines(m.Text) {
			if line = strings.TrimSpace(line); m.party == v && m.id == id && strings.HasPrefix(line, begins) {
				return line
			}
		}
	}
	return ""
}

// files is a record of the desk about an introduction, which may wait for a second
// person.
func (h *history) files(id cvd.CaseID, p *pairKnown, line, v string) {
	t := h.as(desk("ana"), "case "+string(id), line)
	last := t.Lines[len(t.Lines)-1]
	switch {
	case !t.Done():
		h.did["refused"]++
	case last.Waits != "":
		p.filed[last.Waits] = v
	default:
		h.did["record"]++
		h.o.recorded(id, p, v, strings.Contains(line, "introduced"))
	}
	h.settleAndJudge()
}

// observer comes, is held, goes on, or goes.
func (h *history) observer(d deed) {
	line := "invite " + historyObserver + " role observer"
	if s := h.o.cases[h.caseOf(d)].seats[historyObserver]; s != nil && !s.gone {
		line = []string{"hold " + historyObserver, "release " + historyObserver, "withdraw " + historyObserver + ` because "no need"`, line}[d.c%4]
	}
	h.command(d, line)
}

// asksForCounts is a letter of an observer, who may ask how far it is, and nothing
// else.
func (h *history) asksForCounts(d deed) {
	id := h.caseOf(d)
	if h.o.cases[id].seats[historyObserver] == nil {
		return
	}
	if line := h.lineOf(id, historyObserver, "STATE "); d.c%4 == 0 && line != "" {
		h.sends(goodKey, false, id, historyObserver, line+"\n")
		return
	}
	line := []string{"STATE " + string(id), "STATE " + string(id), "ACCEPT " + string(id) + " v1", "HISTORY " + string(id), "CONSENT " + string(id)}[d.c%5]
	h.letter(id, historyObserver, line+"\n")
}

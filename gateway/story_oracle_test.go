package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
)

// The oracle is the product's text once more, in other words than the gateway's:
// which stage a vendor may have at an instant, given what it answered, the dates,
// and who said yes. It asks nothing of the gateway.

// Times of the policy of the story, which storyPolicy sets.
const (
	storyWave  = 12 * cvd.Day
	storyUndo  = 2 * time.Minute
	lateBy     = 5 * cvd.Day // before the end
	silentBy   = 7 * cvd.Day
	leakEnds   = cvd.Day
	leakWithin = 30 * time.Minute
)

// storyDues are the stages as they fall due after the start; those that go by the
// end stand beside.
var (
	storyDues = map[cvd.Stage]time.Duration{cvd.HeadsUp: 0, cvd.Scope: cvd.Day, cvd.Details: 3 * cvd.Day, cvd.Proof: 10 * cvd.Day}
	storyEnds = map[cvd.Stage]time.Duration{cvd.Advisory: 14 * cvd.Day, cvd.Public: 0}
)

// storyEnd is an end of the embargo since an instant.
type storyEnd struct{ from, end time.Time }

// storyYes is what others than the author said yes to.
type storyYes struct {
	at      time.Time
	people  int
	stage   cvd.Stage
	parties []string
	leak    bool
}

// end is the end of the embargo as it stood at an instant.
func (s *story) end(at time.Time) (end time.Time) {
	for _, e := range s.ends {
		if !at.Before(e.from) {
			end = e.end
		}
	}
	return end
}

// due is when a stage falls due for a vendor, by the dates of an instant.
func (s *story) due(v *storyVendor, stage cvd.Stage, at time.Time) time.Time {
	if before, ok := storyEnds[stage]; ok {
		return s.end(at).Add(-before)
	}
	return s.cast.start.Add(storyDues[stage] + time.Duration(v.wave-1)*storyWave)
}

// before is the stage that has to be told before another one: the highest below it
// but a proof that falls due only when the embargo is over, or that goes to who is
// late.
func (s *story) before(v *storyVendor, stage cvd.Stage, at time.Time) (last cvd.Stage) {
	_, late := s.late(v, at)
	for _, below := range cvd.Stages()[:stage.Rank()-1] {
		if below != cvd.Proof || !late && s.due(v, below, at).Before(s.end(at)) {
			last = below
		}
	}
	return last
}

// saidYes says whether enough people said yes to a stage for a vendor, long enough
// ago that it cannot be taken back.
func (s *story) saidYes(v *storyVendor, stage cvd.Stage, people int, at time.Time) bool {
	return slices.ContainsFunc(s.yes, func(y storyYes) bool {
		return !y.leak && y.stage == stage && y.people >= people && !at.Before(y.at.Add(storyUndo)) && slices.Contains(y.parties, v.party)
	})
}

func since(fact, at time.Time) bool { return !fact.IsZero() && !at.Before(fact) }

// late says whether a vendor is told late at an instant, and since when it may be.
func (s *story) late(v *storyVendor, at time.Time) (from time.Time, late bool) {
	heard := s.cast.start.Add(time.Duration(v.wave-1) * storyWave)
	if since(v.accepted, at) || !since(v.declined, at) && at.Before(heard.Add(silentBy)) {
		return from, false
	}
	if since(v.now, at) {
		return v.now, true
	}
	return s.end(at).Add(-lateBy), true
}

// denies says why a vendor may not have a stage at an instant, or "".
func (s *story) denies(v *storyVendor, stage cvd.Stage, at time.Time) string {
	people, from := 1, s.due(v, stage, at)
	if stage == cvd.HeadsUp {
		people = 0
	}
	if stage != cvd.HeadsUp && stage != cvd.Public && !since(v.accepted, at) {
		told, late := s.late(v, at)
		switch {
		case !late:
			return "it has not accepted the embargo"
		case stage == cvd.Proof:
			return "who is late gets no proof"
		}
		people, from = 2, told
	}
	switch over := !at.Before(s.end(at)); {
	case at.Before(s.cast.start.Add(storyUndo)):
		return "the start could still be taken back"
	case at.Before(from):
		return fmt.Sprintf("it falls due %s later", from.Sub(at))
	case stage == cvd.Public && !over || stage != cvd.Public && over:
		return fmt.Sprintf("the embargo ends %s", s.end(at))
	case people > 0 && !s.saidYes(v, stage, people, at):
		return fmt.Sprintf("not %d said yes", people)
	case v.is(offline):
		return "it is told by hand alone"
	}
	if last := s.before(v, stage, at); stage != cvd.Public && v.knows(at) < last.Rank() {
		return fmt.Sprintf("it was not told %s", last)
	}
	return ""
}

// deniesLeak says why a vendor may not be told of the leak at an instant, or "".
func (s *story) deniesLeak(at time.Time) string {
	switch {
	case !since(s.leaked, at):
		return "nothing has leaked"
	case !slices.ContainsFunc(s.yes, func(y storyYes) bool { return y.leak && y.at.Before(s.leaked) }):
		return "nobody said yes to the leak kit"
	}
	return ""
}

// judges gives all that is wrong with a mail to a vendor: it came too early, it
// says too much or too little, or something of others.
func (s *story) judges(v *storyVendor, m storyMail) (wrong []string) {
	denied := ""
	switch {
	case m.kind == "stage":
		denied = s.denies(v, m.stage, m.At)
	case m.kind == "reminder":
		if v.counts("stage "+string(m.stage)) == 0 {
			denied = "nothing was sent that it reminds of"
		}
	case m.kind == "leak":
		denied = s.deniesLeak(m.At)
	case m.kind == "letter" && strings.Contains(m.Text, answeredMark):
		if !since(s.answered, m.At) || v.knows(m.At) < cvd.Details.Rank() {
			denied = "it has not reached the stage that the answer is for"
		}
	}
	if denied != "" {
		wrong = append(wrong, "it may not have this: "+denied)
	}
	wrong = append(wrong, s.texts(v, m)...)
	wrong = append(wrong, s.strangers(v, m)...)
	return append(wrong, s.sealed(v, m)...)
}

// knows is the rank of the highest stage that a vendor was told until an instant.
func (v *storyVendor) knows(at time.Time) (rank int) {
	for _, m := range v.mails {
		if !m.At.After(at) && (m.kind == "stage" || m.kind == "leak") {
			rank = max(rank, m.stage.Rank())
		}
	}
	return rank
}

// texts checks the words of each stage in a mail.
func (s *story) texts(v *storyVendor, m storyMail) (wrong []string) {
	all, told := m.all(), max(v.knows(m.At), m.stage.Rank())
	for stage, t := range storyTexts {
		has := strings.Contains(all, t.mark)
		if has && !m.mayStand(stage) {
			wrong = append(wrong, "it holds the text of "+string(stage))
		}
		if !has && m.mustStand(stage) {
			wrong = append(wrong, "it lacks the text of "+string(stage))
		}
		for _, word := range t.says {
			if strings.Contains(strings.Join(strings.Fields(all), " "), word) && told < stage.Rank() {
				wrong = append(wrong, fmt.Sprintf("it says %q, which is of %s", word, stage))
			}
		}
	}
	if has := strings.Contains(all, v.annex()); has != (m.mayStand(cvd.Details) && v.annexed()) {
		wrong = append(wrong, fmt.Sprintf("its annex stands in it: %v", has))
	}
	answered := strings.Contains(all, answeredMark)
	if answered != (m.mayStand(cvd.Details) && since(s.answered, m.At)) && m.kind != "letter" {
		wrong = append(wrong, fmt.Sprintf("the answer to all stands in it: %v", answered))
	}
	return wrong
}

// strangers finds words of others in a mail, its names and files included.
func (s *story) strangers(v *storyVendor, m storyMail) (wrong []string) {
	all := strings.ToLower(m.all())
	for _, o := range s.vendors {
		if o == v {
			continue
		}
		for _, word := range []string{o.party, o.product, o.words(), o.annex()} {
			if strings.Contains(all, strings.ToLower(word)) {
				wrong = append(wrong, "it says "+word)
			}
		}
	}
	for _, word := range []string{"robin", s.cast.finder.Address, "ana", "ben", "cyd", reportMark} {
		if word := strings.ToLower(word); slices.Contains(strings.FieldsFunc(all, notOfName), word) {
			wrong = append(wrong, "it says "+word)
		}
	}
	return wrong
}

// notOfName are the characters that end a name or an address.
func notOfName(r rune) bool { return strings.ContainsRune(" \t\r\n<>()[],;:\"'=", r) }

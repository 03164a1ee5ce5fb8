package main

import (
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
)

// tallies checks that each notice was sent once, and none was lost: what the
// vendors have is what the gateway says that it sent, and the rest has a reason.
func (s *story) tallies() {
	s.Helper()
	sent := 0
	all := s.notices()
	for _, v := range s.vendors {
		for _, wrong := range s.tally(v, v.mails, all[cvd.PartyID(v.party)]) {
			s.Errorf("%s: %s", v.party, wrong)
		}
		sent += len(v.mails)
	}
	s.say("%d mails to %d vendors", sent, len(s.vendors))
	s.plan()
}

// tally compares the mails of one vendor with its notices.
func (s *story) tally(v *storyVendor, mails []storyMail, notices []cvd.Notice) (wrong []string) {
	came, once := map[string]int{}, map[string]int{}
	for _, m := range mails {
		came[strings.Trim(m.header("Message-ID"), "<>")]++
		if m.kind != "answer" && m.kind != "clear" && m.kind != "reminder" {
			once[m.name()]++
		}
		if m.kind == "reminder" {
			once[m.name()+m.At.Format(" 2 Jan")]++
		}
	}
	for name, n := range once {
		if n > 1 {
			wrong = append(wrong, fmt.Sprintf("%s came %d times", name, n))
		}
	}
	for _, n := range notices {
		wrong = append(wrong, v.ended(n)...)
		if n.State == cvd.Sent && n.Delivery != 0 {
			if came[n.MessageID] != 1 {
				wrong = append(wrong, fmt.Sprintf("%s %s is said to be sent, and came %d times", n.Kind, n.Stage, came[n.MessageID]))
			}
			delete(came, n.MessageID)
		}
	}
	for id, n := range came {
		wrong = append(wrong, fmt.Sprintf("%s came %d times, and nobody says that it was sent", id, n))
	}
	if n := len(slices.DeleteFunc(slices.Clone(mails), func(m storyMail) bool { return m.kind != "answer" })); n != v.commands {
		wrong = append(wrong, fmt.Sprintf("%d answers to %d mails with a command", n, v.commands))
	}
	return wrong
}

// ended checks that a notice has an end, or a reason why it is held.
func (v *storyVendor) ended(n cvd.Notice) []string {
	switch {
	case n.State == cvd.Sent, n.State == cvd.Failed && v.is(bouncing):
		return nil
	case (n.State == cvd.Cancelled || n.State == cvd.Held && v.is(offline)) && n.Why != "":
		return nil
	}
	return []string{fmt.Sprintf("%s %s is %s in the end: %q", n.Kind, n.Stage, n.State, n.Why)}
}

// bounces are the notices that go to an address which does not exist, beside stages
// that wait for one that went: heads-up, leak and public. Of a date it is told
// nothing, since it knows of no case.
const bounces = 3

// plan reads the desk's plan: nothing in it is still to come.
func (s *story) plan() {
	s.Helper()
	out := s.ask(s, "do", nil, "case "+s.cast.tag, "plan")
	lines, want := 0, s.handovers+bounces+1 // with what the finder gets in the end
	for _, v := range s.vendors {
		for _, m := range v.mails {
			if m.kind == "stage" || m.kind == "reminder" || m.kind == "leak" || m.kind == "embargo" {
				want++
			}
		}
	}
	for line := range strings.Lines(out) {
		fields := strings.Split(strings.TrimSpace(line), "  ")
		if len(fields) < 4 {
			continue
		}
		lines++
		refused := fields[0] == s.who(bouncing).party && strings.HasPrefix(fields[3], "failed ")
		if fields[3] != "sent" && !strings.HasPrefix(fields[3], "sent by hand") && !refused {
			s.Errorf("the plan says in the end: %s", line)
		}
	}
	if lines != want {
		s.Errorf("the plan has %d lines, want %d:\n%s", lines, want, out)
	}
}

// inOrder checks that the leak went out in time, the broadest footprint first.
func (s *story) inOrder() {
	s.Helper()
	leaks := map[string]*storyVendor{}
	for _, v := range s.vendors {
		for _, m := range v.mails {
			if m.kind != "leak" {
				continue
			}
			leaks[m.header("Message-ID")] = v
			if m.At.After(s.leaked.Add(leakWithin)) {
				s.Errorf("%s was told of the leak %s after it", v.party, m.At.Sub(s.leaked))
			}
		}
	}
	var last *storyVendor
	for _, m := range s.sink.Mails() {
		v := leaks[storyMail{Received: m}.header("Message-ID")]
		if v == nil {
			continue
		}
		if last != nil && v.footprint > last.footprint {
			s.Errorf("%s was told of the leak after %s, which has less", v.party, last.party)
		}
		last = v
	}
	if want := len(s.vendors) - 2; len(leaks) != want {
		s.Errorf("%d vendors were mailed of the leak, want %d", len(leaks), want)
	}
}

// saysTheSame checks that a mail which all get at once, and which speaks of no
// vendor, differs in codes alone: nobody learns from it who asked for it.
func (s *story) saysTheSame(kind string) {
	s.Helper()
	texts := map[string][]string{}
	for _, v := range s.vendors {
		for _, m := range v.mails {
			if m.kind == kind && !v.is(ticketed) {
				text := printedCode.ReplaceAllString(m.Text, "CODE")
				texts[text] = append(texts[text], v.party)
			}
		}
	}
	if len(texts) != 1 {
		s.Errorf("%s was told in %d ways: %q", kind, len(texts), texts)
	}
}

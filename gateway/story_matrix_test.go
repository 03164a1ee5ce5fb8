package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
)

// What each vendor is told on which day, but for answers to its own mails: nothing
// more, nothing less, in this order.
const (
	wholeCourse = "stage heads-up 0, stage scope 1, stage details 3, embargo 4, letter 5, stage proof 11, leak details 20, stage advisory 20, stage public 21"
	midCourse   = "stage heads-up 12, stage scope 13, stage details 15, leak details 20, stage advisory 20, stage public 21"
	lastCourse  = "leak details 20, stage public 21"
)

var storyCourses = map[string]string{
	silent:   "stage heads-up 0, reminder heads-up 3, embargo 4, reminder heads-up 7, leak details 20, stage advisory 20, stage public 21",
	urgent:   "stage heads-up 0, reminder heads-up 3, embargo 4, reminder heads-up 7, stage advisory 8, stage details 8, stage scope 8, leak details 20, stage public 21",
	expiring: "stage heads-up 0, stage scope 1, clear 3, clear 4, embargo 5, stage details 5, stage proof 11, leak details 20, stage advisory 20, stage public 21",
	unable:   "stage heads-up 12, leak details 20, stage advisory 20, stage public 21",
	bouncing: "",
	offline:  "",
}

// course is what a vendor was told on which day; on one day by the alphabet, since
// mails that leave at once overtake each other.
func (v *storyVendor) course() string {
	mails := slices.DeleteFunc(slices.Clone(v.mails), func(m storyMail) bool { return m.kind == "answer" })
	day := func(m storyMail) int { return v.story.day(m.At) - 1 }
	slices.SortStableFunc(mails, func(x, y storyMail) int { return cmp.Or(cmp.Compare(day(x), day(y)), cmp.Compare(x.name(), y.name())) })
	var out []string
	for _, m := range mails {
		out = append(out, fmt.Sprintf("%s %d", m.name(), day(m)))
	}
	return strings.Join(out, ", ")
}

// courses compares what every vendor was told with what the story demands.
func (s *story) courses() {
	s.Helper()
	for _, v := range s.vendors {
		want, special := storyCourses[v.manner]
		if !special {
			want = [...]string{wholeCourse, midCourse, lastCourse}[v.wave-1]
		}
		if got := v.course(); got != want {
			s.Errorf("%s of wave %d was told\n%s\nand the story demands\n%s", v.party, v.wave, got, want)
		}
	}
}

// matrix shows the case file as the desk reads it at the end, and compares its
// matrix with what the vendors opened, or were told by hand.
func (s *story) matrix() {
	s.Helper()
	text := s.caseFile()
	s.say("%s", text)
	for _, v := range s.vendors {
		row := regexp.MustCompile(`(?m)^` + v.party + ` .*$`).FindString(text)
		got := matrixCell.FindAllString(strings.TrimPrefix(row, v.party), len(cvd.Stages()))
		var want []string
		for _, stage := range cvd.Stages() {
			want = append(want, s.cell(v, stage))
		}
		if !slices.Equal(got, want) {
			s.Errorf("the case file says of %s %q, and it is %q", v.party, got, want)
		}
	}
	for _, want := range []string{"public 39 of 40", "1 declined", "2 silent", "wave 3: 13 vendors", "ALARM: the leak is not with 1 vendor"} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			s.Errorf("the case file does not say %q", want)
		}
	}
}

var matrixCell = regexp.MustCompile(`\d+ [A-Z][a-z]{2}\+?|\s-\s|HELD|refused|waits|approve|ask`)

// cell is what the matrix is to say of a vendor and a stage.
func (s *story) cell(v *storyVendor, stage cvd.Stage) string {
	date := func(at time.Time) string { return at.Format("2 Jan") + "+" }
	for _, m := range v.mails {
		if m.stage == stage && (m.kind == "stage" || m.kind == "leak") {
			return date(m.At)
		}
	}
	switch {
	case v.is(offline):
		return date(s.handed[stage])
	case v.is(bouncing) && (stage == cvd.HeadsUp || stage == cvd.Details || stage == cvd.Public):
		return "refused"
	}
	return " - "
}

// caseFile reads the newest one over IMAP.
func (s *story) caseFile() string {
	s.Helper()
	all, err := s.cast.ana.folders()
	s.must(err)
	i := slices.IndexFunc(all, func(f string) bool { return strings.HasSuffix(f, "/Case file") })
	if i < 0 {
		s.Fatalf("no folder for the case file among %q", all)
	}
	mails, err := s.cast.ana.reads(all[i])
	s.must(err)
	if len(mails) == 0 {
		s.Fatal("there is no case file")
	}
	_, text, _ := strings.Cut(mails[len(mails)-1].text, "\r\n\r\nNEEDS")
	text, _, _ = strings.Cut("NEEDS"+text, "\r\n[timeline")
	return strings.ReplaceAll(text, "\r\n", "\n")
}

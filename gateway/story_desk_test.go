package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// reportMark stands in what the finder sent.
const reportMark = "mark-report-0e59"

func (s *story) isReported() {
	s.Helper()
	s.must(s.reports("A control frees what it never set", "In many controls of the browser a stream of an unknown type frees memory that\nwas never set. "+reportMark+"\n",
		mailtest.File{Name: "robin-page.htm", Type: "text/html", Data: "<object>" + reportMark + "</object>"}))
	s.must(s.open(s.Context()))
	s.settles()
}

// starts names forty vendors to the gateway, with the keys that were compared, and
// starts the plan.
func (s *story) starts() {
	s.Helper()
	var add, invite []string
	for _, v := range s.vendors {
		how := ""
		switch {
		case v.is(offline):
			how = " channel hand"
		case v.is(ticketed):
			how = " form inline"
		case v.is(bouncing):
			s.sink.Refuse(v.Address, 550)
		}
		add = append(add, fmt.Sprintf("vendor add %s %s%s", v.party, v.Address, how))
		invite = append(invite, fmt.Sprintf("invite %s wave %d affects %q footprint %d", v.party, v.wave, v.product, v.footprint))
	}
	s.signs(add...)
	for _, v := range s.vendors {
		if v.is(offline) {
			continue
		}
		path, err := s.file(v.party+".asc", v.PublicKey())
		s.must(err)
		s.must(s.command(s.Context(), "key", "import", path, "--party", v.party, "--confirm", v.Fingerprint(), "--config", s.path))
		v.takes(v.keyLife())
	}
	s.here(append([]string{"case policy atl", "case severity critical"}, invite...)...)
	s.material()
	s.cast.start = s.time.Now()
	s.ends = []storyEnd{{s.cast.start, s.cast.start.Add(storyLasts)}}
	s.here("start now")
	s.until(s.cast.start.Add(5*time.Minute), time.Minute)
}

// signs lets ana give commands about the case, which are done.
func (s *story) signs(commands ...string) {
	s.Helper()
	s.must(s.cast.ana.signs(commands...))
	s.settles()
	s.must(s.transcripts())
}

// here is a command about the case of the story.
func (s *story) here(commands ...string) {
	s.Helper()
	s.signs(append([]string{"case " + s.cast.tag}, commands...)...)
}

var (
	requestCode   = regexp.MustCompile(`(?m)^ *approve ([0-9a-f]{4}-[0-9a-f]{4})`)
	requestTitle  = regexp.MustCompile(`(?m)^Subject: Approve\? \S+ (leak kit|[a-z-]+)`)
	attachedParty = regexp.MustCompile(`filename="?([a-z]+)\.eml`)
)

// approves lets ben, and cyd where it takes two, read what waits for others than
// ana: a gesture where that is enough, a signed mail where it is not.
func (s *story) approves() (acted bool) {
	s.Helper()
	all, err := s.cast.ben.reads("Approvals")
	s.must(err)
	for _, m := range all {
		id, title := requestCode.FindStringSubmatch(m.text), requestTitle.FindStringSubmatch(m.text)
		if id == nil || title == nil {
			s.Fatalf("%s: a request that cannot be read:\n%s", s.when(), m.text)
		}
		if s.seen[id[1]] || s.away != "" && title[1] == string(s.away) {
			continue
		}
		s.seen[id[1]], acted = true, true
		y := storyYes{at: s.time.Now(), people: 1, stage: cvd.Stage(title[1]), leak: title[1] == "leak kit"}
		for _, p := range attachedParty.FindAllStringSubmatch(m.text, -1) {
			y.parties = append(y.parties, p[1])
		}
		y.people = s.saysYes(m, id[1])
		s.yes = append(s.yes, y)
	}
	return acted
}

// saysYes gives as many yes as a request wants, and says how many.
func (s *story) saysYes(m seen, id string) int {
	s.Helper()
	ben := s.cast.ben
	if strings.Contains(m.text, "Do/Approve") && !strings.Contains(m.text, "asks for 2 others") {
		s.must(ben.drops(m, "Do/Approve"))
		return 1
	}
	s.must(ben.signs("approve " + id))
	if !strings.Contains(m.text, "asks for 2 others") {
		return 1
	}
	s.must(s.cyd.signs("approve " + id))
	return 2
}

// beginsByHand tells one vendor on the phone.
func (s *story) beginsByHand() {
	s.Helper()
	v := s.who(offline)
	s.upTo(0, 3*time.Hour)
	s.asked("INBOX", v.party)
	s.hands(cvd.HeadsUp, "their portal")
	s.here(fmt.Sprintf(`record %s accept v1 via phone "Jo Doe"`, v.party))
	s.upTo(1, time.Hour)
	s.hands(cvd.Scope, "their portal")
}

// hands files that a coordinator told a stage to the vendor that gets no mail.
func (s *story) hands(stage cvd.Stage, via string) {
	s.Helper()
	if s.handovers++; s.handed[stage].IsZero() {
		s.handed[stage] = s.time.Now()
	}
	s.here(fmt.Sprintf("record %s delivered %s via %q", s.who(offline).party, stage, via))
}

// asked wants a mail before the desk that says something.
func (s *story) asked(folder string, words ...string) {
	s.Helper()
	all, err := s.cast.ana.reads(folder)
	s.must(err)
	if !slices.ContainsFunc(all, func(m seen) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(m.text, w) })
	}) {
		var subjects []string
		for _, m := range all {
			subjects = append(subjects, m.subject)
		}
		s.Errorf("%s: no mail in %s says %q:\n%s", s.when(), folder, words, strings.Join(subjects, "\n"))
	}
}

// earlier is the end that one vendor proposes, a Tuesday.
func (s *story) earlier() time.Time { return s.cast.start.Add(64 * cvd.Day) }

// shortensTheEmbargo follows a vendor that asked for it, and tells nobody which.
func (s *story) shortensTheEmbargo() {
	s.Helper()
	s.upTo(3, 3*time.Hour)
	s.asked("INBOX", s.who(hurried).party, "proposes")
	s.asked("INBOX", s.who(bouncing).party)
	s.hands(cvd.Details, "their portal")
	s.upTo(4, 0)
	s.ends = append(s.ends, storyEnd{s.time.Now(), s.earlier()})
	s.here(fmt.Sprintf("embargo %s because \"fixes are ready sooner\"", s.earlier().Format("2006-01-02T15:04Z")))
}

// renewsAKey confirms the key that came instead of one that has ended.
func (s *story) renewsAKey() {
	s.Helper()
	s.upTo(4, 3*time.Hour)
	v := s.who(expiring)
	if v.counts("clear") == 0 {
		s.Fatalf("%s: %s was not asked for a key", s.when(), v.party)
	}
	s.asked("Held", v.party, "expired")
	v.takes(0)
	s.here(fmt.Sprintf(`key confirm %s %s replaces %s evidence "phone, Jo Doe"`, v.party, v.Fingerprint(), v.former))
}

// answersAll answers one vendor's question to all who know enough.
func (s *story) answersAll() {
	s.Helper()
	s.upTo(5, 0)
	s.answered = s.time.Now()
	s.here(`answer-all stage details "Yes, one that was built without the macro is affected, too. ` + answeredMark + `"`)
}

// tellsOneLate has two people decide that a vendor which does not answer is told.
func (s *story) tellsOneLate() {
	s.Helper()
	s.upTo(8, 0)
	v := s.who(urgent)
	v.now = s.time.Now()
	s.here(fmt.Sprintf(`late %s now because "they ship to hospitals"`, v.party))
}

// waitsForAYes lets the proof fall due while nobody reads requests.
func (s *story) waitsForAYes() {
	s.Helper()
	s.upTo(11, 3*time.Hour)
	for _, v := range s.vendors {
		if v.counts("stage proof") > 0 {
			s.Errorf("%s has the proof before anybody said yes", v.party)
		}
	}
	s.away = ""
	s.settles()
	s.upTo(11, 5*time.Hour)
	s.hands(cvd.Proof, "their portal")
}

// leaks is the night in which it is public. One vendor says so, and one coordinator
// fires the kit that was approved at the start.
func (s *story) leaks() {
	s.Helper()
	s.upTo(20, 18*time.Hour)
	v := s.who(watchful)
	v.commands++
	v.signs = true // it used up its codes
	v.writes(v.mails[len(v.mails)-1], fmt.Sprintf("LEAK %s %s\n\nSeen by %s", s.cast.tag, leakPlace, v.words()))
	s.settles()
	s.asked("INBOX", v.party, "LEAK")
	s.leaked = s.time.Now()
	s.ends = append(s.ends, storyEnd{s.leaked, s.leaked.Add(leakEnds)})
	s.here("leak " + leakPlace + " stage details within 30m")
	s.until(s.leaked.Add(31*time.Minute), 5*time.Minute)
	s.hands(cvd.Details, "courier")
	s.upTo(20, 20*time.Hour)
	s.hands(cvd.Advisory, "courier")
}

// publishes waits for the end, which needs nobody.
func (s *story) publishes() {
	s.Helper()
	s.until(s.leaked.Add(leakEnds), storyStep)
	s.hands(cvd.Public, "courier")
	s.upTo(22, 0)
}

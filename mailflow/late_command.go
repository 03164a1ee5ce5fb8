package mailflow

import (
	"fmt"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
)

// caseLate is `late PARTY now because "…"`, `late PARTY never because "…"` and
// `late PARTY as planned`: when a participant is told that declined, or does
// not answer.
func caseLate(s *sitting, p *phrase) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	who, err := s.vendorNext(c, p)
	if err != nil {
		return "", err
	}
	word, err := p.next("when it is told: now, never or as planned")
	if err != nil {
		return "", err
	}
	if err := mayBeLate(c, who); err != nil {
		return "", err
	}
	switch word = strings.ToLower(word); word {
	case "as":
		if !p.word("planned") {
			return "", notDone("write: %s", p.usage)
		}
		if err := p.end(); err != nil {
			return "", err
		}
		return s.lateAsPlanned(c, who)
	case string(cvd.LateNow), string(cvd.LateNever):
		why, err := p.reason(true)
		if err != nil {
			return "", err
		}
		return s.lateWord(c, who, cvd.LateWord(word), why)
	}
	known := []string{"now", "never", "as planned"}
	return "", notDone("%q is no time%s; say one of: %s", word, nearest(word, known), strings.Join(known, ", "))
}

// mayBeLate refuses the word about who is none of the late.
func mayBeLate(c cvd.Case, who cvd.Participant) error {
	switch {
	case !c.Started() || who.Reached == "":
		return notDone("%s was told nothing of %s yet, so it cannot be late; `plan %s` shows what goes when", who.Party, c.ID, who.Party)
	case who.Reached == cvd.Public:
		return notDone("%s was told what is public; nothing was changed", who.Party)
	case !who.IsLate() && who.Accepted() > 0:
		return notDone("%s accepted v%d of the embargo and is not late: its stages go by the plan. `stage %s STAGE at INSTANT` moves one of them", who.Party, who.Accepted(), who.Party)
	}
	return nil
}

func (s *sitting) lateWord(c cvd.Case, who cvd.Participant, word cvd.LateWord, why string) (string, error) {
	if who.Late != nil && who.Late.Word == word {
		return "", already("%s is late, and told %s, since %s: %s", who.Party, word, utc(who.Late.At), who.Late.Because)
	}
	if word == cvd.LateNow {
		if err := s.mustBeProved("late "+string(who.Party)+" now", "moves dates earlier"); err != nil {
			return "", err
		}
	}
	was, late := who, cvd.Late{}
	if who.Late != nil {
		late = *who.Late
	}
	late.Word, late.Because, late.By, late.At = word, why, s.by.Name, s.tx.Now
	who.Late = &late
	s.undo = &undoRow{Verb: "late", Case: c.ID, Party: who.Party, Who0: &was}
	return s.keepLate(c, who, string(word)+": "+why)
}

// lateAsPlanned takes the desk's word back. Where that lets it be told sooner, it
// counts only signed.
func (s *sitting) lateAsPlanned(c cvd.Case, who cvd.Participant) (string, error) {
	if who.Late == nil || who.Late.Word == "" {
		return "", already("the desk said nothing about when %s is told: %s", who.Party, plannedLine(c, who))
	}
	if who.Late.Word == cvd.LateNever {
		if err := s.mustBeProved("late "+string(who.Party)+" as planned", "lets stages go to it again"); err != nil {
			return "", err
		}
	}
	was := who
	if who.Late = nil; !was.Late.Silent.IsZero() {
		who.Late = &cvd.Late{Silent: was.Late.Silent}
	}
	s.undo = &undoRow{Verb: "late", Case: c.ID, Party: who.Party, Who0: &was}
	return s.keepLate(c, who, "as planned")
}

func (s *sitting) keepLate(c cvd.Case, who cvd.Participant, detail string) (string, error) {
	if err := PutParticipant(s.tx, who); err != nil {
		return "", err
	}
	err := record(s.tx, journal.Record{Case: string(c.ID), Party: string(who.Party), Actor: s.by.Name, Kind: "late", Detail: detail})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: %s", who.Party, plannedLine(c, who)), s.replan(s.tx, c.ID)
}

// plannedLine says how a participant stands: late, or in the plan.
func plannedLine(c cvd.Case, who cvd.Participant) string {
	if !who.IsLate() {
		return "it is not late, and its stages go by the plan once it did what they need"
	}
	return "it is late: " + lateLine(c, who)
}

// unlate gives a participant the desk's word back that it had.
func unlate(s *sitting, u undoRow) (string, error) {
	c, who, err := s.recordedThere(u)
	if err != nil {
		return "", err
	}
	left, err := s.leftSince(who, u.At)
	switch {
	case err != nil:
		return "", err
	case left != "":
		return "", notDone("%s to %s has left since; `late %s never` stops what has not left", left, who.Party, who.Party)
	case !sameLate(who, *u.Who0, u):
		return "", changedSince("when "+string(who.Party)+" is told", "`plan "+string(who.Party)+"` shows it")
	}
	now := who
	who.Late = u.Who0.Late
	if why := earlier(cvd.Plan(c, []cvd.Participant{now}), cvd.Plan(c, []cvd.Participant{who})); why != "" {
		if err := s.mustBeProved("this undo", why); err != nil {
			return "", err
		}
	}
	return s.keepLate(c, who, "undo")
}

// sameLate says that nothing was said about a late participant since a word that
// may be taken back.
func sameLate(who, was cvd.Participant, u undoRow) bool {
	if who.Late == nil || who.Late.Word == "" {
		return was.Late != nil && was.Late.Word != "" && who.Accepted() == was.Accepted()
	}
	return who.Late.At.Equal(u.At)
}

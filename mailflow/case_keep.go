package mailflow

import (
	"fmt"
	"strings"
	"time"

	"parley/mailflow/cvd"
)

// keepForms are the ways in which `keep` says how long.
var keepForms = []string{"for", "until", "forever", "no"}

// caseKeep is `keep TAG for DURATION|until INSTANT|forever|no [because "…"]`: the case
// is not destroyed before then, and nobody is asked whether it should be. For ever
// is a legal hold. One person says so; to let a case go sooner counts only signed,
// since what is then destroyed cannot be had back.
func caseKeep(s *sitting, p *phrase) (string, error) {
	tag, err := p.next("the tag of the case, such as " + s.CasePrefix + "-2026-0007,")
	if err != nil {
		return "", err
	}
	c, err := s.caseNamed(tag)
	if err != nil {
		return "", err
	}
	form, until, err := s.howLong(p)
	if err != nil {
		return "", err
	}
	why, err := p.reason(false)
	if err != nil {
		return "", err
	}
	if why == "" {
		why = "by " + s.by.Name
	}
	switch {
	case form == "forever":
		return s.putLegalHold(c, why)
	case form == "no" && c.LegalHold != nil:
		said, err := s.endLegalHold(c, why)
		return said + s.stillKept(c), err
	case form == "no" && !c.KeptAt(s.tx.Now):
		return "", already("nobody said that %s is to be kept", c.ID)
	case form == "no":
		return s.setKept(c, nil, why)
	}
	return s.setKept(c, &cvd.Kept{Until: until, Because: why, By: s.by.Name, At: s.tx.Now}, why)
}

// howLong reads until when a case is kept, where the form says that.
func (s *sitting) howLong(p *phrase) (form string, until time.Time, err error) {
	if form, err = p.next("how long it is kept"); err != nil {
		return "", until, err
	}
	switch form = strings.ToLower(form); form {
	case "forever", "no":
		return form, until, nil
	case "for":
		text, err := p.next("a duration, such as 365d,")
		if err != nil {
			return "", until, err
		}
		d, err := cvd.ParseDuration(text)
		if err != nil {
			return "", until, notDone("%v", err)
		}
		until = s.tx.Now.Add(d)
	case "until":
		i, err := p.instant("because")
		if err != nil {
			return "", until, err
		}
		until = i.At
	default:
		return "", until, notDone("%q is not understood here%s; write: %s", form, nearest(form, keepForms), p.usage)
	}
	if !until.After(s.tx.Now) {
		return "", until, notDone("%s is not to come; nothing was changed", utc(until))
	}
	return form, until, nil
}

// setKept writes until when a case is kept, nil for not at all, and stops what
// would destroy it before.
func (s *sitting) setKept(c cvd.Case, k *cvd.Kept, why string) (string, error) {
	if c.KeptAt(s.tx.Now) && (k == nil || k.Until.Before(c.Kept.Until)) {
		if err := s.mustBeProved("keep", "lets a case be destroyed sooner"); err != nil {
			return "", err
		}
	}
	s.undo = &undoRow{Verb: "keep", Case: c.ID, Case0: copyOf(c)}
	c.Kept = k
	if k == nil {
		return fmt.Sprintf("%s is not kept any longer than others", c.ID), s.changeCase(c, "case.unkept", why)
	}
	if err := s.changeCase(c, "case.kept", "until "+utc(k.Until)+": "+why); err != nil {
		return "", err
	}
	stopped, err := s.stopShred(s.tx, c.ID, s.by.Name, "kept: "+why)
	return fmt.Sprintf("%s is kept until %s: nothing of it is destroyed before then, or until `keep %s no`", c.ID, instant(k.Until), c.ID) + stopped, err
}

// unkeep gives a case back what was said before about how long it is kept.
func unkeep(s *sitting, u undoRow) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	same := c.Kept != nil && c.Kept.At.Equal(u.At) || c.Kept == nil && u.Case0.Kept != nil
	if !same {
		return "", changedSince("how long "+string(c.ID)+" is kept", "`status` says how it stands")
	}
	if _, err := s.setKept(c, u.Case0.Kept, "undo"); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is kept as it was before: %s", c.ID, orNone(keptWords(*u.Case0, s.tx.Now))), nil
}

// stillKept says that a case whose legal hold is over is kept for a time.
func (s *sitting) stillKept(c cvd.Case) string {
	if !c.KeptAt(s.tx.Now) {
		return ""
	}
	c.LegalHold = nil
	return "; it is kept " + keptWords(c, s.tx.Now)
}

// keptWords say in a status and a case file how long a case is kept, by whose word;
// "" where nobody said so.
func keptWords(c cvd.Case, now time.Time) string {
	switch {
	case c.LegalHold != nil:
		return fmt.Sprintf("under legal hold since %s, by %s: %s", instant(c.LegalHold.At), c.LegalHold.By, c.LegalHold.Because)
	case c.KeptAt(now):
		return fmt.Sprintf("until %s, by %s: %s", instant(c.Kept.Until), c.Kept.By, c.Kept.Because)
	}
	return ""
}

package mailflow

import (
	"fmt"
	"strings"

	"parley/mailflow/cvd"
)

// caseLegalHold is `legal-hold on [because "…"]` and `legal-hold off`: while
// it is on nothing of the case is destroyed. One person puts it on; to end it
// counts only signed, since what is then destroyed cannot be had back.
func caseLegalHold(s *sitting, p *phrase) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	how, err := p.next("on or off")
	if err != nil {
		return "", err
	}
	how = strings.ToLower(how)
	if how != "on" && how != "off" {
		return "", notDone("%q is not understood here%s; write: %s", how, nearest(how, []string{"on", "off"}), p.usage)
	}
	why, err := p.reason(false)
	if err != nil {
		return "", err
	}
	if why == "" {
		why = "by " + s.by.Name
	}
	if how == "off" {
		return s.endLegalHold(c, why)
	}
	return s.putLegalHold(c, why)
}

func (s *sitting) putLegalHold(c cvd.Case, why string) (string, error) {
	if h := c.LegalHold; h != nil {
		return "", already("%s is under legal hold since %s: %s", c.ID, utc(h.At), h.Because)
	}
	c.LegalHold = &cvd.Hold{Because: why, By: s.by.Name, At: s.tx.Now}
	s.undo = &undoRow{Verb: "legal-hold", Case: c.ID}
	if err := s.changeCase(c, "legal-hold.on", why); err != nil {
		return "", err
	}
	home, err := caseNow(s.tx, c.ID)
	if err != nil {
		return "", err
	}
	stopped, err := s.stopShred(s.tx, home, s.by.Name, "legal hold: "+why)
	return fmt.Sprintf("%s is under legal hold: nothing of it is destroyed until `legal-hold off`", c.ID) + stopped, err
}

func (s *sitting) endLegalHold(c cvd.Case, why string) (string, error) {
	if c.LegalHold == nil {
		return "", already("%s is not under legal hold", c.ID)
	}
	if err := s.mustBeProved("legal-hold off", "lets a case be destroyed"); err != nil {
		return "", err
	}
	was := c.LegalHold.Because
	c.LegalHold = nil
	s.undo = &undoRow{Verb: "legal-hold", Case: c.ID, Why: was}
	return fmt.Sprintf("%s is not under legal hold any more (it was: %s)", c.ID, was), s.changeCase(c, "legal-hold.off", why)
}

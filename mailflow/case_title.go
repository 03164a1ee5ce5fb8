package mailflow

import (
	"errors"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// caseTitle is `case title "…"`.
func caseTitle(s *sitting, p *phrase) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	title, err := p.words("the title")
	if err != nil {
		return "", err
	}
	if c, err = s.retitle(c, title); err != nil {
		return "", err
	}
	return caseLine(c), nil
}

// retitle gives a case another title, and its folders the name that goes with
// it. The tag stays: it is what leads to them.
func (s *sitting) retitle(c cvd.Case, title string) (cvd.Case, error) {
	if fit := message.Title(title); fit != title {
		return c, notDone("a title has at most 60 characters and none of / %% * or control characters; %q would do", fit)
	}
	if title == c.Title {
		return c, already("%s has that title already", c.ID)
	}
	top, err := caseTop(s.tx, c)
	if err != nil {
		return c, err
	}
	c.Title = title
	if err := s.moveFolders(c, top.Name, casesFolder+delimiter+string(c.ID)+" "+title); err != nil {
		return c, err
	}
	return c, s.changeCase(c, "case.title", title)
}

// renameCase renames the folder of a case, for everybody: the words after the
// tag are free. Anything else about it is fixed.
func (s *Seat) renameCase(box store.Mailbox, to string) error {
	err := s.Store.Update(func(tx *store.Tx) error {
		d := &sitting{Desk: s.Desk, tx: tx, by: s.actor(), this: cvd.CaseID(box.Case)}
		c, err := d.openCaseHere()
		if err != nil {
			return err
		}
		top, err := caseTop(tx, c)
		if err != nil {
			return err
		}
		tag := casesFolder + delimiter + string(c.ID)
		words, ok := strings.CutPrefix(to, tag+" ")
		if top.Number != box.Number || !ok {
			return notDone("only the words after the tag can be changed: rename %s to %s and other words; nothing was changed", top.Name, tag)
		}
		_, err = d.retitle(c, words)
		return err
	})
	var r *Refusal
	switch {
	case errors.As(err, &r) && r.Already:
		return nil
	case errors.As(err, &r):
		return &Denied{r.Sentence}
	}
	return err
}

package mailflow

import (
	"parley/mailflow/cvd"
)

// mustNotCross refuses a command with words for participants where the guard finds
// that one of them must not read them (rule V6). Commands are done or not, so no
// draft is kept: the words stand in the transcript.
func (s *sitting) mustNotCross(id cvd.CaseID, c cvd.Case, text string, to ...cvd.Participant) error {
	if len(to) == 0 {
		return nil
	}
	e, err := s.examine(s.tx, question{outgoing: outgoing{text: text}, id: id})
	if err != nil {
		return err
	}
	for _, who := range to {
		found, err := s.crossings(s.tx, e, who, who.Reached)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			continue
		}
		said, err := crossingWords(s.tx, found[0], c, id)
		if err != nil {
			return err
		}
		return notDone("%s must not read this: %s; nothing was sent. Say it in other words", who.Party, said)
	}
	return nil
}

package mailflow

import (
	"fmt"
	"strings"

	"parley/mailflow/cvd"
)

// recall takes back what was queued to a participant and has not been handed
// over, on the word of whoever gives the command.
func (s *sitting) recall(p *cvd.Participant) (recalled int, gone []string, err error) {
	return s.Base.recall(s.tx, p, s.by.Name, func(cvd.Notice) bool { return true })
}

// recallAll takes back what is queued to anybody of a case.
func (s *sitting) recallAll(c cvd.Case) (recalled int, gone []string, err error) {
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return 0, nil, err
	}
	for _, p := range ps {
		n, late, err := s.recall(&p)
		if err != nil {
			return recalled, gone, err
		}
		if err := PutParticipant(s.tx, p); err != nil {
			return recalled, gone, err
		}
		recalled, gone = recalled+n, append(gone, late...)
	}
	return recalled, gone, nil
}

func recallLine(n int, gone []string) string {
	said := ""
	if n > 0 {
		said = fmt.Sprintf("; %s taken back from the queue", count(n, "notice"))
	}
	if len(gone) > 0 {
		said += "; already sent, or being sent: " + strings.Join(gone, ", ")
	}
	return said
}

// noticeName says which notice is meant, for a person.
func noticeName(n cvd.Notice) string {
	if n.Kind == cvd.KindLeak {
		return "leak (" + string(n.Level) + ")"
	}
	if n.Kind == cvd.KindReminder {
		return fmt.Sprintf("reminder %d of %s", n.Nth, n.Stage)
	}
	if n.Stage != "" {
		return string(n.Stage)
	}
	return string(n.Kind)
}

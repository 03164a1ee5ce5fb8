package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/queue"
)

// recall takes back what was queued to a participant and has not been handed
// over (rule T4): these notices are planned again. It counts them, and names
// those that left.
func (s *sitting) recall(p *cvd.Participant) (recalled int, gone []string, err error) {
	all, err := Notices(s.tx, p.Case, p.Party)
	if err != nil {
		return 0, nil, err
	}
	for i, n := range all {
		if n.State != cvd.Queued {
			continue
		}
		switch err := s.Queue.Cancel(s.tx, n.Delivery); {
		case errors.Is(err, queue.ErrAlreadySent), errors.Is(err, queue.ErrUnderWay):
			gone = append(gone, noticeName(n))
			continue
		case err != nil:
			return recalled, gone, err
		}
		if all[i], err = s.planAgain(n); err != nil {
			return recalled, gone, err
		}
		// It is given again as the notice leaves; twice on record it would count twice.
		p.Codes = slices.DeleteFunc(p.Codes, func(c cvd.Code) bool { return c.Notice == n.ID })
		recalled++
	}
	if recalled > 0 {
		p.Reached = reachedBy(all)
	}
	return recalled, gone, nil
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

// planAgain makes a notice whose delivery was taken back one that is to come.
func (s *sitting) planAgain(n cvd.Notice) (cvd.Notice, error) {
	if err := s.unfileSent(n); err != nil {
		return n, err
	}
	n.State, n.Why, n.Delivery, n.MessageID, n.Hash = cvd.Planned, "", 0, "", ""
	n.LastAct, n.ByNeed = s.tx.Now, false
	row := laterOf(n.Due, s.tx.Now)
	err := putNotice(s.tx, n, row)
	n.Row = row
	if err == nil {
		err = record(s.tx, journal.Record{Case: string(n.Case), Party: string(n.Party), Actor: s.by.Name, Kind: "notice.recalled", Ref: noticeRef(n)})
	}
	return n, err
}

// unfileSent takes the view of a mail that did not leave after all out of its
// thread.
func (s *sitting) unfileSent(n cvd.Notice) error {
	ids, err := s.tx.MessagesWithID(n.MessageID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		places, err := s.tx.FiledIn(id)
		if err != nil {
			return err
		}
		for _, at := range places {
			box, err := s.tx.Mailbox(at.Mailbox)
			if err != nil {
				return err
			}
			if box.Case != string(n.Case) {
				continue
			}
			if err := s.tx.Unfile(at.Mailbox, at.UID); err != nil {
				return err
			}
		}
	}
	return nil
}

// reachedBy is the highest stage that has left, or is about to.
func reachedBy(all []cvd.Notice) cvd.Stage {
	reached := cvd.Stage("")
	for _, n := range all {
		left := slices.Contains([]cvd.NoticeState{cvd.Queued, cvd.Sent, cvd.Unknown, cvd.Failed}, n.State)
		if n.Kind == cvd.KindStage && left && n.Stage.Rank() > reached.Rank() {
			reached = n.Stage
		}
	}
	return reached
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
	if n.Stage != "" {
		return string(n.Stage)
	}
	return string(n.Kind)
}

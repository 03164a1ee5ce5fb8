package mailflow

import "parley/mailflow/store"

// byItself is who pauses where no person did.
const byItself = "parley"

// overdueToo ends the reason for a pause after downtime.
const overdueToo = " and notices are overdue"

// pause stops sending until a person looked (rule T5), and puts what is overdue
// before the desk. After downtime only that is stopped, since the clock is right;
// where none of it is a notice of a case there is nothing to look at.
func (s *Scheduler) pause(p Sending) error {
	return s.Store.Update(func(tx *store.Tx) error {
		before, err := sendingNow(tx)
		if err != nil || p.Overdue && before.Stops() {
			return err // who paused everything resumes everything
		}
		reviews, err := s.reviewOverdue(tx, p)
		if err != nil || p.Overdue && reviews == 0 {
			return err
		}
		return s.setSending(tx, p)
	})
}

// pausedState says what a pause means, and pausedNext what to do about it.
func pausedState(s Sending) string {
	if s.Overdue {
		return "What was overdue does not leave until a person says so: it stands in Approvals, in a mail for each case. The rest leaves as planned. Reports still come in, and nothing is lost."
	}
	return "Nothing leaves this server until a person resumes it. Reports still come in, and nothing is lost."
}

func (b *Base) pausedNext(s Sending) string {
	if s.By != byItself {
		return "look at the plan of each case, hold what must not go any more, then write to control@" + b.DeskDomain + "\n    sending resume"
	}
	return "see that the clock is right. What was overdue stands in Approvals, if anything was: answer each mail there, by Do/Approve or Do/Reject. " +
		"To let all of it go, and everything else, write to control@" + b.DeskDomain + "\n    sending resume"
}

// unpause takes a pause of everything back. What waited for a review before it
// waits on.
func (s *sitting) unpause() (string, error) {
	open, err := openReviews(s.tx)
	if err != nil {
		return "", err
	}
	if len(open) == 0 {
		return s.resumeSending()
	}
	return "mail leaves again, but for what was overdue: that waits in Approvals",
		s.setSending(s.tx, Sending{Paused: true, Overdue: true, Because: "what was overdue was not looked at", By: byItself, At: s.tx.Now})
}

// reviewsOver ends the pause that began with reviews, once the last is answered.
func (s *sitting) reviewsOver() (over bool, err error) {
	if open, err := openReviews(s.tx); err != nil || len(open) > 0 {
		return false, err
	}
	now, err := sendingNow(s.tx)
	if err != nil || !now.Paused || now.By != byItself {
		return false, err
	}
	return true, s.setSending(s.tx, Sending{By: s.by.Name, At: s.tx.Now})
}

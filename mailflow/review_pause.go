package mailflow

import (
	"strings"
	"time"

	"parley/mailflow/store"
)

// byItself is who pauses where no person did.
const byItself = "parley"

// overdueToo ends the reason for a pause after downtime.
const overdueToo = " and notices are overdue"

// pause stops sending until a person looked (rule T5), and puts what is overdue
// before the desk. After downtime only that is stopped, since the clock is right;
// where none of it is a notice of a case there is nothing to look at. What a
// person paused stays that person's, whatever the clock does.
func (s *Scheduler) pause(p Sending) error {
	return s.Store.Update(func(tx *store.Tx) error {
		before, err := sendingNow(tx)
		switch {
		case err != nil || p.Overdue && before.Stops():
			return err // who paused everything resumes everything
		case before.Stops() && before.By != byItself:
			return s.setSending(tx, before.alsoFor(p.Because, p.At))
		}
		reviews, err := s.reviewOverdue(tx, p)
		if err != nil || p.Overdue && reviews == 0 {
			return err
		}
		p.Reviews = !p.Overdue && reviews > 0
		return s.setSending(tx, p)
	})
}

// alsoFor is a pause for another reason as well, which is said once: a clock may
// jump many times.
func (s Sending) alsoFor(why string, at time.Time) Sending {
	if reason, _, more := strings.Cut(s.Because, alsoBecause); more {
		s.Because = reason
	}
	s.Because, s.At = s.Because+alsoBecause+why, at
	return s
}

// alsoBecause joins the two reasons of a pause.
const alsoBecause = "; and then "

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
	resume := "write to control@" + b.DeskDomain + "\n    sending resume"
	if !s.Overdue && !s.Reviews {
		return "see that the clock is right. Of what was overdue by it nothing waits, so that no mail in Approvals ends this. To let mail leave again, " + resume
	}
	return "see that the clock is right. What was overdue stands in Approvals: answer each mail there, by Do/Approve or Do/Reject. " +
		"To let all of it go, and everything else, " + resume
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
// One that a person began, or a clock that jumped while nothing was overdue, ends
// with `sending resume` alone: nobody who answers a review has looked at that.
func (b *Base) reviewsOver(tx *store.Tx, by string) (over bool, err error) {
	if open, err := openReviews(tx); err != nil || len(open) > 0 {
		return false, err
	}
	now, err := sendingNow(tx)
	if err != nil || !now.Paused || now.By != byItself || now.Stops() && !now.Reviews {
		return false, err
	}
	return true, b.setSending(tx, Sending{By: by, At: tx.Now})
}

// reviewsIdle is asked when a review ended because nothing is left of what it was
// about. After downtime the last of them ends the pause, which stopped only that.
// Where the clock jumped everything stands still, and nobody has looked at that:
// from then on it ends with `sending resume` alone (rule T5).
func (b *Base) reviewsIdle(tx *store.Tx) error {
	if open, err := openReviews(tx); err != nil || len(open) > 0 {
		return err
	}
	now, err := sendingNow(tx)
	if err != nil {
		return err
	}
	if now.Stops() && now.Reviews {
		now.Reviews = false
		return b.setSending(tx, now)
	}
	_, err = b.reviewsOver(tx, byItself)
	return err
}

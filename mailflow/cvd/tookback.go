package cvd

import "time"

// TookBack is an acceptance of the embargo that a participant took back. It binds
// nobody any more, and stays on record.
type TookBack struct {
	Version int
	Because string
	At      time.Time
	Via     string
}

// OwnDay is a day that a finder set for itself.
type OwnDay struct {
	On    time.Time // the first instant of that day, UTC
	Words string    // "at 40C3"
	At    time.Time // when it said so
	Via   string
}

// TakeBack ends whatever a participant agreed to, as one that declined: what needs
// its acceptance waits, and a later ACCEPT counts. It says which version it was, 0
// where it had accepted none.
func (p *Participant) TakeBack(because string, at time.Time, via string) int {
	v := p.Accepted()
	if v == 0 {
		return 0
	}
	p.TookBack = append(p.TookBack, TookBack{Version: v, Because: because, At: at, Via: via})
	p.Acceptances = nil
	p.Declined = &Hold{Because: "took its acceptance back", By: via, At: at}
	if because != "" {
		p.Declined.Because += ": " + because
	}
	return v
}

// Proposes is what a participant proposes in place of the date in force, if it
// does: a proposal of before that date has its answer.
func (c Case) Proposes(p Participant) (Proposal, bool) {
	if n := len(p.Proposals); n > 0 && p.Proposals[n-1].At.After(c.Embargo().At) {
		return p.Proposals[n-1], true
	}
	return Proposal{}, false
}

package cvd

import "time"

// Statement is what a participant wants to have published in its own words.
type Statement struct {
	Text string // verbatim
	At   time.Time
	Via  string // "mail, signed" or "mail, code"
}

// Credit is how a finder wants to be named in what is published; without a name,
// not at all.
type Credit struct {
	Name string
	At   time.Time
	Via  string
}

// Reveal is a finder's consent to be named to one party.
type Reveal struct {
	To  PartyID
	At  time.Time
	Via string
}

// Statement is the last one of a participant, or the zero one.
func (p Participant) Statement() Statement {
	if len(p.Statements) == 0 {
		return Statement{}
	}
	return p.Statements[len(p.Statements)-1]
}

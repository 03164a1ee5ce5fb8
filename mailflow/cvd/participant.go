package cvd

import (
	"slices"
	"time"
)

// Acceptance is a participant's word on one version of the embargo.
type Acceptance struct {
	Version int
	At      time.Time
	Via     string // "mail, signed", "mail, code", or what a coordinator filed
	By      string // the coordinator who filed it; empty where the participant wrote itself
}

// Status is what a vendor says of its product.
type Status struct {
	Word string // affected, not-affected, fixed, investigating
	Text string // versions, reason or date, as the vendor wrote it
	At   time.Time
	Via  string
}

// Proposal is another date that a participant asks for.
type Proposal struct {
	Date   time.Time
	Reason string
	At     time.Time
}

// Ready is the date by which a participant says that it will be ready.
type Ready struct {
	By  time.Time // the first instant of that day, UTC
	At  time.Time // when it said so
	Via string
}

// Code is a one-time code of a notice, kept as a digest only.
type Code struct {
	Digest []byte // SHA-256 of the normalised code, keyed by participant
	Notice uint64
	Tries  int
	Used   time.Time
}

// Participant is a party in a case.
type Participant struct {
	Case      CaseID
	Party     PartyID
	Roles     []Role
	Address   string        // where this participant's mail goes; its party's unless it is the finder
	Name      string        // of a finder
	Language  string        // of a finder's mails; a vendor's is its party's
	Token     string        // of case+TOKEN@
	Wave      int           // from 1
	Affects   string        // its product line
	Footprint string        // as entered, "40M"
	Lead      time.Duration // the longest before the end that it may know, where the party asks for less than the policy; 0 for the policy's
	Joined    time.Time
	By        string

	Hold         *Hold
	Withdrawn    *Hold // invited by mistake or no longer; nothing further goes to it
	Acknowledged *Acceptance
	Acceptances  []Acceptance
	Declined     *Hold
	Requested    []Stage
	Statuses     []Status
	Statements   []Statement // for publication, oldest first
	Credit       *Credit     // of a finder: its last word on how it is named, or nil
	Reveals      []Reveal    // of a finder
	Proposals    []Proposal
	TookBack     []TookBack `json:",omitempty"` // acceptances that count no more, oldest first
	Deadline     *OwnDay    `json:",omitempty"` // of a finder: when it publishes whatever we do, or nil
	Talk         *OwnDay    `json:",omitempty"` // of a finder: when it speaks about it, or nil
	TheirRef     string     `json:",omitempty"` // under which its own system files the case, as it stands in a Subject
	RefOffered   string     `json:",omitempty"` // what its last Subject had as such, for a coordinator to file
	Codes        []Code
	Reached      Stage // the highest stage that was queued to it, and that its server did not refuse or give back
	Delays       map[Stage]time.Time
	Offsets      map[Stage]When // its own, in place of the policy's; a date in Delays goes before
	LastHeard    time.Time
	Wrote        time.Time            // when a person of it wrote last, or gave a command that is an answer
	Agreed       *Agreed              // the date in its calendar, or nil
	Late         *Late                // that it is told late, or nil
	Ready        *Ready               // its last word on when it will be, or nil
	Freezes      []Freeze             // when it ships nothing, by its own word
	Reported     map[string]time.Time // duties towards authorities that it has met, by their names
	MovedTo      CaseID               // the case in which it takes part instead, since its own was merged into that
	MovedAs      PartyID              // and under which name
}

// Agreed is the end of the embargo as a participant has it in its calendar by the
// last mail to it.
type Agreed struct {
	End      time.Time
	Off      bool // the entry is cancelled
	Sequence int  // RFC 5545 section 3.8.7.4
}

// Same says whether two say the same, whatever their sequence.
func (a Agreed) Same(o Agreed) bool { return a.End.Equal(o.End) && a.Off == o.Off }

// Has says whether the participant plays a role.
func (p Participant) Has(r Role) bool { return slices.Contains(p.Roles, r) }

// Accepted gives the highest version of the embargo that the participant
// accepted, 0 for none.
func (p Participant) Accepted() int {
	v := 0
	for _, a := range p.Acceptances {
		v = max(v, a.Version)
	}
	return v
}

// Meets says whether the participant has done what a stage needs. An
// acceptance of any version is an acceptance (a longer embargo asks again,
// which End answers), and whoever accepts has acknowledged.
func (p Participant) Meets(n Need, s Stage) bool {
	switch n {
	case Acknowledged:
		return p.Acknowledged != nil || p.Accepted() > 0
	case Accepted:
		return p.Accepted() > 0 && p.Declined == nil
	case Requested:
		return slices.Contains(p.Requested, s)
	}
	return false
}

// Bound is the version of the embargo that binds this participant. A shorter
// one binds everybody told; a longer one binds only who accepted it, the
// others keep the date that they agreed to, or a shorter one that came since
// (product.md section 6). It never ends after the case's embargo, before which
// nobody gets what is public.
func (c Case) Bound(p Participant) Embargo {
	bound, accepted := c.Embargo(), p.Accepted()
	if accepted == 0 {
		return bound
	}
	for _, e := range c.Embargoes {
		if e.Version >= accepted && e.End.Before(bound.End) {
			bound = e
		}
	}
	return bound
}

// End is until when the embargo binds this participant.
func (c Case) End(p Participant) time.Time { return c.Bound(p).End }

// Status is the last word of a vendor on its product, or the zero Status.
func (p Participant) Status() Status {
	if len(p.Statuses) == 0 {
		return Status{}
	}
	return p.Statuses[len(p.Statuses)-1]
}

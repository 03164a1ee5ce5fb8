package cvd

import "time"

// Hold stops something, with the reason that is shown.
type Hold struct {
	Because string
	By      string
	At      time.Time
}

// Embargo is one version of the agreement not to publish before End.
type Embargo struct {
	Version int // from 1
	End     time.Time
	Zone    string // the zone in which End was entered, empty for UTC
	Because string
	By      string
	At      time.Time
	Moved   time.Duration // how much later it is than the policy says, to be a publish day
}

// Case is the file of one flaw.
type Case struct {
	ID          CaseID
	Number      uint64 // orders the cases of a gateway
	Title       string
	Opened      time.Time
	Responsible string // the coordinator who answers for it
	Restricted  []string
	Severity    string
	Reports     []uint64
	Policy      Policy
	Start       time.Time // zero before `start`
	Embargoes   []Embargo // oldest first; before `start` empty, or the one that the case will start with
	Hold        *Hold
	Closed      time.Time
	Exploited   *Exploited // since when attacks are known, or nil
	LegalHold   *Hold      // nothing of it is destroyed; or nil
	Kept        *Kept      `json:",omitempty"` // nothing of it is destroyed before then; or nil
	Merged      CaseID     // the case that took this one in
	Leaks       []Leak     `json:",omitempty"` // what of it is public without our doing, each level once, rising
	CVEs        []string   // its CVE IDs
}

// Exploited is what the desk knows of attacks with a flaw. At is the awareness
// time, from which deadlines count.
type Exploited struct {
	At     time.Time
	Source string
	By     string    // the coordinator who filed it
	Filed  time.Time // when
}

// Lead is the longest before the end that a participant may know of the case;
// 0 where nothing limits it. Where the policy's is the whole embargo, nobody is
// to wait for it: it grows with an end that was moved to a publish day, and with a
// longer embargo.
func (c Case) Lead(p Participant) time.Duration {
	lead := c.Policy.Lead
	switch {
	case p.Wave > 0 && p.Wave <= c.Policy.Upstream:
		lead = 0
	case lead >= c.Policy.Embargo && len(c.Embargoes) > 0:
		lead += c.Embargoes[0].Moved
		if !c.Start.IsZero() {
			lead = max(lead, c.Embargo().End.Sub(c.Start))
		}
	}
	if p.Lead > 0 && (lead == 0 || p.Lead < lead) {
		return p.Lead
	}
	return lead
}

// Started says whether the plan of the case runs.
func (c Case) Started() bool { return !c.Start.IsZero() && len(c.Embargoes) > 0 }

// Embargo is the version in force, or that the case will start with; the zero
// Embargo where there is none.
func (c Case) Embargo() Embargo {
	if len(c.Embargoes) == 0 {
		return Embargo{}
	}
	return c.Embargoes[len(c.Embargoes)-1]
}

// Tag is the case tag as it stands in an inner Subject.
func (c Case) Tag() string { return "[" + string(c.ID) + "]" }

// Finder is the name under which whoever sent the report takes part in its
// case.
func (r Report) Finder() PartyID {
	if r.Party == "" {
		return Finder
	}
	return r.Party
}

// Material is what belongs to a stage: text and files. A newer version
// replaces the older, which is kept.
type Material struct {
	Case    CaseID
	Stage   Stage
	Party   PartyID // an annex for one participant, or empty
	Version int
	Author  string
	At      time.Time
	Text    string
	Files   []File
	Message uint64 // the mail it came in
}

// File is an attachment of material.
type File struct {
	Name      string
	MediaType string
	Charset   string // of text, as it was marked
	Data      []byte
}

// Approved is one coordinator's yes.
type Approved struct {
	By     string
	At     time.Time
	Signed bool
}

// ApprovalRequest asks other coordinators for a yes to exact renderings.
type ApprovalRequest struct {
	ID      string // "9f3a-27c1", never reused
	Case    CaseID
	Stage   Stage
	Author  string // who last touched what is in it
	Authors []string
	Notices []uint64
	Parties []PartyID
	Hashes  map[uint64]string // per notice: SHA-256 over rendering, recipient, keys and time
	Need    int
	Signed  bool
	Yes     []Approved
	Created time.Time
	Due     time.Time
	Ended   time.Time
	How     string    // approved, rejected: why, void: why
	Next    string    // the request that took the place of one that is void
	Cool    time.Time // of a desk of one: nothing leaves before
	Beside  []CaseID  // other cases whose words stand in it: only who may see them approves
	Alarmed time.Time // when another coordinator was told that it is undecided

	// Of a request for levels of the leak kit, and of no other.
	Kit      map[Level]string  `json:",omitempty"` // SHA-256 over the texts and files of each
	KitFound map[string]string `json:",omitempty"` // what the check found in them, by level and party: a digest
	// KitSpoken is how each vendor is spoken to, "kind developer; language de".
	// Who is not there is spoken to as everybody is.
	KitSpoken map[PartyID]string `json:",omitempty"`
}

// Open says whether the request still waits for a person.
func (a ApprovalRequest) Open() bool { return a.Ended.IsZero() }

// Granted says whether enough coordinators said yes.
func (a ApprovalRequest) Granted() bool { return a.How == "approved" }

// Report is what a finder sent and what became of it.
type Report struct {
	Number   uint64 // the #17 of Intake
	At       time.Time
	Case     CaseID  // once it belongs to one
	Party    PartyID // under which whoever sent it takes part there; empty for Finder
	Clear    bool    // it came in clear
	Subject  string  // inner where there is one
	From     string
	Name     string
	Token    string
	Messages []uint64
	SHA256   string
	Ended    string    // declined: why, spam; empty while it waits for a person or belongs to a case
	Spam     bool      // ended as that: nothing is answered any more
	Removed  time.Time `json:",omitzero"` // when mail of it was removed for good, last; zero: never
}

package cvd

import (
	"slices"
	"time"
)

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

// Party is a person or organisation in the directory.
type Party struct {
	ID       PartyID
	Address  string   // where its notices go
	Second   string   // a second contact, or empty
	Aliases  []string // other names by which people know it, "Globex Corporation"
	Zone     string   // IANA time zone, or empty
	Lead     time.Duration
	Channel  Channel
	Manner   Manner
	Kind     VendorKind // "" is VendorPSIRT
	Language string     // of its mails, "de"; "" is English
	Members  []Member
	Senders  []string `json:",omitempty"` // from which its systems write, too; nothing goes there, and no key is theirs
	Revoked  *Hold    `json:",omitempty"` // that it revoked Address itself: nothing goes there, until another one is named; or nil
	Freezes  []Freeze // as the desk knows them; a vendor's own word stands with its Participant
	Proved   *Proven  // of contact, the last one, or nil
	Usual    Usual    `json:",omitzero"`
	Added    time.Time
	AddedBy  string
}

// Usual is what an invitation that says nothing else gives a party as a vendor.
// Each is as for a Participant; 0 and empty where the directory does not know.
type Usual struct {
	Wave      int
	Footprint string
	Affects   string
}

// Proven is how it is known that somebody speaks for a party.
type Proven struct {
	Words string    // "phone, Jo Doe"
	On    time.Time // the first instant of that day, UTC
	By    string    // the coordinator who filed it
}

// Manner is how mails to a party are made up. It changes who reads what on the
// way in one point only, the Subject. The zero Manner is everybody's.
type Manner struct {
	Form          Form   // "" is FormMIME
	LegacyDisplay bool   // the inner Subject stands in the text as well: RFC 9788 section 5.2
	FileNames     bool   // files of letters keep the names that a coordinator gave them (rule V7)
	Subject       string // the outer one, in place of the constant; everybody on the way reads it
	RefOutside    bool   `json:",omitempty"` // its own reference stands in the outer Subject, too
}

// Inline says that its mails are armor in the body and encrypted files.
func (m Manner) Inline() bool { return m.Form == FormInline }

// Member is a further address of a party.
type Member struct {
	Address string
	Added   time.Time
	By      string
}

// Addresses are all addresses of people of the party.
func (p Party) Addresses() []string {
	var a []string
	if p.Revoked == nil {
		a = append(a, p.Address)
	}
	if p.Second != "" {
		a = append(a, p.Second)
	}
	for _, m := range p.Members {
		a = append(a, m.Address)
	}
	return a
}

// Origins are all addresses from which mail of the party may come: its people's,
// and its systems'.
func (p Party) Origins() []string { return slices.Concat(p.Addresses(), p.Senders) }

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

// Finder is the name under which whoever sent the report takes part in its
// case.
func (r Report) Finder() PartyID {
	if r.Party == "" {
		return Finder
	}
	return r.Party
}

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

// NoticeKind tells the mails that the gateway sends to participants apart.
type NoticeKind string

// Kinds of notices.
const (
	KindStage    NoticeKind = "stage"    // a disclosure, planned
	KindContact  NoticeKind = "contact"  // before the first stage: which key should we use?
	KindReminder NoticeKind = "reminder" // a stage that got no answer
	KindAnswer   NoticeKind = "answer"   // what was understood of a command
	KindReceipt  NoticeKind = "receipt"  // to a finder
	KindEmbargo  NoticeKind = "embargo"  // a new version of the date
	KindLetter   NoticeKind = "letter"   // a coordinator's own words
	KindNote     NoticeKind = "note"     // content-free: we hold something for you
	KindKey      NoticeKind = "key"      // our own key changes
	KindLeak     NoticeKind = "leak"     // something of the case is public: what that level of the leak kit holds

	KindCounts       NoticeKind = "counts"       // to an observer: how many vendors stand where, and the dates
	KindQuestion     NoticeKind = "question"     // whether its participant wants to be introduced to somebody
	KindIntroduction NoticeKind = "introduction" // who that somebody is, since both said yes
)

// NoticeState is where a notice stands.
type NoticeState string

// States of a notice, in the words that `plan` prints.
const (
	Planned   NoticeState = "planned"
	Waiting   NoticeState = "waiting" // for an answer of the participant; not due
	Approval  NoticeState = "approval"
	Held      NoticeState = "held"
	Queued    NoticeState = "queued"
	Sent      NoticeState = "sent"
	Unknown   NoticeState = "unknown" // delivery: accepted or not, nobody knows
	Failed    NoticeState = "failed"  // refused by their server
	Cancelled NoticeState = "cancelled"
)

// Over says that the notice will not change its state by time alone any more
// and has left, or will never leave.
func (s NoticeState) Over() bool {
	return s == Queued || s == Sent || s == Unknown || s == Failed || s == Cancelled
}

// Notice is a mail that the gateway sends, or is to send, to a participant.
type Notice struct {
	ID    uint64
	Case  CaseID
	Party PartyID
	Kind  NoticeKind
	Stage Stage // of KindStage and KindReminder; of KindLeak the one that its level stands for
	Level Level `json:",omitempty"` // of KindLeak
	Nth   int   `json:",omitempty"` // of KindReminder: which one it is for its stage, from 1

	Due     time.Time
	Dated   time.Time // when Due was set last; zero in notices of before
	Row     time.Time // the instant of its row among the due ones; zero while it has none
	LastAct time.Time // of a person, on what this notice depends on; the undo window starts here
	ByNeed  bool      // it became ready because a need was met, and waits for no undo
	State   NoticeState
	Why     string // why it is held, or what it waits for
	Review  string `json:",omitempty"` // why it waits for a person although its time came: downtime, a clock that jumped; empty: it does not

	Code       string // the one-time code that it prints; sealed like everything else
	MessageID  string
	Hash       string   // of the rendering that left
	Words      string   `json:",omitempty"` // of a stage or a reminder: digest of the material in it as it left
	Keys       []string // fingerprints of the component keys that it was encrypted to as it left
	ApprovalID string
	Delivery   uint64 // queue item
	SentAt     time.Time
	Bounced    time.Time // when a server that had accepted it gave it back; zero: none did
	Delayed    time.Time `json:",omitzero"`  // when one said first that it still tries; zero: none did
	Returned   string    `json:",omitempty"` // what it wrote as the reason of either
	Dropped    bool      `json:",omitempty"` // a coordinator said that it is not sent: no plan brings it again
	Version    int       // of the embargo it speaks of
	To         string    // of a content-free note: the address it goes to, where that is not the participant's
	Key        string    // the fingerprint that a note about a key speaks of
	Intro      uint64    `json:",omitempty"` // the introduction that a question or introduction belongs to
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

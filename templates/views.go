// Package templates renders every mail that Parley writes: plain text, 72
// columns, no HTML.
//
// A template sees one view, a plain struct that its caller filled with what
// the recipient may know; there is no way from a view to a case. A field that
// a template names and its view lacks is an error, and so is a value that a
// header may not hold (rule V4). Values are never templates: what stands in
// them is copied. Mails to the desk alone make such values fit instead, since
// they must not fail over what came from outside.
package templates

import (
	"time"

	"parley/mailflow/cvd"
)

// Rendered is a mail before it is composed: its inner Subject and its text
// (UTF-8, LF line ends, at most 72 columns but for longer words and for what a
// person wrote).
type Rendered struct {
	Subject string
	Text    string
}

// Us says who writes.
type Us struct {
	Name        string // "Example CERT"; the domain where nobody set a name
	Domain      string // "vdp.example.org"
	Fingerprint string // of our key, in groups of four
}

// To says how the reader is spoken to. Every mail to a party or a finder has it;
// mails to the desk have none, and are in English.
type To struct {
	Language string         `json:",omitempty"` // "de"; in English where it is empty, unknown, or lacks the mail
	Kind     cvd.VendorKind `json:",omitempty"` // what it is; empty for a PSIRT
}

func (t To) speaks() string { return t.Language }

// Step is one column of "what you learn, and when".
type Step struct {
	Stage cvd.Stage
	At    time.Time
	Done  bool // reached, this notice included
}

// Notice is a stage on its way to one vendor.
type Notice struct {
	Us
	To
	Case       cvd.CaseID
	Stage      cvd.Stage
	Number     int // 2 of 6
	Of         int
	TLP        cvd.TLP
	Code       string    // one-time code
	Version    int       // of the embargo
	ReplyBy    time.Time // zero where no answer is asked
	End        time.Time
	Zone       string // of the reader, IANA, or empty
	Severity   string // band, or empty
	Product    string // the vendor's product line, or empty
	Steps      []Step
	Accepted   time.Time // when the vendor accepted, or zero
	Material   string    // of this stage, as the coordinator wrote it; empty for heads-up
	Annex      string    // for this vendor alone
	Mitigation string
	FAQ        []string  `json:",omitempty"` // answers to questions at this stage, oldest first
	Files      []string  // names of what is attached
	Matrix     string    `json:",omitempty"` // of what vendors say for publication; only the reader's own row before all is public
	Credits    []string  `json:",omitempty"` // who found it, as they want to be named
	Clear      bool      `json:",omitempty"` // it goes in clear, since it is public and no key is known
	Reminder   bool      // the same stage again, since no answer came
	OnRequest  cvd.Stage `json:",omitempty"` // the next stage, where it goes only to who asks for it
}

// Receipt answers a report whose sender's key is known well enough.
type Receipt struct {
	Us
	To
	Reference   string // "intake-17" or the case tag
	Received    time.Time
	SHA256      string // hex, of the mail as it arrived
	Attachments []ReceivedFile
	Encrypted   bool
	SignedBy    string // fingerprint in groups, or empty
	AnswerBy    time.Time
}

// ReceivedFile is one attachment of a report.
type ReceivedFile struct {
	Name string
	Size int64 // octets
}

// HowTo is the content-free answer with our key and three steps: to a report
// from a sender without a usable key, to report-key@, and to plaintext.
type HowTo struct {
	Us
	To
	Reference string // "intake-17", or empty where nothing was kept
	Received  time.Time
	SHA256    string
	AnswerBy  time.Time
	Plaintext bool // it answers a mail that came in clear
}

// Contact is the first mail to a party without a usable key, in clear.
type Contact struct {
	Us
	To
	ReplyTo string
}

// Waits tells a finder without a usable key, content-free, that a person
// answered.
type Waits struct {
	Us
	To
	Reference string // "intake-17"
}

// Known tells a finder that its report is the same flaw as one that is
// coordinated already.
type Known struct {
	Us
	To
	Case cvd.CaseID
	TLP  cvd.TLP
}

// Note tells a contact, content-free, that something waits for a good key.
type Note struct {
	Us
	To
}

// Unanswered tells a second contact, content-free, that the first does not
// answer.
type Unanswered struct {
	Us
	To
	Address string // of the first
}

// KeyChange tells a party's known addresses, content-free, that its key
// changes, so that it can say that it did not. Fingerprints are in groups.
type KeyChange struct {
	Us
	To
	Old    []string
	New    string
	Beside bool // the old ones stay in use
}

// Burnt tells whoever mailed us secret keys what to do about it, content-free.
type Burnt struct {
	Us
	To
	Keys []string // fingerprints in groups
}

// Answer echoes what was understood of a participant's commands.
type Answer struct {
	Us
	To
	Case      cvd.CaseID
	TLP       cvd.TLP
	Lines     []Understood
	Code      string // a fresh one
	Version   int    // the newest
	Bound     int    // the one that binds until End, where that is an older one
	End       time.Time
	Zone      string
	Help      bool // print what can be answered
	Finder    bool
	Both      bool       // a finder, and a vendor as well
	Observer  bool       // neither of them
	Asked     []int      // the numbers of the questions that the reader can answer
	OnRequest cvd.Stage  `json:",omitempty"` // a stage that the reader, a vendor, can ask for, or none
	History   []Exchange // its own, where it asked for it, oldest first
}

// Vendor says that the reader may answer as a vendor.
func (a Answer) Vendor() bool { return !a.Observer && (!a.Finder || a.Both) }

// Exchange is one mail between us and the reader: when it went, in which
// direction and what it was, no text.
type Exchange struct {
	At      time.Time
	From    bool           // from the reader to us
	Kind    cvd.NoticeKind // of what we sent
	Stage   cvd.Stage
	Number  int // 2 of 6
	Of      int
	Level   cvd.Level // of a leak
	Version int       // of the embargo
}

// Understood is one command line and what came of it.
type Understood struct {
	Line   string
	Result Result
}

// Embargo tells a participant the new end.
type Embargo struct {
	Us
	To
	Case     cvd.CaseID
	TLP      cvd.TLP
	Version  int
	Old, New time.Time
	Zone     string
	Code     string
	Asks     bool // a later end: it needs a new ACCEPT
}

// NewKey tells a participant that our key changes, or has changed.
type NewKey struct {
	Us
	To
	Case       cvd.CaseID // or empty
	TLP        cvd.TLP
	Old, Fresh string    // fingerprints in groups; Old is empty where nobody knows it any more
	From       time.Time // from when Fresh signs
	Zone       string
	Done       bool // Fresh signs by now, this mail included
	Vouched    bool // and Old certified it
}

// Letter carries a coordinator's own words to one participant.
type Letter struct {
	Us
	To
	Case    cvd.CaseID
	TLP     cvd.TLP
	Subject string
	About   Occasion  // what the Subject says where nobody wrote one
	Stage   cvd.Stage // of AboutAnswer
	Text    string
	Code    string
}

// Occasion is what a letter is about.
type Occasion string

// Occasions.
const (
	AboutReport   Occasion = "report"   // to its finder
	AboutQuestion Occasion = "question" // about a report, to its finder
	AboutAnswer   Occasion = "answer"   // to a question at a stage, for all
)

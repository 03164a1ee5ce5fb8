package templates

import (
	"time"

	"parley/mailflow/cvd"
)

// Approval asks other coordinators for a yes.
type Approval struct {
	Case   cvd.CaseID
	Title  string
	Stage  cvd.Stage
	ID     string
	Author string
	Due    time.Time
	Signed bool
	Need   int
	Rows   []ApprovalRow
	Letter bool     // a coordinator's letter, and no stage; it has no date
	Shared bool     // all who could say yes wrote part of it
	Found  []string // what the check found, a clause each; nothing where empty
	Before []string // the requests that it takes the place of, each with what changed
}

// ApprovalRow is one recipient of what is to be approved.
type ApprovalRow struct {
	Party string
	Key   string // first groups of the fingerprint
	Trust string
	Until time.Time // zero: never
	Soon  bool      // the key ends before the embargo does
	Stage cvd.Stage // now
	Gets  string    // "3 details", "nothing: HELD"
	Why   string
}

// CaseFile is the newest mail of a case's folder.
type CaseFile struct {
	Case        cvd.CaseID
	Title       string
	Day, Days   int // of the embargo, both 0 before `start`; Day below 1 before the start itself
	Responsible string
	Severity    string
	Policy      string
	Restricted  []string  // who alone sees it; empty for the desk
	Hold        string    // why the whole case stands still, or empty
	Closed      time.Time // zero while it is open
	Kept        string    // how long nothing of it is destroyed, and by whose word; or empty
	Destroyed   string    // when it is destroyed for good, and how that is stopped; or empty
	Version     int       // of the embargo
	Finder      string    // where the finder stands, without its name; empty where there is none
	NeedsYou    []string
	Stages      []cvd.Stage
	Rows        []CaseRow
	Totals      []string // "LABEL  text", of all vendors together
	Next        []string // "when  what"
	Marks       []Mark
	Start, End  time.Time
	Now         time.Time
	Pictured    bool // timeline.png goes with it
}

// CaseRow is one participant in the matrix.
type CaseRow struct {
	Party  string
	Cells  []string // one per stage
	Status string
}

// Mark is an instant on the line of a case.
type Mark struct {
	At   time.Time
	Name string
}

// Digest is what one coordinator reads in the morning.
type Digest struct {
	At     time.Time
	Since  time.Time // of the one before; zero for the first
	Zone   string    // of the reader
	Alarms []string  // what stands still for everybody
	Needs  []DigestPart
	Count  int // of what needs somebody
	Mine   int // of those, what the reader does
	Due    []DigestDate
	Silent []string
	Keys   []string // that end soon
	Done   []DigestPart
	Seq    uint64 // of the newest record of the journal
	Head   string // its link, hex
}

// DigestPart is what there is to say about one case, or under another heading.
type DigestPart struct {
	Head  string
	Lines []string
}

// DigestDate is something that falls due.
type DigestDate struct {
	At   time.Time
	What string
}

// Duties is what a vendor owes the authorities since attacks are known, for the
// desk to see to, with a text to start from.
type Duties struct {
	Case      cvd.CaseID
	Party     string
	Product   string    // its product line, or empty
	Known     time.Time // since when attacks are known
	Source    string
	Told      time.Time // when the vendor was first told
	Zone      string    // of the vendor, IANA, or empty
	Fixed     time.Time // when its fix is there, or zero
	Steps     []DutyStep
	Next      string // the name of the first that is open
	NextTitle string
	By        time.Time // its end
	Overdue   bool      // which has passed
	Control   string    // the address for commands
	Alias     string    // and that for letters to the vendor
}

// DutyStep is one duty with its end.
type DutyStep struct {
	Title, Within string
	By            time.Time // zero: not begun
	State         string    // "met 2 Dec", "open", "OVERDUE", "once there is a fix"
}

// Refusal says what did not happen, in what state things are, and what to do.
type Refusal struct {
	What, State, Why, Next string
}

package templates

import (
	"time"

	"parley/mailflow/cvd"
)

// Result is what came of a command, which its reader reads in its own language:
// the template "answer: WORD" says it, with what stands beside the word. A Text
// without a word stands as it is.
type Result struct {
	Word    string // one of those below
	Text    string
	Case    cvd.CaseID
	Version int // of the embargo
	At, End time.Time
	Day     string // as it was written, "2027-02-10"
	Counts  Counts
	Lines   int // of a statement
	Most    int // of what there were too many
}

// Counts are what STATE tells a finder, and an observer, of all vendors together.
type Counts struct {
	Vendors, Told, Agreed, Ready                int
	Affected, NotAffected, Fixed, Investigating int
}

// Words of a Result, and what they take.
const (
	ResultBelow         = "below"          // it is answered further down
	ResultAcknowledged  = "acknowledged"   // ACK
	ResultAccepted      = "accepted"       // ACCEPT: Version, and At as its end
	ResultNoVersion     = "no version"     // not done: it names none of Case; Version is the newest
	ResultDeclined      = "declined"       // DECLINE
	ResultStatus        = "status"         // STATUS: Text
	ResultNoStatus      = "no status"      // not done
	ResultReady         = "ready"          // READY: Day
	ResultNotReady      = "not ready"      // not done
	ResultNoDay         = "no day"         // not done: Day is none
	ResultProposed      = "proposed"       // PROPOSE: Day
	ResultNotProposed   = "not proposed"   // not done
	ResultAlarm         = "alarm"          // LEAK, EXPLOITED, PUBLISHED
	ResultSuggested     = "suggested"      // SUGGEST
	ResultNobody        = "nobody"         // not done
	ResultRequested     = "requested"      // REQUEST: Text, the stage
	ResultHasStage      = "has stage"      // not done: Text
	ResultNoRequest     = "no request"     // not done
	ResultTalk          = "talk"           // TALK: Day
	ResultNoTalk        = "no talk"        // not done
	ResultClosed        = "closed"         // STATE: At
	ResultNotStarted    = "not started"    // STATE: Counts
	ResultState         = "state"          // STATE: Counts, At as the start, End
	ResultFrozen        = "frozen"         // FREEZE: Text, both days
	ResultKnownFreeze   = "known freeze"   // the same
	ResultPastFreeze    = "past freeze"    // not done: Text
	ResultNoFreeze      = "no freeze"      // not done
	ResultManyFreezes   = "many freezes"   // not done: Most
	ResultStatement     = "statement"      // STATEMENT: Lines
	ResultOneStatement  = "one statement"  // not done: the mail holds another
	ResultNoEnd         = "no end"         // not done
	ResultNoStatement   = "no statement"   // not done
	ResultLongStatement = "long statement" // not done: Most, in characters
	ResultCredit        = "credit"         // CREDIT: Text
	ResultAnonymous     = "anonymous"      // ANONYMOUS
	ResultNoName        = "no name"        // not done
	ResultLongName      = "long name"      // not done: Most, in characters
	ResultReveal        = "reveal"         // REVEAL: Text, a party
	ResultNoReveal      = "no reveal"      // not done
	ResultUnreveal      = "unreveal"       // REFUSE: Text, a party
	ResultCounts        = "counts"         // STATE of an observer
	ResultConsent       = "consent"        // CONSENT
	ResultRefuse        = "refuse"         // REFUSE
	ResultNoQuestion    = "no question"    // not done
	ResultWhichQuestion = "which question" // not done: several are open
	ResultIntroduced    = "introduced"     // not done: it has left
)

// resultWords are all words of a Result: each language that answers says them.
func resultWords() []string {
	return append([]string{ResultBelow, ResultAcknowledged, ResultAccepted, ResultNoVersion, ResultDeclined, ResultStatus, ResultNoStatus,
		ResultReady, ResultNotReady, ResultNoDay, ResultProposed, ResultNotProposed, ResultAlarm, ResultSuggested, ResultNobody,
		ResultRequested, ResultHasStage, ResultNoRequest, ResultTalk, ResultNoTalk, ResultClosed, ResultNotStarted, ResultState,
		ResultFrozen, ResultKnownFreeze, ResultPastFreeze, ResultNoFreeze, ResultManyFreezes, ResultStatement, ResultOneStatement,
		ResultNoEnd, ResultNoStatement, ResultLongStatement, ResultCredit, ResultAnonymous, ResultNoName, ResultLongName,
		ResultReveal, ResultNoReveal, ResultUnreveal, ResultCounts,
		ResultConsent, ResultRefuse, ResultNoQuestion, ResultWhichQuestion, ResultIntroduced}, partyResultWords()...)
}

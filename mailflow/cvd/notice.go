package cvd

import "time"

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

package mailflow

import (
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
)

// Question is all that decides whether a notice may leave, as the store holds
// it at one instant.
type Question struct {
	Now         time.Time
	Undo        time.Duration
	Sending     Sending
	Case        cvd.Case // the zero Case for a report that belongs to none
	Participant cvd.Participant
	Party       cvd.Party
	Notice      cvd.Notice
	Prior       []cvd.Notice   // all stage notices of the participant
	Keys        keyring.Choice // what the trust that the notice needs leaves
	Pause       Pause          // after a change of the party's keys
	HasMaterial bool
	CannotSign  string               // why our own key cannot sign now; empty where it can
	Approval    *cvd.ApprovalRequest // the request that names this notice, if any
	Hash        string               // of the rendering as it would be now
	Words       string               // of a stage or a reminder: digest of the material in it as it is now
	For         cvd.Stage            // of an answer for all: the stage that it belongs to
	Found       []Crossing           // what of its words a person must see (rule V6)
	Kit         *kitLevel            // of a notice about a leak: its level of the leak kit as it stands
	Intro       *introLook           // of a question or introduction: how that stands
}

// Decision is what MayRelease says.
type Decision uint8

// Decisions. Only Release lets a notice leave.
const (
	Never   Decision = iota // it will not leave any more
	NotYet                  // ask again at Answer.At
	Wait                    // for an answer of the participant
	Ask                     // for the approval of a coordinator
	HoldIt                  // stopped, with the reason; a person is told
	Release                 // it may leave now
)

// Answer is a Decision with its reason, or the instant to ask again.
type Answer struct {
	Decision Decision
	Why      string
	At       time.Time // when to ask again; of HoldIt, when it ends by itself, or zero
	NoKey    bool      // held for want of a usable key: the contact is asked for one
	ByHand   bool      // held for a person to deliver it
}

// How the reasons begin that are a person's hold; what follows are the
// person's words.
const (
	pausedWhy    = "sending is paused: "
	caseHoldWhy  = "the case is on hold: "
	partyHoldWhy = " is on hold: " // after the party
)

// MayRelease is the one gate: no notice of any kind leaves unless it answers
// Release. It is asked when a notice falls due, and again inside the
// transaction that queues it. The zero Answer is Never: fail closed.
func MayRelease(q Question) Answer { return ask(gate, &q, byMail) }

// mayHandOver is the gate for what a person delivers: all that MayRelease
// asks, but for our signature and the key that nothing is encrypted to.
func mayHandOver(q Question) Answer { return ask(gate, &q, anyWay) }

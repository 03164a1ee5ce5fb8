// Package mailflow holds the two flows of Parley and their clockwork: a
// report comes in (Intake), coordinators decide (Desk), and notices go out
// (Outbox, Scheduler) through the one gate, MayRelease.
//
// Every decision is taken inside a store transaction from what the store
// holds; loops around it are thin and may die at any instant.
package mailflow

import (
	"fmt"
	"log/slog"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/queue"
	"parley/mailflow/store"
	"parley/mailflow/timeline"
	"parley/templates"
)

// Settings are the choices of the operator that the flows follow.
type Settings struct {
	Domain     string // public, "vdp.example.org"
	DeskDomain string // the coordinators' own
	CasePrefix string // "PAR"
	Subject    string // the constant outer Subject
	Plaintext  string // "accept" or "refuse" reports in clear
	Undo       time.Duration
	CoolOff    time.Duration
	KeyPause   time.Duration // after a party's key changed, for what is told from scope on
	Retention  Retention     // how long what nobody needs any more is kept
	Discovery  bool          // keys of parties are looked for
	Digest     DigestTime    // when each coordinator gets the daily digest
	Zone       string        // of coordinators who have none of their own, IANA; empty for UTC
	CVEOrg     string        // our UUID as a CVE numbering authority, or empty
	Limits     message.Limits
	Policies   map[string]cvd.Policy
}

// Retention is how long what nobody needs any more is kept; zero is for ever.
type Retention struct {
	Closed time.Duration // after which the desk is asked about a closed case, see RetainedDue
	Junk   time.Duration // after which what was thrown away is removed, see JunkDue
}

// Base is what the flows share. It is set up once by the caller and not
// changed while they run.
type Base struct {
	Settings
	Clock Clock
	Store *store.Store
	Own   *OwnKeys // our own keys
	// DomainKeys sign what leaves for our domain; nil, or none of them, signs nothing.
	DomainKeys *DomainKeys
	Certs      *keyring.Cache
	Templates  *templates.Set
	Queue      *queue.Queue
	Reserve    *Reserve // room on the disk that mail does not get; nil: none
	Log        *slog.Logger
	Guard      *Guard // against words of one party to another; the zero one is ready
	// Credential reads the store's credential again, to destroy the keys of a case
	// with; without it no case can be shredded.
	Credential func() (store.Unlock, error)
	// Draw makes the picture of a case file; nil draws it. Who lives through thousands
	// of cases and looks at none leaves it out.
	Draw func(timeline.Picture) ([]byte, error)
	// Reloaded are policies in place of those of Settings, once the operator changed
	// them while we run: cases that get one choose from these, and a case keeps its
	// own copy. nil, or none of them, is those of Settings.
	Reloaded func() map[string]cvd.Policy
}

// policies are what a case can choose from now.
func (b *Base) policies() map[string]cvd.Policy {
	if b.Reloaded != nil {
		if all := b.Reloaded(); all != nil {
			return all
		}
	}
	return b.Policies
}

// signer is our signing key.
func (b *Base) signer() *keyring.Secret { return b.Own.Signing() }

// ReportAddress is where anyone sends a report.
func (b *Base) ReportAddress() string { return "report@" + b.Domain }

// ThreadAddress is the address of one participant's thread.
func (b *Base) ThreadAddress(token string) string { return "case+" + token + "@" + b.Domain }

// DeskAlias is the address under which coordinators write to a participant.
func (b *Base) DeskAlias(p cvd.PartyID, c cvd.CaseID) string {
	return fmt.Sprintf("%s.%s@%s", p, c.Lower(), b.DeskDomain)
}

// Envelope is what a mail server tells of a mail (RFC 5321 section 2.3.1).
type Envelope struct {
	From   string   // reverse-path without brackets, "" for the null one
	To     []string // forward-paths without brackets
	Remote string   // address of the client, host part only
	Hello  string   // what it called itself
	TLS    bool
	Front  bool   // a mail server in front of us took the mail from whoever sent it; Remote and Hello are that server's
	Login  string // the coordinator who submitted it; empty on the public port
}

// Reply is an answer to an SMTP client (RFC 5321 section 4.2), and the error
// type of what the endpoints call. On the public port its text is generic.
type Reply struct {
	Code     int
	Enhanced [3]int // RFC 3463
	Text     string
}

func (r *Reply) Error() string {
	return fmt.Sprintf("%d %d.%d.%d %s", r.Code, r.Enhanced[0], r.Enhanced[1], r.Enhanced[2], r.Text)
}

// Replies that several places give.
var (
	replyNoMailbox = &Reply{550, [3]int{5, 1, 1}, "No such mailbox here"}
	replyTooLarge  = &Reply{552, [3]int{5, 3, 4}, "Message too large"}
	replyFull      = &Reply{452, [3]int{4, 3, 1}, "No room now, try again later"}
	replyLater     = &Reply{451, [3]int{4, 3, 0}, "Not possible now, try again later"}
)

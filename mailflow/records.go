package mailflow

import (
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// The tables of the flows. Keys of named things are HMACs (rule H1).
var (
	cases         = store.Versioned[cvd.Case]("cases")
	parties       = store.Versioned[cvd.Party]("parties")
	participants  = store.Versioned[cvd.Participant]("participants")
	notices       = store.Versioned[cvd.Notice]("notices")
	letters       = store.WriteOnce[Letter]("letters") // the words of notices that people wrote
	dueRows       = store.WriteOnce[dueRow]("due")
	materials     = store.WriteOnce[cvd.Material]("materials")
	materialSums  = store.WriteOnce[string]("materialsums") // their digests, for whoever does not read them
	approvals     = store.Versioned[cvd.ApprovalRequest]("approvals")
	reports       = store.Versioned[cvd.Report]("reports")
	pinnedKeys    = store.Versioned[PinnedKey]("keys")
	keyOwners     = store.WriteOnce[keyOwner]("keyids") // key ID to who holds it
	finderKeys    = store.Versioned[finderKey]("finderkeys")
	finderCounts  = store.Versioned[int]("finderkeycounts") // a row of its own: to count one more does not seal the certificate again
	tokens        = store.Versioned[tokenRow]("tokens")
	msgIDs        = store.Versioned[tokenRow]("msgids") // Message-ID of a thread's mail to its participant
	seen          = store.Versioned[seenRow]("seen")    // digests, for replays and duplicates
	spool         = store.WriteOnce[spoolRow]("spool")
	coordinators  = store.Versioned[Coordinator]("coordinators")
	sendingState  = store.Versioned[Sending]("sending")
	ticks         = store.Versioned[tickRow]("ticks")
	tasks         = store.Versioned[taskRow]("tasks")
	bounces       = store.WriteOnce[bounceRow]("bounces")
	answered      = store.Versioned[answeredRow]("answered") // automatic answers, for the rate
	scheduledRows = store.Versioned[[]shownRow]("scheduled") // what Scheduled shows of a case
	dirtyCases    = store.Versioned[dirtyCase]("dirty")
)

// DeskScope seals what belongs to no case: the directory, coordinators.
const DeskScope store.Scope = "desk"

const spoolScope store.Scope = "spool"

// JournalScope seals the records of the journal that are of no case. It is the
// desk's in stores of before.
const JournalScope store.Scope = "journal"

// onlyPrefix begins the scopes of what one coordinator alone sees. No case tag
// and no party has a colon.
const onlyPrefix = "coordinator:"

// onlyScope seals what one coordinator alone sees: digests.
func onlyScope(coordinator string) store.Scope { return store.Scope(onlyPrefix + coordinator) }

// onlyFor says whose scope it is, if it is one coordinator's.
func onlyFor(s store.Scope) (coordinator string, ok bool) {
	return strings.CutPrefix(string(s), onlyPrefix)
}

func caseScope(c cvd.CaseID) store.Scope { return store.Scope(c) }

// Letter is the text of a notice that no template holds: a coordinator's own
// words, or the answer to a command.
type Letter struct {
	Subject   string
	Text      string
	Files     []cvd.File
	Author    string
	Automatic bool                // it answers a mail without anybody's doing, and says so
	Draft     string              // the Subject as its author wrote it
	Found     []Crossing          // what of it a person must see before it leaves
	For       cvd.Stage           `json:",omitempty"` // of an answer for all: what its reader must have been told
	OurKey    keyring.Fingerprint // of the key of ours that the text names, to write another where that signs by then
}

// dueRow points at the notice that falls due at the instant in its key.
type dueRow struct {
	Case    cvd.CaseID
	Party   cvd.PartyID
	Notice  uint64
	InOrder bool `json:",omitempty"` // it goes before what falls due with it, and those like it one after the other
}

// tokenRow says whose thread an address or Message-ID belongs to: a
// participant's, or that of a report that is not yet in a case.
type tokenRow struct {
	Case    cvd.CaseID
	Party   cvd.PartyID
	Report  uint64
	Revoked bool
}

// seenRow remembers something that must not count twice.
type seenRow struct {
	From    string
	At      time.Time
	Message uint64
}

// answeredRow remembers when automatic answers went to an address.
type answeredRow struct{ At []time.Time }

type keyOwner struct {
	Owner       string
	Fingerprint keyring.Fingerprint
}

// FinderOwner names the holder of a finder's keys, before and after its
// report belongs to a case.
func FinderOwner(token string) string { return "finder/" + token }

// OwnerOf names the holder of a participant's keys.
func OwnerOf(p cvd.Participant) string {
	if p.Party.IsFinder() {
		return FinderOwner(p.Token)
	}
	return string(p.Party)
}

// Coordinator is one of the desk.
type Coordinator struct {
	Name    string
	Address string
	Key     []byte // its own OpenPGP certificate, or none
	Zone    string // IANA, or empty for the desk's
	Added   time.Time
	Ended   time.Time
}

func caseKey(tx *store.Tx, id cvd.CaseID) []byte   { return tx.Name("case", string(id)) }
func partyKey(tx *store.Tx, id cvd.PartyID) []byte { return tx.Name("party", string(id)) }

func participantKey(tx *store.Tx, c cvd.CaseID, p cvd.PartyID) []byte {
	return tx.Name("participant", string(c), string(p))
}

func participantPrefix(tx *store.Tx, c cvd.CaseID) []byte {
	return tx.Name("participant", string(c))
}

func noticeKey(tx *store.Tx, c cvd.CaseID, p cvd.PartyID, id uint64) []byte {
	return append(tx.Name("notice", string(c), string(p)), store.Seq(id)...)
}

func noticePrefix(tx *store.Tx, c cvd.CaseID, p cvd.PartyID) []byte {
	return tx.Name("notice", string(c), string(p))
}

func letterKey(id uint64) []byte { return store.Seq(id) }

func dueKey(at time.Time, id uint64) []byte {
	return append(store.Instant(at), store.Seq(id)...)
}

func materialKey(tx *store.Tx, c cvd.CaseID, s cvd.Stage, p cvd.PartyID, version int) []byte {
	return append(materialPrefix(tx, c, s, p), store.Seq(uint64(version))...)
}

func materialPrefix(tx *store.Tx, c cvd.CaseID, s cvd.Stage, p cvd.PartyID) []byte {
	return tx.Name("material", string(c), string(s), string(p))
}

func approvalKey(tx *store.Tx, id string) []byte {
	return tx.Name("approval", id)
}

func tokenKey(tx *store.Tx, token string) []byte {
	return tx.Name("token", strings.ToLower(token))
}

func msgIDKey(tx *store.Tx, id string) []byte { return tx.Name("msgid", id) }

func seenKey(tx *store.Tx, kind string, digest []byte) []byte {
	return tx.Name("seen", kind, hex.EncodeToString(digest))
}

func keyKey(tx *store.Tx, owner string, f keyring.Fingerprint) []byte {
	return tx.Name("key", owner, string(f))
}

// CaseByID reads a case; ErrNoCase when there is none.
func CaseByID(tx *store.Tx, id cvd.CaseID) (cvd.Case, error) {
	c, err := cases.Get(tx, caseKey(tx, id))
	if errors.Is(err, store.ErrNotFound) {
		return c, ErrNoCase
	}
	return c, err
}

// PutCase writes a case under its own scope.
func PutCase(tx *store.Tx, c cvd.Case) error {
	return cases.Put(tx, caseScope(c.ID), caseKey(tx, c.ID), c)
}

// PartyByID reads a party of the directory; ErrNoParty when there is none.
func PartyByID(tx *store.Tx, id cvd.PartyID) (cvd.Party, error) {
	p, err := parties.Get(tx, partyKey(tx, id))
	if errors.Is(err, store.ErrNotFound) {
		return p, ErrNoParty
	}
	return p, err
}

// PutParty writes a party into the directory.
func PutParty(tx *store.Tx, p cvd.Party) error {
	return parties.Put(tx, DeskScope, partyKey(tx, p.ID), p)
}

// ParticipantByID reads one participant; ErrNoParticipant when there is none.
func ParticipantByID(tx *store.Tx, c cvd.CaseID, p cvd.PartyID) (cvd.Participant, error) {
	r, err := participants.Get(tx, participantKey(tx, c, p))
	if errors.Is(err, store.ErrNotFound) {
		return r, ErrNoParticipant
	}
	return r, err
}

// PutParticipant writes a participant under its case.
func PutParticipant(tx *store.Tx, p cvd.Participant) error {
	if err := noteSaid(tx, p); err != nil {
		return err
	}
	return participants.Put(tx, caseScope(p.Case), participantKey(tx, p.Case, p.Party), p)
}

// Participants lists those of a case, by name.
func Participants(tx *store.Tx, c cvd.CaseID) ([]cvd.Participant, error) {
	return collect(participants.All(tx, participantPrefix(tx, c)), func(a, b cvd.Participant) int {
		return strings.Compare(string(a.Party), string(b.Party))
	})
}

// Notices lists the notices of a participant, oldest first.
func Notices(tx *store.Tx, c cvd.CaseID, p cvd.PartyID) ([]cvd.Notice, error) {
	return collect(notices.All(tx, noticePrefix(tx, c, p)), nil)
}

// Cases lists all cases by number.
func Cases(tx *store.Tx) ([]cvd.Case, error) {
	return collect(cases.All(tx, nil), func(a, b cvd.Case) int {
		return int(int64(a.Number) - int64(b.Number))
	})
}

// Parties lists the directory by name.
func Parties(tx *store.Tx) ([]cvd.Party, error) {
	return collect(parties.All(tx, nil), func(a, b cvd.Party) int {
		return strings.Compare(string(a.ID), string(b.ID))
	})
}

// Coordinators lists the desk by name, those that left excepted.
func Coordinators(tx *store.Tx) ([]Coordinator, error) {
	all, err := collect(coordinators.All(tx, nil), func(a, b Coordinator) int {
		return strings.Compare(a.Name, b.Name)
	})
	here := all[:0]
	for _, c := range all {
		if c.Ended.IsZero() {
			here = append(here, c)
		}
	}
	return here, err
}

// CoordinatorByName reads one coordinator; ErrNoCoordinator when there is none.
func CoordinatorByName(tx *store.Tx, name string) (Coordinator, error) {
	c, err := coordinators.Get(tx, tx.Name("coordinator", name))
	if errors.Is(err, store.ErrNotFound) || (err == nil && !c.Ended.IsZero()) {
		return c, ErrNoCoordinator
	}
	return c, err
}

// PutCoordinator writes a coordinator. With another key, or gone, what was sealed
// to it is dropped: see Seats.RunDue.
func PutCoordinator(tx *store.Tx, c Coordinator) error {
	tx.Changed(store.Change{Topic: topicReceipt})
	return coordinators.Put(tx, DeskScope, tx.Name("coordinator", c.Name), c)
}

// Sentinels of look-ups.
var (
	ErrNoCase        = errors.New("no such case")
	ErrNoParty       = errors.New("no such party")
	ErrNoParticipant = errors.New("not a participant of this case")
	ErrNoCoordinator = errors.New("no such coordinator")
)

package queue

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"time"

	"parley/mailflow/store"
)

// State is where a delivery stands.
type State string

const (
	// Waiting is tried when it is due.
	Waiting State = "waiting"
	// Sending is under way; so it stands on the disk before a connection is made.
	Sending State = "sending"
	// Sent was accepted by the next server. Final.
	Sent State = "sent"
	// Failed was refused, or not taken in time. A person may say again.
	Failed State = "failed"
	// Unknown may have been accepted or not. A person must say.
	Unknown State = "unknown"
	// Dropped was taken back before it left. Final.
	Dropped State = "dropped"
)

// Item is one mail to one recipient. All up to Body never changes once it was added.
type Item struct {
	ID        uint64
	Case      string
	Party     string
	Notice    uint64
	Scope     store.Scope // whose key seals the row
	From      string      // reverse-path without brackets
	To        string      // forward-path without brackets
	MessageID string
	// EnvelopeID comes back in what servers report of the mail (courier.Mail); "" is none.
	EnvelopeID string
	Head       string     `json:",omitempty"` // fields in front of Body: signatures that could be made only once all of it was there
	Body       store.Body // with Head, the exact bytes
	InOrder    bool       // handed over after those in order that were added before it; see Queue.turn

	State    State
	Attempts int
	First    time.Time // the first attempt, or the first after a person said again
	Next     time.Time // the next attempt; of Waiting only
	Last     time.Time // the last attempt
	Reply    string    // what became of the last attempt: reply codes and words of ours
	Said     string    // what their server wrote with it, for people of the case only
	Recalled bool      // somebody wanted it back when it was being handed over
}

// Name is the form in which people name a delivery: "D17".
func Name(id uint64) string { return fmt.Sprintf("D%d", id) }

// String is the name.
func (it Item) String() string { return Name(it.ID) }

// LogValue is the name: nothing else of an item belongs in a log (H6).
func (it Item) LogValue() slog.Value { return slog.StringValue(Name(it.ID)) }

// The index rows hold hardly more than their keys, so that what is due costs what is due: a delivery is opened when it is tried.
type (
	empty  struct{}
	dueRow struct{ InOrder bool }
)

var (
	items    = store.Versioned[Item]("deliveries")
	dueRows  = store.WriteOnce[dueRow]("deliveries-due")     // instant, number
	underway = store.WriteOnce[empty]("deliveries-underway") // number
)

func dueKey(it Item) []byte { return store.DueKey(it.Next, store.Seq(it.ID)) }

// seqOf reads the number at the end of an index key.
func seqOf(key []byte) uint64 {
	if len(key) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(key[len(key)-8:])
}

// wait records that a delivery is due at an instant.
func wait(tx *store.Tx, it Item, at time.Time) error {
	if err := underway.Delete(tx, store.Seq(it.ID)); err != nil {
		return err
	}
	if _, err := dueRows.MoveDue(tx, it.Scope, store.Seq(it.ID), it.Next, at, dueRow{it.InOrder}); err != nil {
		return err
	}
	it.State, it.Next = Waiting, at
	tx.Changed(store.Change{Topic: "queue"})
	return items.Put(tx, it.Scope, store.Seq(it.ID), it)
}

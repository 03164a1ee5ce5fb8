// Package journal is the record of what happened: who received, decided and sent what, and when. It is append-only and chained by
// hashes of the sealed records (T9), so that it still proves its order when the key of a case has been destroyed.
package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ErrBroken says that the chain does not hold, or does not hold the link that was asked for.
var ErrBroken = errors.New("the journal is broken")

// Shredded is the Kind under which Each shows a record whose key was destroyed on purpose.
const Shredded = "shredded"

// A Record is one thing that happened. It holds identifiers and words of our own, never a subject, an address or content.
type Record struct {
	At     time.Time // the instant of the transaction; it is kept in UTC
	Case   string    `json:",omitempty"`
	Party  string    `json:",omitempty"`
	Actor  string    `json:",omitempty"` // a login, "gateway", or a party
	Kind   string    // "report.received", "notice.sent", "command", "hold"
	Ref    string    `json:",omitempty"` // what it is about: a notice, a report, a command
	Detail string    `json:",omitempty"`
}

// A Ledger seals records and keeps them in order. *store.Tx is one.
type Ledger interface {
	// AddLink seals a record under a scope and appends it. The new link is SHA-256 of the link before, the sequence
	// number in 8 bytes big-endian, and the sealed record; 32 zeros stand before the first.
	AddLink(scope string, record []byte) (seq uint64, link []byte, err error)
	// LastLink returns the newest link: sequence number 0 if there is none.
	LastLink() (seq uint64, link []byte, err error)
	// Links walks all from the first on. What fn gets is valid until it returns.
	Links(fn func(seq uint64, link, sealed []byte) error) error
	// OpenLink opens a sealed record, or says that its key was destroyed.
	OpenLink(seq uint64, sealed []byte) (record []byte, shredded bool, err error)
}

// Append writes a record, sealed under a scope that exists, as part of the caller's update. It must have a Kind and an instant.
func Append(l Ledger, scope string, r Record) error {
	if r.Kind == "" || r.Kind == Shredded {
		return fmt.Errorf("append to the journal: %q is no kind of record", r.Kind)
	}
	if r.At.IsZero() {
		return errors.New("append to the journal: a record has an instant")
	}
	r.At = r.At.UTC()
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("append to the journal: %w", err)
	}
	if _, _, err := l.AddLink(scope, data); err != nil {
		return fmt.Errorf("append to the journal: %w", err)
	}
	return nil
}

// Head returns the sequence number and link, in hex, of the newest record. Noted outside the store, it is what Verify finds a
// store by that was put back whole. An empty journal has 0 and "".
func Head(l Ledger) (seq uint64, link string, err error) {
	seq, end, err := l.LastLink()
	if err != nil {
		return 0, "", fmt.Errorf("head of the journal: %w", err)
	}
	if seq == 0 {
		return 0, "", nil
	}
	return seq, hex.EncodeToString(end), nil
}

// Each walks the records from the first on. One whose key was destroyed comes with the Kind Shredded and nothing else.
func Each(l Ledger, fn func(seq uint64, r Record) error) error { return Since(l, 0, fn) }

// Verify computes the chain anew and compares it with what is stored, and that with the newest link. If wantHead is not empty,
// that link (in hex) must be one of the chain: in a store that was put back whole, a later one is not. ErrBroken comes with the
// sequence number at which it breaks. Records need not open for it.
func Verify(l Ledger, wantHead string) error {
	want, err := hex.DecodeString(wantHead)
	if err != nil || len(want) != 0 && len(want) != sha256.Size {
		return fmt.Errorf("verify the journal: %q is no link: want %d hex digits", wantHead, 2*sha256.Size)
	}
	var last uint64
	found, before := len(want) == 0, make([]byte, sha256.Size)
	err = l.Links(func(seq uint64, link, sealed []byte) error {
		if seq != last+1 || !bytes.Equal(link, next(before, seq, sealed)) {
			return fmt.Errorf("verify the journal: %w at %d", ErrBroken, last+1)
		}
		last = seq
		copy(before, link)
		found = found || bytes.Equal(link, want)
		return nil
	})
	if err != nil {
		return err
	}
	end, link, err := l.LastLink()
	switch {
	case err != nil:
		return fmt.Errorf("verify the journal: %w after %d: %w", ErrBroken, last, err)
	case end != last || !bytes.Equal(link, before):
		return fmt.Errorf("verify the journal: %w: it ends at %d, not %d", ErrBroken, last, end)
	case !found:
		return fmt.Errorf("verify the journal: %w: none of its %d links is %s; the store may have been put back", ErrBroken, last, wantHead)
	}
	return nil
}

func next(before []byte, seq uint64, sealed []byte) []byte {
	h := sha256.New()
	h.Write(before)
	h.Write(binary.BigEndian.AppendUint64(nil, seq))
	h.Write(sealed)
	return h.Sum(nil)
}

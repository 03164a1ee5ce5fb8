package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Marks are what a coordinator thinks of a message: the flags of RFC 9051 section 2.3.2, whether it is hidden, and up
// to 56 keywords. Each seat has its own; MarkAnswered is everybody's.
type Marks uint64

// The marks that are no keywords.
const (
	MarkSeen Marks = 1 << iota
	MarkAnswered
	MarkFlagged
	MarkDeleted
	MarkDraft
	MarkHidden // taken out of sight by EXPUNGE or MOVE; nothing else is lost

	firstKeyword = 8 // the bit of the first keyword
)

const shared = MarkAnswered

// everybody is the seat under which shared marks stand.
const everybody = ""

// ErrKeywords says that a coordinator uses as many keywords as there can be.
var ErrKeywords = errors.New("no more than 56 keywords for one coordinator")

// Marks lie in blocks: one row for the marks of one seat on 256 UIDs of a mailbox.
const blockUIDs = 256

type marksBlock [blockUIDs]Marks

var (
	marked   = Versioned[marksBlock]("marks")  // mailbox, seat and block number
	keywords = Versioned[[]string]("keywords") // by seat, in the order of their bits
)

// MarshalBinary writes runs: how many equal marks, which.
func (m marksBlock) MarshalBinary() ([]byte, error) {
	var b []byte
	for i := 0; i < len(m); {
		n := 1
		for i+n < len(m) && m[i+n] == m[i] {
			n++
		}
		b = binary.AppendUvarint(b, uint64(n))
		b = binary.AppendUvarint(b, uint64(m[i]))
		i += n
	}
	return b, nil
}

// UnmarshalBinary reads the stored form.
func (m *marksBlock) UnmarshalBinary(b []byte) error {
	r := fieldReader{b: b}
	for i := 0; i < len(m); {
		n, v := r.uvarint(), Marks(r.uvarint())
		if r.failed || n == 0 || n > uint64(len(m)-i) {
			return errors.New("marks do not have their form")
		}
		for range n {
			m[i] = v
			i++
		}
	}
	return nil
}

func (tx *Tx) marksKey(mailbox uint32, seat string, block uint32) []byte {
	return binary.BigEndian.AppendUint32(append(boxKey(mailbox), tx.Name("seat", seat)...), block)
}

func (tx *Tx) marksIn(mailbox uint32, seat string, block uint32) (marksBlock, error) {
	m, err := marked.Get(tx, tx.marksKey(mailbox, seat, block))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return m, fmt.Errorf("marks in mailbox %d: %w", mailbox, err)
	}
	return m, nil
}

// MarksOf returns the marks of a seat on these UIDs, which should be in ascending order, those that are shared among them.
func (tx *Tx) MarksOf(mailbox uint32, seat string, uids []uint32) ([]Marks, error) {
	out := make([]Marks, len(uids))
	err := eachBlock(uids, func(block uint32, from, to int) error {
		own, err := tx.marksIn(mailbox, seat, block)
		if err != nil {
			return err
		}
		all, err := tx.marksIn(mailbox, everybody, block)
		if err != nil {
			return err
		}
		for i, uid := range uids[from:to] {
			out[from+i] = own[uid%blockUIDs]&^shared | all[uid%blockUIDs]&shared
		}
		return nil
	})
	return out, err
}

// eachBlock calls fn for each run of UIDs that lie in one block.
func eachBlock(uids []uint32, fn func(block uint32, from, to int) error) error {
	for from := 0; from < len(uids); {
		block, to := uids[from]/blockUIDs, from+1
		for to < len(uids) && uids[to]/blockUIDs == block {
			to++
		}
		if err := fn(block, from, to); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// Mark changes the marks of a seat on these UIDs: those in clear go, then those in set come. MarkAnswered goes and comes for
// every seat.
func (tx *Tx) Mark(mailbox uint32, seat string, uids []uint32, clear, set Marks) error {
	box, err := tx.Mailbox(mailbox)
	if err != nil {
		return err
	}
	return eachBlock(uids, func(block uint32, from, to int) error {
		err := tx.markIn(box, seat, block, uids[from:to], clear&^shared, set&^shared)
		if err == nil && (clear|set)&shared != 0 {
			err = tx.markIn(box, everybody, block, uids[from:to], clear&shared, set&shared)
		}
		return err
	})
}

func (tx *Tx) markIn(box Mailbox, seat string, block uint32, uids []uint32, clear, set Marks) error {
	m, err := tx.marksIn(box.Number, seat, block)
	if err != nil {
		return err
	}
	before := m
	for _, uid := range uids {
		at := &m[uid%blockUIDs]
		*at = *at&^clear | set
	}
	if m == before {
		return nil
	}
	tx.Changed(Change{Topic: TopicMailbox, Mailbox: box.Number, UID: block * blockUIDs, Kind: ChangeMarked, Seat: seat})
	return marked.Put(tx, box.Scope, tx.marksKey(box.Number, seat, block), m)
}

// copyMarks gives a UID the marks that another has, those of every seat.
func (tx *Tx) copyMarks(mailbox, from, to uint32) error {
	box, err := tx.Mailbox(mailbox)
	if err != nil {
		return err
	}
	for row, err := range marked.All(tx, boxKey(mailbox)) {
		if err != nil {
			return err
		}
		last := len(row.Key) - 4
		if binary.BigEndian.Uint32(row.Key[last:]) != from/blockUIDs {
			continue
		}
		key := binary.BigEndian.AppendUint32(row.Key[:last:last], to/blockUIDs)
		m, err := marked.Get(tx, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		m[to%blockUIDs] = row.Value[from%blockUIDs]
		if err := marked.Put(tx, box.Scope, key, m); err != nil {
			return err
		}
	}
	return nil
}

// Keywords lists the keywords of a seat; that at i has the mark KeywordMark(i).
func (tx *Tx) Keywords(seat string) ([]string, error) {
	names, err := keywords.Get(tx, tx.Name("seat", seat))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("keywords: %w", err)
	}
	return names, nil
}

// KeywordMark is the mark of the ith keyword of a seat.
func KeywordMark(i int) Marks { return 1 << (firstKeyword + i) }

// Keyword returns the mark of a keyword (RFC 9051 section 2.3.2; letter case does not matter) and makes it where the seat did not
// use it before: ErrKeywords once there are 56.
func (tx *Tx) Keyword(scope Scope, seat, name string) (Marks, error) {
	names, err := tx.Keywords(seat)
	if err != nil {
		return 0, err
	}
	for i, n := range names {
		if strings.EqualFold(n, name) {
			return KeywordMark(i), nil
		}
	}
	if firstKeyword+len(names) >= 64 {
		return 0, ErrKeywords
	}
	return KeywordMark(len(names)), keywords.Put(tx, scope, tx.Name("seat", seat), append(names, name))
}

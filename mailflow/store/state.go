package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// The buckets the store keeps for itself. Those of tables begin with recordPrefix, versionPrefix or oncePrefix.
const (
	metaBucket  = "meta"     // schema and state
	scopeBucket = "scope"    // names of scopes, by number
	seqBucket   = "sequence" // what Next counts
	bodyBucket  = "body"     // bodies small enough for the tree
	blobBucket  = "blob"     // one row for each blob file
	chainBucket = "journal"

	recordPrefix  = "t/"
	versionPrefix = "v/"
	oncePrefix    = "w/"
)

// ascends says that a bucket's keys only grow, and that what stands under one keeps its size, so that its pages may be filled:
// nothing comes between. UIDs grow within their mailbox, which is as good once it has filled a page. What a message is known as
// may become longer, so that its rows are not among them, but those that refer to them are.
func ascends(bucket string) bool {
	switch bucket {
	case scopeBucket, bodyBucket, blobBucket, chainBucket, messages.versions, heads.rows, structures.rows, entries.rows:
		return true
	}
	return false
}

var (
	stateKey  = []byte("state")
	schemaKey = []byte("schema")
	spoolKey  = []byte("spool")
)

// A state is what the store knows of itself as a whole, sealed in one row that every commit rewrites.
type state struct {
	serial   uint64 // of the commit
	version  uint64 // of the newest record
	scopes   uint64 // the highest number of a scope
	body     uint64 // the highest body number ever kept
	chain    uint64 // links in the journal
	chainEnd [sha256.Size]byte
	tally    tally
}

const stateBytes = 5*8 + sha256.Size + tallyLanes*8

func (s *state) marshal() []byte {
	b := make([]byte, 0, stateBytes)
	for _, n := range []uint64{s.serial, s.version, s.scopes, s.body, s.chain} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = append(b, s.chainEnd[:]...)
	for _, n := range s.tally {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func (s *state) unmarshal(b []byte) error {
	if len(b) != stateBytes {
		return fmt.Errorf("the state row has %d bytes", len(b))
	}
	for _, n := range []*uint64{&s.serial, &s.version, &s.scopes, &s.body, &s.chain} {
		*n, b = binary.BigEndian.Uint64(b), b[8:]
	}
	b = b[copy(s.chainEnd[:], b):]
	for i := range s.tally {
		s.tally[i], b = binary.BigEndian.Uint64(b), b[8:]
	}
	return nil
}

// A tally is a keyed sum over every row of the store. The associated data shows that a row is the one its referring row
// means; the tally shows Verify what that cannot: a row removed together with the row that refers to it, or both put back
// together from an older copy. Adding and taking away cost two hashes, whatever the size of the store.
type tally [tallyLanes]uint64

const tallyLanes = 4

func (t *tally) add(item tally) {
	for i := range t {
		t[i] += item[i]
	}
}

func (t *tally) take(item tally) {
	for i := range t {
		t[i] -= item[i]
	}
}

// tallyEnds is how much of each end of a row enters the tally: scope, nonce and tag, or a checksum and a tag. The tag stands
// for all between.
const tallyEnds = 32

// count makes the row's item. Keyed SHA-256 is enough here, without HMAC: no item is ever shown, only their sealed sum.
func (ks *keySet) count(scratch *[]byte, bucket string, key, row []byte) tally {
	b := append((*scratch)[:0], ks.tally...)
	b = append(b, byte(len(bucket)))
	b = append(b, bucket...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(key)))
	b = append(b, key...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(row)))
	b = append(b, row[:min(tallyEnds, len(row))]...)
	b = append(b, row[max(0, len(row)-tallyEnds):]...)
	*scratch = b
	sum := sha256.Sum256(b)
	var item tally
	for i := range item {
		item[i] = binary.BigEndian.Uint64(sum[8*i:])
	}
	return item
}

// counted says whether a bucket's rows enter the tally: all do but the state row that holds it.
func counted(bucket string, key []byte) bool {
	return bucket != metaBucket || !bytes.Equal(key, stateKey)
}

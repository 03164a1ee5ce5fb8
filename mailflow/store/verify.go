package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
)

// A Report is what Verify found. Its problems name buckets and keys, never what was stored.
type Report struct {
	Records  uint64 // sealed rows that opened
	Shredded uint64 // rows whose key was destroyed on purpose
	Bodies   uint64 // bodies that are whole
	Journal  uint64 // links of the journal
	Head     string // the newest link, in hex; empty for an empty journal
	Problems []string
}

// problemLimit bounds the list; what is found beyond is only counted.
const problemLimit = 100

// Verify reads everything in one snapshot: the engine's structure, every record of every bucket with its version, every body,
// the journal's chain, and the tally, which shows rows that are missing or were put back together with those that refer to
// them. What it finds is in the report; an error says that it could not look. A whole store put back is found only by comparing
// Head with one that was noted elsewhere. Pages that are freed meanwhile stay in the file until it ends.
func (s *Store) Verify(ctx context.Context) (Report, error) {
	v := &verifier{ctx: ctx}
	if err := s.Absorb(); err != nil && !errors.Is(err, ErrFull) {
		return v.report, fmt.Errorf("verify the store: %w", err)
	}
	s.holdBlobs()
	defer s.releaseBlobs()
	err := s.View(func(tx *Tx) error {
		v.tx = tx
		return v.all()
	})
	if s.spool.damage != nil {
		v.problem(s.spool.damage.Error())
	}
	if err == nil {
		err = s.engine.check(v.problem)
	}
	if err != nil {
		return v.report, fmt.Errorf("verify the store: %w", err)
	}
	if v.more > 0 {
		v.report.Problems = append(v.report.Problems, fmt.Sprintf("and %d more", v.more))
	}
	return v.report, nil
}

type verifier struct {
	ctx     context.Context
	tx      *Tx
	report  Report
	more    uint64
	sum     tally
	scratch []byte
	opened  map[uint64]bool // bodies that were found in a record and opened
}

func (v *verifier) problem(text string) {
	if len(v.report.Problems) >= problemLimit {
		v.more++
		return
	}
	v.report.Problems = append(v.report.Problems, text)
}

func (v *verifier) problemAt(bucket string, key []byte, err error) {
	v.problem(fmt.Sprintf("%s %x: %v", bucket, key, err))
}

func (v *verifier) all() error {
	st, err := v.tx.load()
	if err != nil {
		v.problem(err.Error())
		return nil
	}
	v.opened = map[uint64]bool{}
	buckets := v.tx.rows.buckets()
	// Bodies come last: by then it is known which were opened by their records.
	for _, bodies := range []bool{false, true} {
		for _, b := range buckets {
			if (b == bodyBucket || b == blobBucket) == bodies {
				if err := v.bucket(b); err != nil {
					return err
				}
			}
		}
	}
	if v.sum != st.tally {
		v.problem("rows are missing, or were put back from an older copy")
	}
	v.chain(st)
	return nil
}

// bucket walks one bucket.
func (v *verifier) bucket(bucket string) error {
	check, versions := v.sealed, ""
	switch {
	case bucket == bodyBucket:
		check = v.body
	case bucket == blobBucket:
		check = v.blob
	case bucket == chainBucket:
		check = v.link
	case strings.HasPrefix(bucket, recordPrefix):
		versions = versionPrefix + strings.TrimPrefix(bucket, recordPrefix)
		check = v.record
	case strings.HasPrefix(bucket, oncePrefix):
		check = v.record
	case bucket == metaBucket, bucket == seqBucket, bucket == scopeBucket, strings.HasPrefix(bucket, versionPrefix):
	default:
		v.problem(fmt.Sprintf("bucket %q does not belong there", bucket))
		return nil
	}
	for w := newWalk(v.tx, bucket, versions, nil, nil); w.next(); {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		if w.sealed != nil && counted(bucket, w.key) {
			v.sum.add(v.tx.keys.count(&v.scratch, bucket, w.key, w.sealed))
		}
		if err := check(w); err != nil {
			v.problemAt(bucket, w.key, err)
		}
	}
	return nil
}

// sealed opens a row.
func (v *verifier) sealed(w *walk) error {
	_, err := v.open(w)
	return err
}

func (v *verifier) open(w *walk) ([]byte, error) {
	plain, err := w.open()
	if errors.Is(err, ErrShredded) {
		v.report.Shredded++
		return nil, nil
	}
	if err == nil {
		v.report.Records++
	}
	return plain, err
}

// record opens a row of a table and the bodies it names.
func (v *verifier) record(w *walk) error {
	plain, err := v.open(w)
	if err != nil {
		return err
	}
	for _, b := range bodiesIn(plain) {
		if err := v.named(b); err != nil {
			return fmt.Errorf("names body %d: %w", b.ID, err)
		}
	}
	return nil
}

// named opens a body that a record names, once.
func (v *verifier) named(b Body) error {
	if v.opened[b.ID] {
		return nil
	}
	sum := sha256.New()
	if b.Blob {
		r, err := v.tx.store.openBlob(b)
		if err != nil {
			return err
		}
		_, err = io.Copy(sum, r)
		if err := errors.Join(err, r.Close()); err != nil {
			return err
		}
	} else {
		plain, err := v.tx.bytes(nil, b)
		if err != nil {
			return err
		}
		sum.Write(plain)
	}
	if !bytes.Equal(sum.Sum(nil), b.SHA256) {
		return errors.New("its digest is another")
	}
	v.opened[b.ID] = true
	return nil
}

// body checks a body in the tree by its checksum if no record opened it.
func (v *verifier) body(w *walk) error {
	sealed := w.sealed
	if !v.opened[keyNumber(w.key)] &&
		(len(sealed) < crcBytes || binary.BigEndian.Uint32(sealed) != crc32.Checksum(sealed[crcBytes:], castagnoli)) {
		return ErrTampered
	}
	v.report.Bodies++
	return nil
}

// blob checks a blob's row, and its file if no record opened it.
func (v *verifier) blob(w *walk) error {
	plain, err := v.open(w)
	if err != nil {
		return err
	}
	var row blobRow
	if err := row.unmarshal(plain); err != nil {
		return err
	}
	if id := keyNumber(w.key); !v.opened[id] {
		if err := v.file(v.tx.store.blobPath(id), row); err != nil {
			return err
		}
	}
	v.report.Bodies++
	return nil
}

func (v *verifier) file(path string, want blobRow) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	sum := crc32.New(castagnoli)
	size, err := io.Copy(sum, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if size != want.size || sum.Sum32() != want.crc {
		return ErrTampered
	}
	return nil
}

// link opens a record of the journal.
func (v *verifier) link(w *walk) error {
	if len(w.sealed) < linkBytes {
		return ErrTampered
	}
	_, shredded, err := v.tx.OpenLink(keyNumber(w.key), w.sealed[linkBytes:])
	switch {
	case shredded:
		v.report.Shredded++
	case err == nil:
		v.report.Records++
	}
	return err
}

// chain follows the journal from its beginning to the end that the state names.
func (v *verifier) chain(st *state) {
	before := make([]byte, linkBytes)
	err := v.tx.Links(func(seq uint64, link, sealed []byte) error {
		if seq != v.report.Journal+1 || !bytes.Equal(link, nextLink(before, seq, sealed)) {
			return fmt.Errorf("the journal's chain breaks at %d", v.report.Journal+1)
		}
		v.report.Journal = seq
		copy(before, link)
		return nil
	})
	if err == nil && (v.report.Journal != st.chain || !bytes.Equal(before, st.chainEnd[:])) {
		err = fmt.Errorf("the journal ends at %d and should end at %d", v.report.Journal, st.chain)
	}
	if err != nil {
		v.problem(err.Error())
	}
	if v.report.Journal > 0 {
		v.report.Head = hex.EncodeToString(before)
	}
}

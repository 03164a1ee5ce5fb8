package mailflow

import (
	"crypto/sha256"
	"errors"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// again says what a mail repeats.
type again struct {
	drop   bool   // the same mail came before: stored once
	why    string // of Quarantine: the same ciphertext from somebody else
	replay bool   // the same signature or an old one: it triggers nothing
}

// again compares a mail with all that came before it, and remembers it
// (rules S6, T7).
func (in *Intake) again(tx *store.Tx, a *arrival, rcpt string, p place) (again, error) {
	from := a.sender()
	sum := sha256.Sum256(append([]byte(rcpt+"\x00"), a.raw...))
	if before, err := remember(tx, "raw", sum[:], from, a.row.ID); err != nil || before != nil {
		return again{drop: before != nil}, err
	}
	var out again
	if a.opened == nil {
		return out, nil
	}
	if d := a.opened.BodyDigest; d != [32]byte{} {
		before, err := remember(tx, "body", d[:], from, a.row.ID)
		if err != nil {
			return out, err
		}
		if before != nil && before.Message != a.row.ID {
			if before.From != from {
				out.why = "the same ciphertext came before from somebody else"
				return out, nil
			}
			sameRcpt := sha256.Sum256(append([]byte(rcpt+"\x00"), d[:]...))
			if twin, err := remember(tx, "bodyto", sameRcpt[:], from, a.row.ID); err != nil || twin != nil {
				return again{drop: twin != nil}, err
			}
			out.replay = true
			return out, nil
		}
		toRcpt := sha256.Sum256(append([]byte(rcpt+"\x00"), d[:]...))
		if _, err := remember(tx, "bodyto", toRcpt[:], from, a.row.ID); err != nil {
			return out, err
		}
	}
	for _, s := range a.opened.Signatures {
		if s.Digest == [32]byte{} {
			continue
		}
		before, err := remember(tx, "signature", s.Digest[:], from, a.row.ID)
		if err != nil {
			return out, err
		}
		if before != nil && before.Message != a.row.ID {
			out.replay = true
		}
	}
	out.replay = out.replay || stale(p.Verdict, a.row.At)
	return out, nil
}

// remember looks a digest up and keeps it where it is new.
func remember(tx *store.Tx, kind string, digest []byte, from string, spoolID uint64) (*seenRow, error) {
	key := seenKey(tx, kind, digest)
	before, err := seen.Get(tx, key)
	if err == nil {
		return &before, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return nil, seen.Put(tx, DeskScope, key, seenRow{From: from, At: tx.Now, Message: spoolID})
}

// mayAnswer says whether an automatic answer may go to an address: no more
// than perDay in 24 hours (rule M4).
func mayAnswer(tx *store.Tx, kind, addr string, perDay int) (bool, error) {
	key := tx.Name("answered", kind, addr)
	row, err := answered.Get(tx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	recent := row.At[:0:0]
	for _, t := range row.At {
		if tx.Now.Sub(t) < cvd.Day {
			recent = append(recent, t)
		}
	}
	if len(recent) >= perDay {
		return false, nil
	}
	row.At = append(recent, tx.Now)
	return true, answered.Put(tx, DeskScope, key, row)
}

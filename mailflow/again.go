package mailflow

import (
	"crypto/sha256"
	"errors"

	"parley/keyring/pgpmime"
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
func (in *Intake) again(tx *store.Tx, a *arrival, p place) (again, error) {
	_, before, err := a.known(tx, "raw", digestAt(p.Via, a.raw))
	if err != nil || before || a.opened == nil {
		return again{drop: before}, err
	}
	out, err := a.sameBody(tx, p.Via)
	if err != nil || out != (again{}) {
		return out, err
	}
	out, err = a.sameSignature(tx, p)
	out.replay = out.replay || stale(p.Verdict, a.row.At)
	return out, err
}

// sameSignature compares the signatures over the whole mail. A report that
// somebody else signed and sent before is a stolen one.
func (a *arrival) sameSignature(tx *store.Tx, p place) (again, error) {
	var out again
	for _, s := range a.opened.Signatures {
		if s.Digest == [32]byte{} {
			continue
		}
		first, before, err := a.known(tx, "signature", s.Digest[:])
		if err != nil {
			return out, err
		}
		out.replay = out.replay || before
		if before && a.opened.WholeSigned && p.Kind == toIntake && first.From != a.sender() {
			out.why = "the same signature came before from somebody else"
		}
	}
	return out, nil
}

// sameDocument says whether a document, or a signature of it, came before. That
// stops nothing, since documents trigger nothing, and one file may come with two
// letters; the desk is told.
func (a *arrival) sameDocument(tx *store.Tx, d pgpmime.Document) (bool, error) {
	seen := false
	digests := map[string][][32]byte{"body": {d.Body}}
	for _, s := range d.Signatures {
		digests["signature"] = append(digests["signature"], s.Digest)
	}
	for kind, list := range digests {
		for _, sum := range list {
			if sum == [32]byte{} {
				continue
			}
			_, before, err := a.known(tx, kind, sum[:])
			if err != nil {
				return false, err
			}
			seen = seen || before
		}
	}
	return seen, nil
}

// sameBody compares the ciphertexts, however they were armored, cut into pieces or
// addressed. Only where one is the whole mail does the same one to the same
// address say nothing new: a file that is encrypted by itself may come with
// another letter.
func (a *arrival) sameBody(tx *store.Tx, via string) (again, error) {
	var out again
	for i, d := range a.opened.Bodies {
		first, before, err := a.known(tx, "body", d[:])
		if err != nil {
			return again{}, err
		}
		if before && first.From != a.sender() {
			out.why = "the same ciphertext came before from somebody else"
		}
		if i == 0 && a.encrypted() && out.why == "" {
			_, here, err := a.known(tx, "bodyto", digestAt(via, d[:]))
			if err != nil {
				return again{}, err
			}
			out.drop, out.replay = here, before
		}
	}
	if out.why != "" {
		return again{why: out.why}, nil
	}
	return out, nil
}

// digestAt digests something together with the address that it came to.
func digestAt(via string, b []byte) []byte {
	h := sha256.New()
	h.Write([]byte(via + "\x00"))
	h.Write(b)
	return h.Sum(nil)
}

// known says whether another mail brought a digest before, and remembers it
// where none did.
func (a *arrival) known(tx *store.Tx, kind string, digest []byte) (seenRow, bool, error) {
	before, err := remember(tx, kind, digest, a.sender(), a.row.ID)
	if err != nil || before == nil {
		return seenRow{}, false, err
	}
	return *before, before.Message != a.row.ID, nil
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

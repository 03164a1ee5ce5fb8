package journal

import (
	"encoding/json"
	"fmt"
)

// Since is Each for the records after one: those up to seq are not opened.
func Since(l Ledger, after uint64, fn func(seq uint64, r Record) error) error {
	return l.Links(func(seq uint64, _, sealed []byte) error {
		if seq <= after {
			return nil
		}
		data, shredded, err := l.OpenLink(seq, sealed)
		if err != nil {
			return fmt.Errorf("open record %d of the journal: %w", seq, err)
		}
		r := Record{Kind: Shredded}
		if !shredded {
			r = Record{}
			if json.Unmarshal(data, &r) != nil {
				return fmt.Errorf("record %d of the journal is none: %w", seq, ErrBroken)
			}
		}
		return fn(seq, r)
	})
}

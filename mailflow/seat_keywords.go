package mailflow

import (
	"fmt"
	"strings"

	"parley/mailflow/store"
)

// Keywords lists the coordinator's keywords; that at i has the mark
// store.KeywordMark(i). A sealed view names those that a person made up by their
// number: they may well be the name of a vendor.
func (s *Seat) Keywords() (names []string, err error) {
	err = s.Store.View(func(tx *store.Tx) error {
		names, err = tx.Keywords(s.name)
		return err
	})
	if !s.sealed() {
		return names, err
	}
	neutral := make([]string, len(names))
	for i, n := range names {
		if neutral[i] = n; !strings.HasPrefix(n, "$") { // RFC 9051 section 2.3.2: those that clients agreed on
			neutral[i] = fmt.Sprintf("Keyword%d", i+1)
		}
	}
	return neutral, err
}

// Keyword gives the mark of a keyword; store.ErrKeywords if there are too
// many.
func (s *Seat) Keyword(name string) (m store.Marks, err error) {
	err = s.Store.Update(func(tx *store.Tx) error {
		m, err = tx.Keyword(DeskScope, s.name, name)
		return err
	})
	return m, err
}

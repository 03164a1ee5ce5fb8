package mailflow

import (
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/store"
)

// agreedKeywords are those that clients agreed on, or that they use by
// themselves: they say nothing of a case (RFC 9051 section 2.3.2 and the IANA
// registry it names; Thunderbird's tags have numbers).
var agreedKeywords = []string{"$Forwarded", "$MDNSent", "$Junk", "$NotJunk", "$Phishing", "$Important", "$SubmitPending", "$Submitted",
	"$label1", "$label2", "$label3", "$label4", "$label5", "Forwarded", "Junk", "NonJunk", "NotJunk", "Old"}

func isAgreed(keyword string) bool {
	return slices.ContainsFunc(agreedKeywords, func(k string) bool { return strings.EqualFold(k, keyword) })
}

// sealedKeyword begins the names of keywords that a sealed login made: none of them
// is one that was there, and so nobody finds out by trying what those are called.
const sealedKeyword = "sealed-"

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
		if neutral[i] = n; !isAgreed(n) {
			neutral[i] = fmt.Sprintf("Keyword%d", i+1)
		}
	}
	return neutral, err
}

// Keyword gives the mark of a keyword; store.ErrKeywords if there are too
// many.
func (s *Seat) Keyword(name string) (m store.Marks, err error) {
	if s.sealed() && !isAgreed(name) {
		name = sealedKeyword + name
	}
	err = s.Store.Update(func(tx *store.Tx) error {
		m, err = tx.Keyword(DeskScope, s.name, name)
		return err
	})
	return m, err
}

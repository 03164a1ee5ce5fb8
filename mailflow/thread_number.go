package mailflow

import (
	"strconv"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// threadWord begins the local part of an address that names a thread by its
// number, "thread-3.par-2026-0007", as sealed views do.
const threadWord = "thread-"

// threadsOf lists whose the threads of a case are, in the order they began: the
// first is thread 1.
func threadsOf(tx *store.Tx, id cvd.CaseID) ([]cvd.PartyID, error) {
	boxes, err := tx.Mailboxes()
	var parties []cvd.PartyID
	for _, m := range boxes {
		if m.Case == string(id) && m.Party != "" {
			parties = append(parties, cvd.PartyID(m.Party))
		}
	}
	return parties, err
}

// threadNumber is that of a participant's thread; 0 if it has none.
func threadNumber(tx *store.Tx, id cvd.CaseID, party cvd.PartyID) (int, error) {
	parties, err := threadsOf(tx, id)
	for i, p := range parties {
		if p == party {
			return i + 1, err
		}
	}
	return 0, err
}

// byThread puts the party in the place of a thread's number in an address. An
// address with a number that there is none of stays as it is.
func (d deskAddress) byThread(tx *store.Tx) (deskAddress, error) {
	n, ok := d.thread()
	if !ok {
		return d, nil
	}
	parties, err := threadsOf(tx, d.Case)
	if err == nil && n >= 1 && n <= len(parties) {
		d.Party = parties[n-1]
	}
	return d, err
}

func (d deskAddress) thread() (int, bool) {
	digits, ok := strings.CutPrefix(string(d.Party), threadWord)
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && d.Kind == addrParty
}

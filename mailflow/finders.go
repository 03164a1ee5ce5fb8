package mailflow

import (
	"errors"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// freeFinder is the name under which one more finder takes part in a case: the
// lowest that nobody has, or had. A case that was opened by hand has none yet.
func freeFinder(tx *store.Tx, c cvd.CaseID) (cvd.PartyID, error) {
	for n := 1; ; n++ {
		_, err := ParticipantByID(tx, c, cvd.FinderID(n))
		if errors.Is(err, ErrNoParticipant) {
			return cvd.FinderID(n), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// threadNow follows a thread to where it is by now: that of a report that
// became part of a case, or of a participant whose case was merged into
// another. Addresses, Message-IDs and notices keep the name that it had.
func threadNow(tx *store.Tx, id cvd.CaseID, party cvd.PartyID) (cvd.CaseID, cvd.PartyID, error) {
	r, inReport, err := reportOf(tx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return id, party, nil
	case err != nil:
		return id, party, err
	case inReport && r.Case == "":
		return id, party, nil
	case inReport:
		id, party = r.Case, r.Finder()
	}
	who, err := ParticipantByID(tx, id, party)
	switch {
	case errors.Is(err, ErrNoParticipant):
		return id, party, nil
	case err != nil || who.MovedTo == "":
		return id, party, err
	}
	return threadNow(tx, who.MovedTo, who.MovedAs)
}

// caseNow is the case that a report's pseudo case, or a case that was merged,
// became part of; any other stays as it is.
func caseNow(tx *store.Tx, id cvd.CaseID) (cvd.CaseID, error) {
	r, inReport, err := reportOf(tx, id)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && inReport && r.Case == "":
		return id, nil
	case err != nil:
		return id, err
	case inReport:
		id = r.Case
	}
	c, err := CaseByID(tx, id)
	switch {
	case errors.Is(err, ErrNoCase), errors.Is(err, store.ErrShredded), err == nil && c.Merged == "":
		return id, nil
	case err != nil:
		return id, err
	}
	return caseNow(tx, c.Merged)
}

package mailflow

import (
	"errors"
	"slices"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/store"
)

// routeReport places a mail to report@: an answer in a known thread, or a new
// report.
func (in *Intake) routeReport(tx *store.Tx, a *arrival) (place, error) {
	rows, err := in.referenced(tx, a)
	if err != nil {
		return place{}, err
	}
	tagged, err := in.tagged(tx, a)
	if err != nil {
		return place{}, err
	}
	var found []place
	for _, r := range rows {
		p, ok, err := in.claims(tx, a, r)
		if err != nil {
			return place{}, err
		}
		if ok {
			found = append(found, p)
		}
	}
	all := append(found, tagged...)
	if len(all) == 0 {
		return place{Kind: toIntake, Verdict: in.strangersVerdict(tx, a)}, nil
	}
	for _, p := range all[1:] {
		if p.Case != all[0].Case || p.Party != all[0].Party {
			return place{Kind: toQuarantine, Why: "its References and Subject name different threads"}, nil
		}
	}
	who, err := ParticipantByID(tx, all[0].Case, all[0].Party)
	if err != nil {
		return place{}, err
	}
	return in.admit(tx, a, all[0], who)
}

// strangersVerdict judges the signatures of whoever has no thread.
func (in *Intake) strangersVerdict(tx *store.Tx, a *arrival) pgpmime.Verdict {
	if a.opened == nil {
		return pgpmime.Verdict{}
	}
	return pgpmime.Judge(a.opened, in.strangersClaim(tx, a), a.row.At)
}

// claims says whether a mail that answers a thread comes from its
// participant: by its key, or at least by its address. A finder of whom no key
// is known and who now signs with one starts anew, as the how-to asked for: an
// address in clear does not vouch for a key.
func (in *Intake) claims(tx *store.Tx, a *arrival, r tokenRow) (place, bool, error) {
	who, err := ParticipantByID(tx, r.Case, r.Party)
	if errors.Is(err, ErrNoParticipant) {
		return place{}, false, nil
	}
	if err != nil {
		return place{}, false, err
	}
	v, err := in.verdict(tx, a, who)
	if err != nil {
		return place{}, false, err
	}
	if !v.Valid() {
		own, err := addressesOf(tx, who)
		if err != nil {
			return place{}, false, err
		}
		keys, err := ownerKeys(tx, OwnerOf(who))
		if err != nil {
			return place{}, false, err
		}
		anew := who.Party.IsFinder() && len(keys) == 0 && v.State() == pgpmime.UnknownKey
		if anew || !slices.ContainsFunc(own, func(o string) bool { return keyring.SameAddress(o, a.sender()) }) {
			return place{}, false, nil
		}
	}
	return place{Kind: toThread, Case: who.Case, Party: who.Party, Report: r.Report}, true, nil
}

// tagged finds the participant of a case named in the inner Subject whose key
// signed the mail.
func (in *Intake) tagged(tx *store.Tx, a *arrival) ([]place, error) {
	var out []place
	for _, tag := range a.tags() {
		id, err := caseNow(tx, tag)
		if err != nil {
			return nil, err
		}
		ps, err := Participants(tx, id)
		if err != nil {
			return nil, err
		}
		for _, who := range ps {
			v, err := in.verdict(tx, a, who)
			if err != nil {
				return nil, err
			}
			if v.Valid() {
				out = append(out, place{Kind: toThread, Case: who.Case, Party: who.Party})
			}
		}
	}
	return out, nil
}

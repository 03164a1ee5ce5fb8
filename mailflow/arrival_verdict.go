package mailflow

import (
	"errors"
	"slices"
	"time"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// verdict judges the signatures of a mail as those of one participant.
func (in *Intake) verdict(tx *store.Tx, a *arrival, p cvd.Participant) (pgpmime.Verdict, error) {
	claim, err := in.claimFor(tx, a, p)
	if err != nil {
		return pgpmime.Verdict{}, err
	}
	return pgpmime.Judge(a.opened, claim, a.row.At), nil
}

// claimFor is what a mail must live up to in order to be the participant's.
func (in *Intake) claimFor(tx *store.Tx, a *arrival, p cvd.Participant) (pgpmime.Claim, error) {
	all, err := in.standing(tx, p, a.row.At)
	if err != nil {
		return pgpmime.Claim{}, err
	}
	least, err := leastTrust(tx, p)
	if err != nil {
		return pgpmime.Claim{}, err
	}
	claim := pgpmime.Claim{Pinned: pinned(all, least, a.row.At), From: a.from(), Other: in.otherOwner(tx, OwnerOf(p))}
	if claim.Pinned, err = in.withoutUpstarts(tx, p, all, claim.Pinned); err != nil {
		return pgpmime.Claim{}, err
	}
	claim.Addresses, err = addressesOf(tx, p)
	return claim, err
}

// withoutUpstarts leaves out the keys of a party that are only claimed and that
// no notice to the participant was encrypted to: whoever could read a notice may
// answer it, and whoever mails us a key under its name may not (rule S7). Of a
// finder only keys are kept that signed its report.
func (in *Intake) withoutUpstarts(tx *store.Tx, p cvd.Participant, all map[keyring.Fingerprint]keyring.Standing, pins []keyring.Fingerprint) ([]keyring.Fingerprint, error) {
	claimed := func(f keyring.Fingerprint) bool { return all[f].Trust == keyring.Claimed }
	if p.Party.IsFinder() || !slices.ContainsFunc(pins, claimed) {
		return pins, nil
	}
	sent, err := Notices(tx, p.Case, p.Party)
	if err != nil {
		return nil, err
	}
	keys, err := ownerKeys(tx, OwnerOf(p))
	if err != nil {
		return nil, err
	}
	told := func(f keyring.Fingerprint) bool {
		k, _ := keyOf(keys, f)
		cert, err := in.Certs.Certificate(k.Cert)
		return err == nil && slices.ContainsFunc(sent, func(n cvd.Notice) bool {
			return slices.ContainsFunc(cert.KeyFingerprints(), func(c keyring.Fingerprint) bool { return slices.Contains(n.Keys, string(c)) })
		})
	}
	return slices.DeleteFunc(pins, func(f keyring.Fingerprint) bool { return claimed(f) && !told(f) }), nil
}

// standing is what each key of a participant counts as under the policy of its
// case.
func (in *Intake) standing(tx *store.Tx, p cvd.Participant, at time.Time) (map[keyring.Fingerprint]keyring.Standing, error) {
	keys, err := ownerKeys(tx, OwnerOf(p))
	if err != nil {
		return nil, err
	}
	policy, err := policyFor(tx, p)
	return keyring.Stand(in.Certs, keys, policy.KeyConfirmers(), at), err
}

// policyFor is the policy that a participant is told under; none before its
// report belongs to a case.
func policyFor(tx *store.Tx, p cvd.Participant) (cvd.Policy, error) {
	c, err := CaseByID(tx, p.Case)
	if errors.Is(err, ErrNoCase) {
		return cvd.Policy{}, nil
	}
	return c.Policy, err
}

// addressesOf are all addresses from which a participant may write. A finder
// whose report named no one sender has none.
func addressesOf(tx *store.Tx, p cvd.Participant) ([]string, error) {
	switch {
	case p.Address == "":
		return nil, nil
	case p.Party.IsFinder():
		return []string{p.Address}, nil
	}
	party, err := PartyByID(tx, p.Party)
	if party.Revoked != nil {
		return party.Origins(), err
	}
	return append([]string{p.Address}, party.Origins()...), err
}

// leastTrust is what a key must have for its signatures to count: found, or
// what the participant's stage went out to. Whoever could read the notice may
// answer it. Of a finder only keys are kept that signed the report which
// carried them.
func leastTrust(tx *store.Tx, p cvd.Participant) (keyring.Trust, error) {
	if p.Party.IsFinder() {
		return keyring.Claimed, nil
	}
	c, err := CaseByID(tx, p.Case)
	if err != nil {
		return keyring.Confirmed, err
	}
	if rule, ok := c.Policy.Rule(p.Reached); ok && rule.Trust == cvd.Claimed {
		return keyring.Claimed, nil
	}
	return keyring.Found, nil
}

// pinned are the keys whose signatures count as the participant's in a mail that
// came then: none that stands behind a better one, and none in whose place another
// had come, whatever date it signs under (rule S7).
func pinned(all map[keyring.Fingerprint]keyring.Standing, least keyring.Trust, came time.Time) []keyring.Fingerprint {
	var out []keyring.Fingerprint
	for f, s := range all {
		inPlace := s.Replaced == nil || came.Before(s.Replaced.At)
		if s.Trust.Meets(least) && s.Behind == "" && inPlace {
			out = append(out, f)
		}
	}
	return out
}

// stale says that a signature is too old to trigger anything (rule S6).
func stale(v pgpmime.Verdict, at time.Time) bool {
	return v.Valid() && !v.Fresh(at)
}

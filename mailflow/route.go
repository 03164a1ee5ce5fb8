package mailflow

import (
	"errors"
	"slices"
	"strings"

	"parley/keyring/pgpmime"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// placeKind is where a mail from outside belongs.
type placeKind string

const (
	toThread     placeKind = "thread"     // of one participant
	toIntake     placeKind = "intake"     // a new report
	toDesk       placeKind = "desk"       // postmaster, abuse
	toKey        placeKind = "key"        // wants our key
	toBounce     placeKind = "bounce"     // of a delivery of ours
	toKeys       placeKind = "keys"       // a vendor's answer to our question which key to use
	toQuarantine placeKind = "quarantine" // with the reason
)

// place is where one mail goes for one of its recipients.
type place struct {
	Kind     placeKind
	Case     cvd.CaseID // of a thread; a report's pseudo case where it has none
	Party    cvd.PartyID
	Report   uint64
	Why      string          // of Quarantine
	Asks     bool            // the sender is told how to write, once a day: it came in clear
	Verdict  pgpmime.Verdict // of the participant's signature
	Trust    string          // of the key that made it, where it is good
	Findings []finding       // of the documents, in their order
	Notice   uint64          // of a bounce
	Token    string          // of a bounce
	Via      string          // our address that led here, in lower case
}

// noLongerValid is why a mail is in Quarantine whose address ended after it was
// accepted.
const noLongerValid = "its address is no longer valid"

// thread says whether the place is a known participant's.
func (p place) thread() bool { return p.Party != "" }

// route finds the place of a mail: token, then In-Reply-To and References of
// that participant, then a tag in the inner Subject that a participant of
// that case signed, else Intake. Where these disagree it is Quarantine.
func (in *Intake) route(tx *store.Tx, a *arrival, rcpt string) (place, error) {
	local, _ := in.localPart(rcpt)
	kind, token := splitLocal(local)
	switch {
	case kind == prefixBounce:
		return in.routeBounce(tx, a, token)
	case kind == prefixCase:
		return in.routeToken(tx, a, token)
	case local == localPost || local == localAbuse:
		return place{Kind: toDesk, Verdict: in.strangersVerdict(tx, a)}, nil
	case a.stops() != "":
		return place{Kind: toQuarantine, Why: a.stops()}, nil
	case local == localReportKey && a.opened.Encryption == pgpmime.NotEncrypted:
		return place{Kind: toKey}, nil
	}
	return in.routeReport(tx, a)
}

func (in *Intake) routeBounce(tx *store.Tx, a *arrival, token string) (place, error) {
	row, err := bounces.Get(tx, tx.Name("bounce", token))
	if errors.Is(err, store.ErrNotFound) {
		return place{Kind: toQuarantine, Why: noLongerValid}, nil
	}
	return place{Kind: toBounce, Case: row.Case, Party: row.Party, Notice: row.Notice, Token: token}, err
}

func (in *Intake) routeToken(tx *store.Tx, a *arrival, token string) (place, error) {
	row, err := tokens.Get(tx, tokenKey(tx, token))
	if errors.Is(err, store.ErrNotFound) {
		return place{Kind: toQuarantine, Why: noLongerValid}, nil
	}
	if err != nil {
		return place{}, err
	}
	if row.Revoked { // who may not see the case may not see what came for it
		return place{Kind: toQuarantine, Case: row.Case, Party: row.Party, Report: row.Report, Why: noLongerValid}, nil
	}
	p := place{Kind: toThread, Case: row.Case, Party: row.Party, Report: row.Report}
	if a.stops() != "" {
		p.Kind, p.Why = toQuarantine, a.stops()
		return p, nil
	}
	who, err := ParticipantByID(tx, row.Case, row.Party)
	if err != nil {
		return place{}, err
	}
	return in.admit(tx, a, p, who)
}

// admit says whether a mail to a participant's own address belongs into its
// thread, or into Quarantine and why.
func (in *Intake) admit(tx *store.Tx, a *arrival, p place, who cvd.Participant) (place, error) {
	v, err := in.verdict(tx, a, who)
	if err != nil {
		return p, err
	}
	p.Verdict = v
	if v.Valid() {
		all, err := in.standing(tx, who, a.row.At)
		if err != nil {
			return p, err
		}
		p.Trust = all[v.Key()].Trust.String()
	}
	stop := func(why string) (place, error) {
		p.Kind, p.Why = toQuarantine, why
		return p, nil
	}
	other, err := in.contradicts(tx, a, who)
	if err != nil {
		return p, err
	}
	asked, err := in.answersForKey(tx, a, who, v)
	switch {
	case err != nil:
		return p, err
	case asked && other == "":
		p.Kind = toKeys
		return p, nil
	case !a.encrypted():
		p.Asks = true
		return stop(a.clear())
	case other != "":
		return stop(other)
	}
	if why := in.mistrusts(a, who, v); why != "" {
		return stop(why)
	}
	return p, nil
}

// clear says what of a mail was not encrypted.
func (a *arrival) clear() string {
	if a.opened.Encryption == pgpmime.Partly {
		return "only a part of it is encrypted, and the rest crossed the network in clear"
	}
	return "it is not encrypted; was the secret out in clear?"
}

// mistrusts says why the signature of a mail keeps it out of the thread that it
// was sent to, or "". None at all keeps nothing out, nor does one by a key that
// is not known where the mail holds a code.
func (in *Intake) mistrusts(a *arrival, who cvd.Participant, v pgpmime.Verdict) string {
	switch v.State() {
	case pgpmime.OtherParty:
		return "it is signed by a key of somebody else: " + ownerName(v.Owner()) + ", " + string(v.Key())
	case pgpmime.Bad:
		return "its signature is bad: " + v.Reason()
	case pgpmime.UnknownKey:
		if !in.holdsCode(a, who) {
			return "it is signed by a key that is not known of " + string(who.Party) + ": " + unknownKey(a.opened.Signatures, v.Key())
		}
	}
	return ""
}

// contradicts says why a mail to one participant's address belongs to another
// thread, or "".
func (in *Intake) contradicts(tx *store.Tx, a *arrival, who cvd.Participant) (string, error) {
	others, err := in.referenced(tx, a)
	if err != nil {
		return "", err
	}
	for _, o := range others {
		if o.Case != who.Case || o.Party != who.Party {
			return "it answers a mail of another thread", nil
		}
	}
	if _, inReport := reportNumber(who.Case); inReport {
		return "", nil
	}
	for _, t := range a.tags() {
		now, err := caseNow(tx, t)
		if err != nil {
			return "", err
		}
		_, err = CaseByID(tx, now)
		switch {
		case now == who.Case || errors.Is(err, ErrNoCase): // CVE-2026-12345 looks like a tag, too
		case err != nil:
			return "", err
		default:
			return "its Subject names another case (" + string(t) + ")", nil
		}
	}
	return "", nil
}

// referenced finds the threads whose mails this one answers. A report that
// became part of a case counts as that case's.
func (in *Intake) referenced(tx *store.Tx, a *arrival) ([]tokenRow, error) {
	ids := a.references()
	if len(ids) > 50 {
		ids = ids[:50]
	}
	var out []tokenRow
	for _, id := range ids {
		row, err := msgIDs.Get(tx, msgIDKey(tx, id))
		if errors.Is(err, store.ErrNotFound) || row.Case == deskCase {
			continue // not ours, or our key: whoever asked for it has no thread
		}
		if err != nil {
			return nil, err
		}
		if row.Case, row.Party, err = threadNow(tx, row.Case, row.Party); err != nil {
			return nil, err
		}
		if !slices.Contains(out, row) {
			out = append(out, row)
		}
	}
	return out, nil
}

// holdsCode says whether the first lines carry an unused code of the
// participant, without using it up.
func (in *Intake) holdsCode(a *arrival, who cvd.Participant) bool {
	for _, l := range commandLines(a.text()) {
		for _, w := range strings.Fields(l) {
			if mayBeCode(w) && who.Knows(w) {
				return true
			}
		}
	}
	return false
}

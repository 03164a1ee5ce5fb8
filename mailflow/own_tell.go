package mailflow

import (
	"errors"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// correspondents are all who have to learn that our key changes: whoever was
// told something in a case that is open, and the finders of reports that are in
// no case yet. Each is there once for each case, since each mail is about one
// (rules V1 to V3). Who is told by hand gets none. Letters about an earlier
// change that have not left are dropped on the way.
func (b *Base) correspondents(tx *store.Tx) ([]cvd.Participant, error) {
	homes, err := openHomes(tx)
	if err != nil {
		return nil, err
	}
	var out []cvd.Participant
	for _, home := range homes {
		ps, err := Participants(tx, home)
		if err != nil {
			return nil, err
		}
		for _, p := range ps {
			if p.Withdrawn != nil || p.Address == "" {
				continue
			}
			told, err := b.wasTold(tx, p)
			if err != nil {
				return nil, err
			}
			hand, err := byHand(tx, p)
			if err != nil {
				return nil, err
			}
			if told && !hand {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

// byHand says whether no mail goes to a participant: a letter to it would be held
// for good.
func byHand(tx *store.Tx, p cvd.Participant) (bool, error) {
	party, err := PartyByID(tx, p.Party)
	if errors.Is(err, ErrNoParty) {
		return false, nil // a finder, or somebody who is in no directory
	}
	return party.Channel == cvd.ChannelHand, err
}

// openHomes are the cases that are open and the reports that wait for one.
func openHomes(tx *store.Tx) ([]cvd.CaseID, error) {
	var out []cvd.CaseID
	for r, err := range cases.All(tx, nil) {
		if errors.Is(err, store.ErrShredded) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if r.Value.Closed.IsZero() {
			out = append(out, r.Value.ID)
		}
	}
	for r, err := range reports.All(tx, nil) {
		if errors.Is(err, store.ErrShredded) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if r.Value.Case == "" && r.Value.Ended == "" {
			out = append(out, reportCase(r.Value.Number))
		}
	}
	return out, nil
}

// wasTold says whether something left for a participant that was encrypted, so
// that it knows our key and relies on it. A finder was told where we have its
// key, which came with what it sent us: its receipt may have left when its report
// was in no case yet. Where a letter about an earlier change of our key waits, it
// is dropped.
func (b *Base) wasTold(tx *store.Tx, p cvd.Participant) (bool, error) {
	all, err := Notices(tx, p.Case, p.Party)
	if err != nil {
		return false, err
	}
	told := p.Reached != ""
	if p.Party.IsFinder() {
		keys, err := ownerKeys(tx, OwnerOf(p))
		if err != nil {
			return false, err
		}
		told = len(keys) > 0
	}
	for _, n := range all {
		left := n.State.Over() && n.State != cvd.Cancelled
		told = told || left && !clearKind(n.Kind)
		if n.Kind == cvd.KindKey && !n.State.Over() {
			told = true
			if err := b.cancel(tx, n, "our key changed again"); err != nil {
				return false, err
			}
		}
	}
	return told, nil
}

// keyLetter is the letter about a change of our key, in the words of the moment
// in which it leaves: before the change it is signed by the key that the reader
// knows, after it by the new one, which that key certified.
func (b *Base) keyLetter(p *parcel) (*Letter, error) {
	signing := p.Ours.signing()
	v := templates.NewKey{Us: b.usWith(p.Ours), To: spoken(p.Participant, p.Party), Case: p.Case.ID, TLP: tlpOf(p.Question), Zone: p.Party.Zone,
		From: signing.Signs, Fresh: signing.Fingerprint().Spaced(), Done: true}
	if next, ok := p.Ours.next(); ok {
		v.Old, v.Fresh, v.From, v.Done = v.Fresh, next.Fingerprint().Spaced(), next.Signs, false
	} else if before, ok := p.Ours.before(); ok {
		v.Old = before.Fingerprint().Spaced()
		v.Vouched = signing.Certificate.CertifiedBy(before.Certificate, b.ReportAddress(), signing.Signs.Add(-time.Second)) // while it signed
	}
	text, err := b.Templates.NewKey(v)
	return &Letter{Subject: text.Subject, Text: text.Text, Author: ownActor}, err
}

// tlpOf is the label of what a participant was told last.
func tlpOf(q Question) cvd.TLP {
	rule, ok := q.Case.Policy.Rule(q.Participant.Reached)
	if !ok {
		return ""
	}
	return rule.TLP
}

package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// revoked is what the end of an address took with it.
type revoked struct {
	Main     bool                  // it was the one that notices go to
	Keys     []keyring.Fingerprint // not used any more
	Shared   []keyring.Fingerprint // still used: another address holds them, and their user IDs name this one
	Keyless  bool                  // no confirmed key of the party is left
	Recalled int                   // notices that waited in the queue
	Gone     []string              // notices that had left by then
	Asked    int                   // introductions that it had agreed to, and is asked about again
}

// revokeAddress takes an address from a party at once: nothing counts that comes
// from there, nothing goes there, the keys that serve it are not used, and codes
// that whoever reads there may have seen are dead, in every case. What the party said
// stands, since it binds the party, but for a consent that has led to nothing yet. By
// is who revoked it.
func (b *Base) revokeAddress(tx *store.Tx, party cvd.Party, addr, by, via string) (out revoked, err error) {
	same := func(a string) bool { return keyring.SameAddress(a, addr) }
	party.Members = slices.DeleteFunc(slices.Clone(party.Members), func(m cvd.Member) bool { return same(m.Address) })
	party.Senders = slices.DeleteFunc(slices.Clone(party.Senders), same)
	if same(party.Second) {
		party.Second = ""
	}
	if out.Main = same(party.Address); out.Main {
		party.Revoked = &cvd.Hold{Because: "revoked by " + by, By: by, At: tx.Now}
	}
	if err := PutParty(tx, party); err != nil {
		return out, err
	}
	if err := record(tx, journal.Record{Party: string(party.ID), Actor: by, Kind: "member.revoked", Detail: via}); err != nil {
		return out, err
	}
	if err := b.endCodes(tx, party.ID); err != nil {
		return out, err
	}
	if err := b.rejectKeysOf(tx, party.ID, addr, by, &out); err != nil {
		return out, err
	}
	if out.Asked, err = b.asksConsentAgain(tx, party.ID); err != nil {
		return out, err
	}
	if out.Main {
		if out.Recalled, out.Gone, err = b.recallFrom(tx, party.ID, by); err != nil {
			return out, err
		}
	}
	if err := b.cancelNotesTo(tx, party.ID, addr); err != nil {
		return out, err
	}
	return out, b.wakeOwner(tx, string(party.ID), by)
}

// rejectKeysOf ends the use of a party's keys that serve an address. What they had
// replaced stays replaced: nothing adds a key by itself.
func (b *Base) rejectKeysOf(tx *store.Tx, p cvd.PartyID, addr, by string, out *revoked) error {
	keys, err := ownerKeys(tx, string(p))
	if err != nil {
		return err
	}
	for _, k := range keys {
		cert, err := b.Certs.Certificate(k.Cert)
		if err != nil {
			return err
		}
		switch {
		case k.Trust == keyring.Rejected:
		case keyring.SameAddress(k.Address, addr):
			if _, err := b.rejectKey(tx, string(p), k.Fingerprint, "its address was revoked", by, false); err != nil {
				return err
			}
			out.Keys = append(out.Keys, k.Fingerprint)
		case slices.Contains(cert.Addresses(), strings.ToLower(addr)):
			out.Shared = append(out.Shared, k.Fingerprint)
		}
	}
	if keys, err = ownerKeys(tx, string(p)); err == nil {
		out.Keyless = len(b.inForce(keys, "", tx.Now)) == 0
	}
	return err
}

// endCodes kills the unused codes of a party in all its cases, also in those that are
// closed. Its next mail brings a fresh one, encrypted to the keys that are left.
func (b *Base) endCodes(tx *store.Tx, p cvd.PartyID) error {
	all, err := Cases(tx)
	if err != nil {
		return err
	}
	for _, c := range all {
		who, err := ParticipantByID(tx, c.ID, p)
		if errors.Is(err, ErrNoParticipant) {
			continue
		}
		if err != nil {
			return err
		}
		who.EndCodes(tx.Now)
		if err := PutParticipant(tx, who); err != nil {
			return err
		}
		b.moved(tx, who.Case)
	}
	return nil
}

// recallFrom takes back what is queued to the address of a party, in all cases.
func (b *Base) recallFrom(tx *store.Tx, p cvd.PartyID, by string) (recalled int, gone []string, err error) {
	all, err := seats(tx, string(p))
	if err != nil {
		return 0, nil, err
	}
	for _, who := range all {
		n, left, err := b.recall(tx, &who, by, func(n cvd.Notice) bool { return n.To == "" })
		if err != nil {
			return recalled, gone, err
		}
		recalled, gone = recalled+n, append(gone, left...)
		if err := PutParticipant(tx, who); err != nil {
			return recalled, gone, err
		}
	}
	return recalled, gone, nil
}

// cancelNotesTo takes back notes to an address that did not leave yet.
func (b *Base) cancelNotesTo(tx *store.Tx, p cvd.PartyID, addr string) error {
	all, err := seats(tx, string(p))
	if err != nil {
		return err
	}
	for _, who := range all {
		ns, err := Notices(tx, who.Case, who.Party)
		if err != nil {
			return err
		}
		for _, n := range ns {
			if n.State.Over() || n.To == "" || !keyring.SameAddress(n.To, addr) {
				continue
			}
			if err := b.cancel(tx, n, "its address was revoked"); err != nil {
				return err
			}
		}
	}
	return nil
}

// revokedOn reads on which day a party revoked the address that it is added with, nil
// where it did not.
func (s *sitting) revokedOn(p cvd.PartyID, on string) (*cvd.Hold, error) {
	if on == "" {
		return nil, nil
	}
	day, err := cvd.ParseInstant(on)
	if err != nil {
		return nil, notDone("%v", err)
	}
	if day.At.After(s.tx.Now) {
		return nil, notDone("%s has not come yet; name the day on which %s revoked its address", on, p)
	}
	return &cvd.Hold{Because: "revoked by " + string(p), By: string(p), At: dayOf(day.At)}, nil
}

// revokedWhy is how the reason begins for which notices to a party are held that
// revoked its own address.
const revokedWhy = " revoked its address " // after the party

// revokedThere says whether a notice would go to an address that its party revoked:
// nothing goes there, in whatever form, until a coordinator names another one.
func revokedThere(q *Question) bool {
	note := clearKind(q.Notice.Kind)
	elsewhere := note && q.Notice.To != "" && !keyring.SameAddress(q.Notice.To, q.Participant.Address)
	byHand := !note && q.Party.Channel == cvd.ChannelHand // which another row holds for a person
	return q.Party.Revoked != nil && !elsewhere && !byHand
}

// tellRevoked tells the desk what the end of an address did, and what is to be done.
func (in *Intake) tellRevoked(tx *store.Tx, c cvd.Case, p cvd.PartyID, addr string, gone revoked) error {
	subject := fmt.Sprintf("%s revoked %s", p, addr)
	state := subject + ", in a mail that its key signed. Nothing that comes from there counts any more, nothing goes there, and its unused codes are dead, in every case." + gone.words(p)
	next := fmt.Sprintf("find out from somebody else there whether it is right. If it was no mistake, there is nothing to do about %s itself; else, in a mail to control@%s, signed,\n    member add %s %s", addr, in.DeskDomain, p, addr)
	if gone.Main {
		next = fmt.Sprintf("ask them, another way, for the address that is to be used, and write to control@%s, signed,\n    vendor edit %s address ADDRESS", in.DeskDomain, p)
	}
	if gone.Keyless {
		next += fmt.Sprintf("\nThey need a key: import one on the server, compare its fingerprint, and write, signed,\n    key confirm %s FINGERPRINT evidence \"...\"", p)
	}
	r, err := in.Templates.Refusal(refusal(subject, state, "who is of "+string(p)+" is for it to say; taking somebody away needs nobody else", next))
	if err != nil {
		return err
	}
	return in.task(tx, memberTask(tx, p, addr), Post{Case: c.ID, Subject: subject, Text: r.Text, Kind: "member", From: string(p), Alias: string(p) + "." + c.ID.Lower()})
}

// words say what the end of an address took with it.
func (r revoked) words(p cvd.PartyID) string {
	var out string
	if len(r.Keys) > 0 {
		out += " Not used any more: " + strings.Join(spaced(r.Keys), "; ") + "."
	}
	if len(r.Shared) > 0 {
		out += " Still used, since another address holds it, though its user IDs name this one: " + strings.Join(spaced(r.Shared), "; ") + "."
	}
	if r.Main {
		out += fmt.Sprintf(" It is the address that its notices go to: they are held until you name another one, and %s taken back.", count(r.Recalled, "mail"))
	}
	if len(r.Gone) > 0 {
		out += " These had left: " + strings.Join(r.Gone, ", ") + "."
	}
	if r.Asked > 0 { // in whichever case, which not everybody may see
		out += " It is asked again where it had agreed to be introduced and nothing has left: that word may have been of whoever reads there."
	}
	if r.Keyless {
		out += fmt.Sprintf(" No confirmed key of %s is left: what needs one is held.", p)
	}
	return out
}

// memberRevoke is `member revoke PARTY ADDRESS`: what MEMBER REVOKE is for the
// party itself. To stop needs no signature; where notices go is for `vendor edit`.
func memberRevoke(s *sitting, p *phrase) (string, error) {
	name, err := p.next("the name of the party")
	if err != nil {
		return "", err
	}
	addr, err := p.only("the address")
	if err != nil {
		return "", err
	}
	party, err := s.partyNamed(name)
	if err != nil {
		return "", err
	}
	same := func(a string) bool { return keyring.SameAddress(a, addr) }
	switch {
	case same(party.Address):
		return "", notDone("%s is where the notices to %s go; `vendor edit %s address ADDRESS` names another one, and `hold %s`, after `case TAG`, stops what goes there", addr, party.ID, party.ID, party.ID)
	case !slices.ContainsFunc(party.Origins(), same):
		return "", notDone("%s is no address of %s (%s); nothing was changed", addr, party.ID, strings.Join(party.Origins(), ", "))
	}
	gone, err := s.revokeAddress(s.tx, party, addr, s.by.Name, "filed by "+s.by.Name)
	if err != nil {
		return "", err
	}
	if err := s.taskDone(s.tx, memberTask(s.tx, party.ID, addr)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is no address of %s any more, and its unused codes are dead.%s", addr, party.ID, gone.words(party.ID)), nil
}

package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// shortPause is how long the pause after a change of keys is where an old
// confirmed key of the same party certifies the new one: whoever made the
// change held the old key.
const shortPause = time.Hour

// mayBegin begins the pause of a key that has just come to count as confirmed
// where the party had another one before and is told, or is to be told, what
// is secret. Nobody who talked a coordinator into a wrong key shall get
// anything before the party could say so. keys are those on record; rec is
// about to be written.
func (b *Base) mayBegin(tx *store.Tx, owner string, keys []keyring.Pinned, rec *keyring.Pinned) error {
	before := keyring.Stand(b.Certs, keys, 1, tx.Now)[rec.Fingerprint]
	others := slices.DeleteFunc(slices.Clone(keys), func(k keyring.Pinned) bool { return k.Fingerprint == rec.Fingerprint })
	now := keyring.Stand(b.Certs, append(slices.Clone(others), *rec), 1, tx.Now)[rec.Fingerprint]
	if now.Trust != keyring.Confirmed || !slices.ContainsFunc(others, keyring.Pinned.Known) {
		return nil
	}
	pause := b.KeyPause
	if b.handedOn(others, *rec, tx.Now) {
		pause = min(pause, shortPause)
	}
	if before.Trust == keyring.Confirmed {
		if rec.Change != nil {
			rec.Change.Pause = min(rec.Change.Pause, pause)
		}
		return nil
	}
	where, err := toldSecrets(tx, owner)
	if err != nil || len(where) == 0 || pause == 0 {
		return err
	}
	rec.Change = &keyring.Change{At: tx.Now, Pause: pause}
	return b.noteChange(tx, where[0], others, *rec)
}

// handedOn says whether an old confirmed key of the party certifies the new
// one, also one that it replaces.
func (b *Base) handedOn(others []keyring.Pinned, rec keyring.Pinned, at time.Time) bool {
	fresh, err := b.Certs.Certificate(rec.Cert)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(others, func(o keyring.Pinned) bool {
		old, err := b.Certs.Certificate(o.Cert)
		return err == nil && o.Trust == keyring.Confirmed && fresh.CertifiedBy(old, rec.Address, at)
	})
}

// toldSecrets lists where a party was told scope or more, or is to be, in
// cases that run. What is public is no secret.
func toldSecrets(tx *store.Tx, owner string) ([]cvd.Participant, error) {
	if ownerName(owner) == string(cvd.Finder) {
		return nil, nil
	}
	all, err := seats(tx, owner)
	if err != nil {
		return nil, err
	}
	var out []cvd.Participant
	for _, who := range all {
		c, err := CaseByID(tx, who.Case)
		if err != nil {
			return nil, err
		}
		if !c.Started() || !who.Has(cvd.RoleVendor) {
			continue
		}
		due, err := Notices(tx, who.Case, who.Party)
		if err != nil {
			return nil, err
		}
		if secretStage(who.Reached) || slices.ContainsFunc(due, func(n cvd.Notice) bool { return !n.State.Over() && n.Kind == cvd.KindStage && secretStage(n.Stage) }) {
			out = append(out, who)
		}
	}
	return out, nil
}

// secretStage says that a stage tells what a wrong reader could use.
func secretStage(s cvd.Stage) bool {
	return s.Rank() >= cvd.Scope.Rank() && s != cvd.Public
}

// noteChange tells the party's known addresses, in clear and with nothing of
// any case, that its key changes.
func (b *Base) noteChange(tx *store.Tx, who cvd.Participant, others []keyring.Pinned, rec keyring.Pinned) error {
	party, err := PartyByID(tx, who.Party)
	if err != nil {
		return err
	}
	v := templates.KeyChange{Us: b.us(), To: spoken(who, party), New: rec.Fingerprint.Spaced(), Beside: true}
	for _, o := range others {
		if o.Replaced != nil && o.Replaced.By == rec.Fingerprint {
			v.Old, v.Beside = append(v.Old, o.Fingerprint.Spaced()), false
		}
	}
	if v.Beside {
		for _, f := range b.inForce(others, rec.Fingerprint, tx.Now) {
			v.Old = append(v.Old, f.Spaced())
		}
	}
	if len(v.Old) == 0 { // none is in force any more; it was the last one
		v.Beside = false
		for _, o := range others {
			if o.Known() && o.Trust != keyring.Rejected {
				v.Old = append(v.Old, o.Fingerprint.Spaced())
			}
		}
	}
	text, err := b.Templates.KeyChange(v)
	if err != nil {
		return err
	}
	for _, to := range knownAddresses(party, others) {
		n := cvd.Notice{Case: who.Case, Party: who.Party, Kind: cvd.KindNote, LastAct: tx.Now, To: to, Key: string(rec.Fingerprint)}
		if _, err := b.newNotice(tx, n, &Letter{Subject: text.Subject, Text: text.Text}); err != nil {
			return err
		}
	}
	return nil
}

// knownAddresses are a party's own, and those of members whose key somebody
// confirmed: nothing goes to a member before that.
func knownAddresses(p cvd.Party, keys []keyring.Pinned) []string {
	out := []string{p.Address}
	if p.Second != "" {
		out = append(out, p.Second)
	}
	for _, m := range p.Members {
		if slices.ContainsFunc(keys, func(k keyring.Pinned) bool {
			return strings.EqualFold(k.Address, m.Address) && k.Trust == keyring.Confirmed
		}) {
			out = append(out, m.Address)
		}
	}
	return out
}

// cancelNotes takes back notes about a key that did not leave yet.
func (b *Base) cancelNotes(tx *store.Tx, owner string, f keyring.Fingerprint) error {
	all, err := seats(tx, owner)
	if err != nil {
		return err
	}
	for _, who := range all {
		ns, err := Notices(tx, who.Case, who.Party)
		if err != nil {
			return err
		}
		for _, n := range ns {
			if n.Key == string(f) && !n.State.Over() {
				if err := b.cancel(tx, n, "the key was rejected"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Pause says until when what is secret waits for a party, and for which key.
type Pause struct {
	Until time.Time
	Key   keyring.Fingerprint
}

// pauseOf is the pause that ends last among the keys that count as confirmed
// under a policy. It runs from when the last person whom the policy asks for
// typed the fingerprint.
func pauseOf(keys []keyring.Pinned, all map[keyring.Fingerprint]keyring.Standing, policy cvd.Policy) Pause {
	var p Pause
	for _, k := range keys {
		s := all[k.Fingerprint]
		if k.Change == nil || s.Trust != keyring.Confirmed || s.Replaced != nil {
			continue
		}
		if until := laterOf(k.Change.At, k.ConfirmedAt(policy.KeyConfirmers())).Add(k.Change.Pause); until.After(p.Until) {
			p = Pause{until, k.Fingerprint}
		}
	}
	return p
}

// mayPause: after a party's key changed, what is secret waits a while, so that
// the party can say that the change was not its own.
func mayPause(q *Question) *Answer {
	if !q.Pause.Until.After(q.Now) || !secretNotice(*q) {
		return nil
	}
	held := unless(false, HoldIt, "%s's key changed to %s; it goes after %s", q.Participant.Party, q.Pause.Key.Spaced(), instant(q.Pause.Until))
	held.At = q.Pause.Until
	return held
}

// secretNotice says that a notice is, or may quote, what a wrong reader could
// use.
func secretNotice(q Question) bool {
	switch {
	case clearKind(q.Notice.Kind) || q.Party.Channel == cvd.ChannelHand:
		return false
	case q.Notice.Kind == cvd.KindStage || q.Notice.Kind == cvd.KindReminder || q.Notice.Kind == cvd.KindLeak:
		return secretStage(q.Notice.Stage)
	}
	return secretStage(q.Participant.Reached)
}

func (p Pause) String() string {
	return fmt.Sprintf("the pause after a change of keys, until %s", utc(p.Until))
}

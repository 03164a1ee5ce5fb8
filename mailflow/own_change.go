package mailflow

import (
	"fmt"
	"net/mail"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// A Rotation is what the operator asks of a new key.
type Rotation struct {
	Algorithm keyring.Algorithm
	Signs     time.Time // when it begins to sign; not before now is now
	Expires   time.Time // zero: never
}

// RotateKey makes our next key. It decrypts at once, is certified by the one
// that signs now and certifies that, is announced to everybody who was told
// something, and begins to sign at its instant; in this very moment if that has
// come. There is one next key at most.
func (b *Base) RotateKey(by Actor, r Rotation) (OwnKey, error) {
	b.Own.changing.Lock()
	defer b.Own.changing.Unlock()
	now := b.clock()
	set := b.Own.now.Load()
	if err := mayRotate(set, r, now); err != nil {
		return OwnKey{}, err
	}
	next, current, err := b.nextKey(set.signing(), r, now)
	if err != nil {
		return OwnKey{}, fmt.Errorf("make our next key: %w", err)
	}
	err = b.Own.change(b.Store, func(tx *store.Tx) error { return b.enter(tx, by, next, current) })
	if err != nil {
		return OwnKey{}, err
	}
	next, _ = b.Own.now.Load().find(next.Fingerprint())
	return next, nil
}

// enter puts the next key beside the one that signs, and in its place if its
// instant has come.
func (b *Base) enter(tx *store.Tx, by Actor, next, current OwnKey) error {
	next.Since = tx.Now
	if err := newOwnKey(tx, &next); err != nil {
		return err
	}
	if err := putOwnKey(tx, current); err != nil {
		return err
	}
	if err := ownRecord(tx, "own-key.announced", by.Name, next, "signs from "+utc(next.Signs)); err != nil {
		return err
	}
	if err := b.announce(tx, next); err != nil {
		return err
	}
	tx.Changed(store.Change{Topic: "due"})
	if next.Signs.After(tx.Now) {
		return nil
	}
	return takeOver(tx, newOwnSet([]OwnKey{current, next}))
}

func mayRotate(set *ownSet, r Rotation, now time.Time) error {
	if next, ok := set.next(); ok {
		return notDone("the next key %s is announced already and begins to sign %s", next.Fingerprint().Spaced(), utc(next.Signs))
	}
	if !r.Expires.IsZero() && (!r.Expires.After(r.Signs) || !r.Expires.After(now)) {
		return notDone("a key that expires %s would be over before it signs", utc(r.Expires))
	}
	end := set.signing().Certificate.Expires()
	if r.Signs.After(now) && !end.IsZero() && r.Signs.After(end) {
		return notDone("our signing key expires %s, and from then on nothing could be signed: let the next one begin before that, or now", utc(end))
	}
	return nil
}

// nextKey makes the key, and lets it and the current one vouch for each other,
// so that whoever trusts one can follow to the other. A current key that has
// ended vouches for nothing.
func (b *Base) nextKey(current OwnKey, r Rotation, now time.Time) (next, vouched OwnKey, err error) {
	made, err := keyring.GenerateUntil(nameOn(current.Certificate), b.ReportAddress(), r.Algorithm, now, r.Expires)
	if err != nil {
		return next, current, err
	}
	if current.Secret.CanSign(now) == nil {
		if made, err = vouch(current.Secret, made, now); err != nil {
			return next, current, err
		}
		if current.Secret, err = vouch(made, current.Secret, now); err != nil {
			return next, current, err
		}
		current.Certificate = current.Secret.Certificate()
	}
	next = OwnKey{State: OwnNext, Secret: made, Certificate: made.Certificate(), Signs: r.Signs.UTC()}
	if next.Signs.Before(now) {
		next.Signs = now.UTC()
	}
	return next, current, nil
}

// vouch lets one of our keys certify another.
func vouch(by, of *keyring.Secret, at time.Time) (*keyring.Secret, error) {
	c, err := by.Certify(of.Certificate(), at)
	if err != nil {
		return nil, err
	}
	return of.With(c)
}

// nameOn is the name that our key carries beside the address.
func nameOn(c *keyring.Certificate) string {
	for _, id := range c.UserIDs() {
		if a, err := mail.ParseAddress(id); err == nil && a.Name != "" {
			return a.Name
		}
	}
	return ""
}

// takeOver lets the next key sign, and the one that signed be old.
func takeOver(tx *store.Tx, set *ownSet) error {
	old := set.signing()
	next, ok := set.next()
	if !ok {
		return nil
	}
	old.State, old.Since = OwnOld, tx.Now
	next.State, next.Since = OwnSigning, tx.Now
	for _, k := range []OwnKey{old, next} {
		if err := putOwnKey(tx, k); err != nil {
			return err
		}
	}
	tx.Changed(store.Change{Topic: "due"})
	return ownRecord(tx, "own-key.signs", ownActor, next, "in place of "+string(old.Fingerprint()))
}

// ExtendKey lets our signing key end later, or never (the zero instant), and
// gives it as it is then. What was held because it had ended goes.
func (b *Base) ExtendKey(by Actor, end time.Time) (OwnKey, error) {
	b.Own.changing.Lock()
	defer b.Own.changing.Unlock()
	k := b.Own.now.Load().signing()
	was := k.Certificate.Expires()
	switch {
	case was.IsZero():
		return k, notDone("our signing key %s never expires, so there is no end to move", k.Fingerprint().Spaced())
	case !end.IsZero() && !end.After(was):
		return k, notDone("our signing key %s expires %s already; name a later instant", k.Fingerprint().Spaced(), ends(was))
	}
	var err error
	if k.Secret, err = k.Secret.Extend(end, b.clock()); err != nil {
		return k, err
	}
	k.Certificate = k.Secret.Certificate()
	return k, b.Own.change(b.Store, func(tx *store.Tx) error {
		if err := putOwnKey(tx, k); err != nil {
			return err
		}
		tx.Changed(store.Change{Topic: "due"})
		return ownRecord(tx, "own-key.extended", by.Name, k, "until "+ends(end))
	})
}

// RetireKey destroys the secret of an old key, with its scope: shred does that
// (store.Store.Shred under the store's credential). The certificate stays.
func (b *Base) RetireKey(by Actor, f keyring.Fingerprint, shred func(store.Scope) error) (OwnKey, error) {
	b.Own.changing.Lock()
	defer b.Own.changing.Unlock()
	k, ok := b.Own.now.Load().find(f)
	switch {
	case !ok:
		return k, notDone("no key of ours has the fingerprint %s", f.Spaced())
	case k.State == OwnSigning:
		return k, notDone("%s signs; rotate first, and retire it when it is old", f.Spaced())
	case k.State == OwnNext:
		return k, notDone("%s is announced and will sign from %s", f.Spaced(), utc(k.Signs))
	case k.State == OwnRetired:
		return k, notDone("%s was retired %s", f.Spaced(), utc(k.Since))
	}
	// The secret first: were it the other way round, a kill in between would
	// leave a secret that nothing names. OpenOwnKeys ends what is begun.
	if err := shred(ownScope(k.Number)); err != nil {
		return k, err
	}
	k.State, k.Secret = OwnRetired, nil
	return k, b.Own.change(b.Store, func(tx *store.Tx) error {
		k.Since = tx.Now
		if err := putOwnKey(tx, k); err != nil {
			return err
		}
		return ownRecord(tx, "own-key.retired", by.Name, k, "")
	})
}

func ownRecord(tx *store.Tx, kind, by string, k OwnKey, detail string) error {
	return record(tx, journal.Record{Kind: kind, Actor: by, Ref: string(k.Fingerprint()), Detail: detail})
}

// ends writes the end of a key.
func ends(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return utc(t)
}

// announce writes to everybody who was told something, in each case on its own,
// which key we use from when. A letter about an earlier change that has not left
// says nothing any more.
func (b *Base) announce(tx *store.Tx, k OwnKey) error {
	all, err := b.correspondents(tx)
	if err != nil {
		return err
	}
	for _, p := range all {
		n := cvd.Notice{Case: p.Case, Party: p.Party, Kind: cvd.KindKey, Version: int(k.Number), LastAct: tx.Now}
		if _, err := b.newNotice(tx, n, nil); err != nil {
			return err
		}
	}
	return nil
}

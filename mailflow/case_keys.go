package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// fingerprint takes a whole fingerprint, in groups or not, up to one of these
// words.
func (p *phrase) fingerprint(words ...string) (keyring.Fingerprint, error) {
	text := p.until(words...)
	if text == "" {
		return "", notDone("the fingerprint is missing; write: %s", p.usage)
	}
	f, err := keyring.ParseFingerprint(text)
	if err != nil {
		return "", notDone("%q is not a whole fingerprint (40 or 64 hexadecimal digits); type all of it, as you learned it", text)
	}
	return f, nil
}

// keyConfirm is `key confirm PARTY FINGERPRINT [replaces FINGERPRINT] [for
// ADDRESS] evidence "…"`: somebody learned the fingerprint another way.
func keyConfirm(s *sitting, p *phrase) (string, error) {
	c, name, err := s.readConfirmation(p)
	if err != nil {
		return "", err
	}
	keys, err := s.mustKnow(c.Owner, name, c.Key)
	if err != nil {
		return "", err
	}
	before, _ := keyOf(keys, c.Key)
	if c.Replaces != "" {
		if err := mayReplace(keys, c, name); err != nil {
			return "", err
		}
	}
	if err := s.confirmKey(s.tx, c); err != nil {
		return "", err
	}
	return s.confirmed(c, name, before)
}

// readConfirmation reads what `key confirm` says.
func (s *sitting) readConfirmation(p *phrase) (c confirmation, name string, err error) {
	if name, err = p.next("the name of the party"); err != nil {
		return c, name, err
	}
	c.By = s.by.Name
	if c.Owner, err = s.owner(name); err != nil {
		return c, name, err
	}
	if c.Key, err = p.fingerprint("replaces", "for", "evidence"); err != nil {
		return c, name, err
	}
	if p.word("replaces") {
		if c.Replaces, err = p.fingerprint("for", "evidence"); err != nil {
			return c, name, err
		}
	}
	if p.word("for") {
		if c.Address, err = s.memberAddress(p, c.Owner, name); err != nil {
			return c, name, err
		}
	}
	c.Evidence, err = p.evidence()
	return c, name, err
}

// keyMeant takes the name of a party, as typed, and a fingerprint, up to a word.
func (s *sitting) keyMeant(p *phrase, word string) (name, owner string, f keyring.Fingerprint, err error) {
	if name, err = p.next("the name of the party"); err != nil {
		return name, owner, f, err
	}
	if owner, err = s.owner(name); err != nil {
		return name, owner, f, err
	}
	f, err = p.fingerprint(word)
	return name, owner, f, err
}

// memberAddress takes an address that the party has.
func (s *sitting) memberAddress(p *phrase, owner, name string) (string, error) {
	text, err := p.next("the address that the key serves")
	if err != nil {
		return "", err
	}
	party, err := PartyByID(s.tx, cvd.PartyID(owner))
	if errors.Is(err, ErrNoParty) {
		return "", notDone("%s has one address only", name)
	}
	if err != nil {
		return "", err
	}
	own := party.Addresses()
	if i := slices.IndexFunc(own, func(a string) bool { return strings.EqualFold(a, text) }); i >= 0 {
		return own[i], nil
	}
	return "", notDone("%s is no address of %s (%s); `member add %s %s` makes it one", text, name, strings.Join(own, ", "), name, text)
}

// evidence takes `evidence TEXT` to the end of the command.
func (p *phrase) evidence() (string, error) {
	text := ""
	if p.word("evidence") {
		text = p.until()
	}
	if text == "" {
		return "", notDone("the evidence is missing: how the fingerprint was learned; write: %s", p.usage)
	}
	return text, nil
}

// mayReplace refuses to replace a key by itself, or one that nobody knows.
func mayReplace(keys []keyring.Pinned, c confirmation, name string) error {
	old, ok := keyOf(keys, c.Replaces)
	switch {
	case c.Replaces == c.Key:
		return notDone("%s cannot replace itself; nothing was changed", c.Key.Spaced())
	case !ok:
		return notDone("%s is none of the keys known of %s, so nothing replaces it; nothing was changed", c.Replaces.Spaced(), name)
	case old.Trust != keyring.Confirmed:
		return notDone("%s of %s is %s, not confirmed, so there is nothing to replace; leave out replaces. Nothing was changed", c.Replaces.Spaced(), name, old.Trust)
	}
	return nil
}

// confirmed says what a confirmation did, what is beside it, and what follows.
func (s *sitting) confirmed(c confirmation, name string, before keyring.Pinned) (string, error) {
	keys, err := ownerKeys(s.tx, c.Owner)
	if err != nil {
		return "", err
	}
	k, _ := keyOf(keys, c.Key)
	said := []string{fmt.Sprintf("key %s of %s is confirmed", c.Key.Spaced(), name)}
	if slices.Contains(before.Confirmers(), c.By) {
		said = append(said, "you confirmed it before, and count once")
	}
	missing, policy, err := confirmersMissing(s.tx, c.Owner, k)
	if err != nil {
		return "", err
	}
	if missing > 0 {
		said = append(said, fmt.Sprintf("in cases of policy %s it counts once %s typed it too", policy, people(missing)))
	}
	if before.Replaced != nil {
		said = append(said, "it was replaced before, and is in force again")
	}
	if c.Replaces != "" {
		said = append(said, fmt.Sprintf("it replaces %s, to which nothing is encrypted any more", c.Replaces.Spaced()))
	}
	for _, f := range s.inForce(keys, c.Key, s.tx.Now) {
		said = append(said, fmt.Sprintf("%s stays in force beside it; if this one replaces it, write: key confirm %s %s replaces %s evidence \"...\"", f.Spaced(), name, c.Key, f))
	}
	shared, err := sharedLine(s.tx, c.Owner, c.Key)
	if err != nil {
		return "", err
	}
	if shared != "" {
		said = append(said, shared)
	}
	if k.Change != nil && before.Change == nil {
		said = append(said, fmt.Sprintf("from scope on nothing goes to %s before %s, and its addresses are told of the change", name, utc(k.Change.At.Add(k.Change.Pause))))
	}
	return strings.Join(said, ";\n"), nil
}

// sharedLine warns where a key is on record as that of another party, too: its
// holder reads, and signs, for both. Finders are nobody's business.
func sharedLine(tx *store.Tx, owner string, f keyring.Fingerprint) (string, error) {
	all, err := holdersOf(tx, f)
	if err != nil {
		return "", err
	}
	var others []string
	for _, o := range all {
		if o.Owner == owner || isFinder(o.Owner) {
			continue
		}
		k, err := pinnedKeys.Get(tx, keyKey(tx, o.Owner, f))
		if err != nil {
			return "", err
		}
		others = append(others, fmt.Sprintf("%s (%s)", o.Owner, k.Trust))
	}
	if len(others) == 0 {
		return "", nil
	}
	slices.Sort(others)
	return fmt.Sprintf("the same key is on record for %s: whoever holds it reads what goes to each of them; if that is wrong, write: key reject %s %s because \"...\"",
		strings.Join(others, ", "), ownerName(owner), f), nil
}

// keyAdopt is `key adopt PARTY SUBKEY evidence "…"`: an encryption subkey that
// a key of the party offers is used from now on.
func keyAdopt(s *sitting, p *phrase) (string, error) {
	name, owner, f, err := s.keyMeant(p, "evidence")
	if err != nil {
		return "", err
	}
	evidence, err := p.evidence()
	if err != nil {
		return "", err
	}
	k, err := s.adoptSubkey(s.tx, owner, f, evidence, s.by.Name)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("key %s of %s is encrypted to with its subkey %s", k.Fingerprint.Spaced(), name, f.Spaced()), nil
}

// mustKnow refuses a fingerprint that is none of the owner's keys.
func (s *sitting) mustKnow(owner, name string, f keyring.Fingerprint) ([]keyring.Pinned, error) {
	keys, err := ownerKeys(s.tx, owner)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, k := range keys {
		if k.Fingerprint == f {
			return keys, nil
		}
		known = append(known, k.Fingerprint.Spaced())
	}
	if len(known) == 0 {
		return nil, notDone("no key of %s is known, so %s cannot be judged; the operator imports it first: parley key import FILE --party %s", name, f.Spaced(), name)
	}
	return nil, notDone("%s is none of the keys known of %s (%s); nothing was changed. If it is the right one, the operator imports it first", f.Spaced(), name,
		strings.Join(known, "; "))
}

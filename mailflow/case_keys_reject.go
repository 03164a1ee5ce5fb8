package mailflow

import (
	"fmt"
	"strings"

	"parley/keyring"
)

// keyToReject takes the name of a party and one of its keys, of which the first
// digits are enough, as `key list` shows them: to stop the use of a key is safe.
func (s *sitting) keyToReject(p *phrase) (name, owner string, f keyring.Fingerprint, err error) {
	if name, err = p.next("the name of the party"); err != nil {
		return name, owner, f, err
	}
	if owner, err = s.owner(name); err != nil {
		return name, owner, f, err
	}
	keys, err := ownerKeys(s.tx, owner)
	if err != nil {
		return name, owner, f, err
	}
	rest := p.rest
	start := strings.ToUpper(strings.TrimRight(strings.ReplaceAll(p.until("because"), " ", ""), "…."))
	var meant []keyring.Fingerprint
	for _, k := range keys {
		if len(start) >= shortestStart && strings.HasPrefix(string(k.Fingerprint), start) {
			meant = append(meant, k.Fingerprint)
		}
	}
	switch {
	case len(meant) == 1:
		return name, owner, meant[0], nil
	case len(meant) > 1:
		return name, owner, f, notDone("%s begins the fingerprints of %d keys of %s; type more of it. Nothing was changed", start, len(meant), name)
	}
	p.rest = rest
	f, err = p.fingerprint("because")
	return name, owner, f, err
}

// shortestStart is how many digits name a key that is to be rejected.
const shortestStart = 4

// keyReject is `key reject PARTY FINGERPRINT [because "…"]`: it is not used.
// What it took the place of is in force again, which adds a key and so counts
// only signed (rule A3); to stop the use of a key never needs a signature.
func keyReject(s *sitting, p *phrase) (string, error) {
	name, owner, f, err := s.keyToReject(p)
	if err != nil {
		return "", err
	}
	why, err := p.reason(false)
	if err != nil {
		return "", err
	}
	if _, err := s.mustKnow(owner, name, f); err != nil {
		return "", err
	}
	proved := s.by.proved()
	back, err := s.rejectKey(s.tx, owner, f, why, s.by.Name, proved)
	if err != nil {
		return "", err
	}
	said := fmt.Sprintf("key %s of %s is rejected and not used from now on", f.Spaced(), name)
	for _, o := range back {
		if proved {
			said += fmt.Sprintf(";\n%s, which it replaced, is in force again", o.Spaced())
		} else {
			said += fmt.Sprintf(";\n%s, which it replaced, is in force again once you write, signed: key confirm %s %s evidence \"...\"", o.Spaced(), name, o)
		}
	}
	return said, nil
}

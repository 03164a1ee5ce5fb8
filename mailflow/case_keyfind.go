package mailflow

import (
	"errors"
	"fmt"

	"parley/keyring/discover"
	"parley/mailflow/cvd"
)

// keyFind is `key find PARTY [at URL]`.
func keyFind(s *sitting, p *phrase) (string, error) {
	name, err := p.next("the name of the party")
	if err != nil {
		return "", err
	}
	party, err := s.partyNamed(name)
	if err != nil {
		return "", err
	}
	if !s.Discovery {
		return "", notDone("keys are not looked for here: discovery is off under [keys] in the configuration; the operator imports them: parley key import FILE --party %s", party.ID)
	}
	if p.word("at") {
		return s.findAt(party, p)
	}
	if err := p.end(); err != nil {
		return "", err
	}
	n, err := s.seekParty(s.tx, party, true)
	switch {
	case err != nil:
		return "", err
	case n == 0:
		return "", notDone("no address of %s is on a domain that can be asked", party.ID)
	case n == 1:
		return fmt.Sprintf("the key of %s is looked for; `key list %s` shows what is found", party.ID, party.ID), nil
	}
	return fmt.Sprintf("the keys of %d addresses of %s are looked for; `key list %s` shows what is found", n, party.ID, party.ID), nil
}

// findAt orders that one security.txt be read. It names where a key comes from,
// which is more than looking again.
func (s *sitting) findAt(party cvd.Party, p *phrase) (string, error) {
	raw, err := p.only("the address of the security.txt")
	if err != nil {
		return "", err
	}
	var fault discover.Fault
	if errors.As(discover.CheckURL(raw, party.Addresses()), &fault) {
		return "", notDone("%s is not read: %s; a security.txt is read at an https:// address on the domain of an address of %s", raw, fault.Sentence(), party.ID)
	}
	if err := s.mustBeProved("key find "+string(party.ID)+" at", "adds a key"); err != nil {
		return "", err
	}
	if err := seek(s.tx, lookup{Party: party.ID, URL: raw}); err != nil {
		return "", err
	}
	return fmt.Sprintf("the key of %s is looked for in that file; `key list %s` shows what is found", party.ID, party.ID), nil
}

// seekLine orders look-ups for what was never looked for, and says so behind a
// command that named an address.
func (s *sitting) seekLine(p cvd.Party) (string, error) {
	n, err := s.seekParty(s.tx, p, false)
	if err != nil || n == 0 || !s.Discovery {
		return "", err
	}
	return "; its key is looked for", nil
}

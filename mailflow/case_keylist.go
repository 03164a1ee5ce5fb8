package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/keyring"
	"parley/mailflow/cvd"
)

// keyList is `key list PARTY`.
func keyList(s *sitting, p *phrase) (string, error) {
	name, err := p.only("the name of the party")
	if err != nil {
		return "", err
	}
	owner, err := s.owner(name)
	if err != nil {
		return "", err
	}
	keys, err := ownerKeys(s.tx, owner)
	if err != nil {
		return "", err
	}
	var lines []string
	if len(keys) == 0 {
		lines = append(lines, fmt.Sprintf("no key of %s is known; the operator imports one: parley key import FILE --party %s", name, name))
	}
	all := keyring.Stand(s.Certs, keys, 1, s.tx.Now)
	for _, k := range keys {
		lines = append(lines, s.keyLine(k, all[k.Fingerprint]))
		lines = append(lines, evidenceLines(k)...)
	}
	keyless, err := s.keylessMembers(owner, keys)
	if err != nil {
		return "", err
	}
	sought, err := s.lookupLines(s.tx, cvd.PartyID(owner))
	if err != nil {
		return "", err
	}
	proved, err := s.provenLines(cvd.PartyID(owner))
	return inColumns(slices.Concat(lines, keyless, sought, proved)), err
}

// keyLine is one key: fingerprint, trust, until when, whose, and why it is
// trusted or cannot be used.
func (s *sitting) keyLine(k keyring.Pinned, stands keyring.Standing) string {
	parts := []string{string(k.Fingerprint), stands.Trust.String()}
	cert, err := s.Certs.Certificate(k.Cert)
	if err != nil {
		return strings.Join(append(parts, "cannot be read: "+err.Error()), "  ")
	}
	parts = append(parts, expiry(cert))
	if a := cert.Addresses(); len(a) > 0 {
		parts = append(parts, strings.Join(a, ", "))
	}
	if k.Address != "" && !slices.Contains(cert.Addresses(), strings.ToLower(k.Address)) {
		parts = append(parts, "serves "+k.Address+", which is in none of its user IDs")
	}
	if stands.Certified != "" {
		parts = append(parts, "certified by "+stands.Certified.Spaced()+", which is confirmed")
	}
	if r := k.Replaced; r != nil {
		parts = append(parts, "replaced by "+r.By.Spaced()+" on "+day(r.At))
	}
	if err := cert.CanEncrypt(s.tx.Now); err != nil {
		parts = append(parts, "cannot be used: "+err.Error())
	}
	pending, err := s.pending(k, s.tx.Now)
	for _, f := range pending {
		parts = append(parts, "offers the new encryption subkey "+f.Spaced())
	}
	if c := k.Change; c != nil && err == nil && s.tx.Now.Before(c.At.Add(c.Pause)) {
		parts = append(parts, "from scope on what goes to it waits until "+utc(c.At.Add(c.Pause)))
	}
	return strings.Join(parts, "  ")
}

// evidenceLines are all that vouches for a key, oldest first.
func evidenceLines(k keyring.Pinned) []string {
	var out []string
	for _, v := range k.Evidence {
		line := fmt.Sprintf("    %s  %s", day(v.At), v.Trust)
		if v.By != "" {
			line += " by " + v.By
		}
		if v.Words != "" {
			line += ": " + v.Words
		}
		out = append(out, line)
	}
	return out
}

// keylessMembers names the members that can read nothing; they hold nobody up.
func (s *sitting) keylessMembers(owner string, keys []keyring.Pinned) ([]string, error) {
	party, err := PartyByID(s.tx, cvd.PartyID(owner))
	if errors.Is(err, ErrNoParty) {
		return nil, nil // a finder
	}
	var out []string
	for _, m := range party.Members {
		if !slices.ContainsFunc(keys, func(k keyring.Pinned) bool { return strings.EqualFold(k.Address, m.Address) }) {
			out = append(out, fmt.Sprintf("no key of %s is known; it reads nothing, and nothing waits for it", m.Address))
		}
	}
	return out, err
}

func expiry(c *keyring.Certificate) string {
	if c.Expires().IsZero() {
		return "never expires"
	}
	return "expires " + day(c.Expires())
}

package mailflow

import (
	"fmt"
	"strings"

	"parley/keyring"
)

// keyList is `key list PARTY`.
func keyList(s *sitting, p *phrase) (string, error) {
	name, err := p.next("the name of the party")
	if err != nil {
		return "", err
	}
	if err := p.end(); err != nil {
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
	if len(keys) == 0 {
		return fmt.Sprintf("no key of %s is known; the operator imports one: parley key import FILE --party %s", name, name), nil
	}
	var lines []string
	for _, k := range keys {
		lines = append(lines, s.keyLine(k))
	}
	return strings.Join(lines, "\n"), nil
}

// keyLine is one key: fingerprint, trust, until when, whose, and why it is
// trusted or cannot be used.
func (s *sitting) keyLine(k keyring.Pinned) string {
	parts := []string{string(k.Fingerprint), k.Trust.String()}
	cert, err := s.Certs.Certificate(k.Cert)
	if err != nil {
		return strings.Join(append(parts, "cannot be read: "+err.Error()), "  ")
	}
	parts = append(parts, expiry(cert))
	if a := cert.Addresses(); len(a) > 0 {
		parts = append(parts, strings.Join(a, ", "))
	}
	if err := cert.CanEncrypt(s.tx.Now); err != nil {
		parts = append(parts, "cannot be used: "+err.Error())
	}
	if k.Evidence != "" {
		said := k.Evidence
		if k.ConfirmedBy != "" {
			said += " (" + k.ConfirmedBy + ")"
		}
		parts = append(parts, said)
	}
	return strings.Join(parts, "  ")
}

func expiry(c *keyring.Certificate) string {
	if c.Expires().IsZero() {
		return "never expires"
	}
	return "expires " + day(c.Expires())
}

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

// keyConfirm is `key confirm PARTY FINGERPRINT evidence "…"`: somebody learned
// the fingerprint another way.
func keyConfirm(s *sitting, p *phrase) (string, error) {
	name, err := p.next("the name of the party")
	if err != nil {
		return "", err
	}
	owner, err := s.owner(name)
	if err != nil {
		return "", err
	}
	f, err := p.fingerprint("evidence")
	if err != nil {
		return "", err
	}
	if !p.word("evidence") {
		return "", notDone("the evidence is missing: how the fingerprint was learned; write: %s", p.usage)
	}
	evidence := p.until()
	if evidence == "" {
		return "", notDone("the evidence is missing: how the fingerprint was learned; write: %s", p.usage)
	}
	if err := s.mustKnow(owner, name, f); err != nil {
		return "", err
	}
	if err := s.confirmKey(s.tx, owner, f, evidence, s.by.Name); err != nil {
		return "", err
	}
	return fmt.Sprintf("key %s of %s is confirmed", f.Spaced(), name), nil
}

// keyReject is `key reject PARTY FINGERPRINT [because "…"]`: it is never used.
func keyReject(s *sitting, p *phrase) (string, error) {
	name, err := p.next("the name of the party")
	if err != nil {
		return "", err
	}
	owner, err := s.owner(name)
	if err != nil {
		return "", err
	}
	f, err := p.fingerprint("because")
	if err != nil {
		return "", err
	}
	why, err := p.reason(false)
	if err != nil {
		return "", err
	}
	if err := s.mustKnow(owner, name, f); err != nil {
		return "", err
	}
	if err := s.rejectKey(s.tx, owner, f, why, s.by.Name); err != nil {
		return "", err
	}
	return fmt.Sprintf("key %s of %s is rejected and not used from now on", f.Spaced(), name), nil
}

// mustKnow refuses a fingerprint that is none of the owner's keys.
func (s *sitting) mustKnow(owner, name string, f keyring.Fingerprint) error {
	keys, err := ownerKeys(s.tx, owner)
	if err != nil {
		return err
	}
	var known []string
	for _, k := range keys {
		if k.Fingerprint == f {
			return nil
		}
		known = append(known, k.Fingerprint.Spaced())
	}
	if len(known) == 0 {
		return notDone("no key of %s is known, so %s cannot be judged; the operator imports it first: parley key import FILE --party %s", name, f.Spaced(), name)
	}
	return notDone("%s is none of the keys known of %s (%s); nothing was changed. If it is the right one, the operator imports it first", f.Spaced(), name,
		strings.Join(known, "; "))
}

package courier

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of RFC 5321 section 4.5.3.1. A path of 256 octets leaves 254 for the address between its brackets.
const (
	maxLocal   = 64
	maxAddress = 254
	maxLabel   = 63

	maxEnvelopeID = 100 // RFC 3461 section 4.4
)

// CheckAddress says whether an address can stand in an envelope: a dot-string of at most 64 octets, "@" and a domain, all ASCII
// (RFC 5321 section 4.1.2; internationalised domains as A-labels). Quoted local parts and address literals, which no mail
// system in use needs, are refused. The error does not repeat the address.
func CheckAddress(addr string) error {
	at := strings.LastIndexByte(addr, '@')
	if at < 0 {
		return errors.New("address: there is no @")
	}
	switch local, domain := addr[:at], addr[at+1:]; {
	case len(addr) > maxAddress || at > maxLocal:
		return errors.New("address: too long")
	case !isDotString(local):
		return errors.New("address: what stands before the @ cannot be sent as it is")
	case !isDomain(domain):
		return errors.New("address: what stands after the @ is not a domain")
	}
	return nil
}

func (m Mail) check() error {
	if m.From != "" {
		if err := CheckAddress(m.From); err != nil {
			return fmt.Errorf("reverse-path: %w", err)
		}
	}
	if err := CheckAddress(m.To); err != nil {
		return fmt.Errorf("forward-path: %w", err)
	}
	if len(m.EnvelopeID) > maxEnvelopeID || strings.ContainsFunc(m.EnvelopeID, func(r rune) bool { return !isAlnum(r) }) {
		return errors.New("envelope identifier: not at most 100 letters and digits")
	}
	return nil
}

// isDotString: atoms with dots between (RFC 5322 section 3.2.3).
func isDotString(s string) bool {
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool { return !isAtext(r) }) {
			return false
		}
	}
	return true
}

func isAtext(r rune) bool {
	return isAlnum(r) || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

func isAlnum(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// isDomain: labels of letters, digits and inner hyphens (RFC 5321 section 4.1.2).
func isDomain(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool { return !isAlnum(r) && r != '-' }) {
			return false
		}
	}
	return len(s) <= 253
}

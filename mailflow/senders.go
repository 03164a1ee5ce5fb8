package mailflow

import (
	"slices"
	"strings"

	"parley/keyring"
	"parley/mailflow/cvd"
)

// maxSenders is how many addresses the systems of a party may write from.
const maxSenders = 10

// senders reads the addresses from which a party's systems write, with commas
// between; `none` takes them away. Mail from there counts as the party's where an
// address matters; nothing goes there, and no key is looked for or kept for them.
func (s *sitting) senders(value string, p cvd.Party) ([]string, error) {
	if strings.EqualFold(strings.TrimSpace(value), "none") {
		return nil, nil
	}
	var out []string
	for _, text := range strings.Split(value, ",") {
		addr, err := s.freeAddress(strings.TrimSpace(text), p.ID)
		if err != nil {
			return nil, err
		}
		same := func(a string) bool { return keyring.SameAddress(a, addr) }
		switch {
		case slices.ContainsFunc(p.Addresses(), same):
			return nil, notDone("%s may write from %s already, and people read there; senders are addresses of systems", p.ID, addr)
		case !slices.ContainsFunc(out, same):
			out = append(out, addr)
		}
	}
	if len(out) > maxSenders {
		return nil, notDone("these are %d addresses; at most %d senders are kept of one party", len(out), maxSenders)
	}
	return out, nil
}

// parseRefPlace reads where a party's own reference stands.
func parseRefPlace(value string) (outside bool, err error) {
	switch strings.ToLower(value) {
	case "inner":
		return false, nil
	case "outer":
		return true, nil
	}
	return false, notDone("%q is neither inner nor outer; say outer for a ticket system that reads only the Subject that everybody on the way reads", value)
}

// ticketWords are the options for ticket systems that differ from everybody's.
func ticketWords(p cvd.Party) []string {
	var out []string
	if len(p.Senders) > 0 {
		out = append(out, "senders "+strings.Join(p.Senders, ", "))
	}
	if p.Manner.RefOutside {
		out = append(out, "their-ref outer")
	}
	return out
}

package mailflow

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/publicsuffix"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// named is one name of somebody: the party's own, another that it is known by,
// an address, or the domain of one.
type named struct {
	party cvd.PartyID
	name  []rune // as the guard spells it
}

// names finds parties in a text by whole words.
type names struct{ by map[string][]named } // the first word of the name

// namesIn gathers the names of everybody in the directory, and of the finders of
// a case or report.
func (b *Base) namesIn(tx *store.Tx, id cvd.CaseID) (*names, error) {
	n := &names{by: map[string][]named{}}
	all, err := Parties(tx)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		n.add(p.ID, b.namesOf(p)...)
	}
	ps, err := Participants(tx, id)
	for _, p := range ps {
		if p.Party.IsFinder() {
			n.add(p.Party, b.namesOf(cvd.Party{Address: p.Address, Aliases: []string{p.Name}})...)
		}
	}
	return n, err
}

// namesOf are all names of a party.
func (b *Base) namesOf(p cvd.Party) []string {
	out := append([]string{string(p.ID)}, p.Aliases...)
	for _, a := range append(p.Origins(), p.Address) {
		i := strings.LastIndexByte(a, '@')
		if i < 0 {
			continue
		}
		out = append(out, a)
		if d := organisation(a[i+1:]); d != organisation(b.Domain) && d != organisation(b.DeskDomain) {
			out = append(out, d)
		}
	}
	return out
}

// organisation is the domain under which whoever holds an address registered
// it: "globex.example" of "mail.globex.example".
func organisation(domain string) string {
	d, err := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(domain))
	if err != nil {
		return strings.ToLower(domain)
	}
	return d
}

// shortestName is how many characters a name has at least that is looked for.
const shortestName = 2

func (n *names) add(party cvd.PartyID, all ...string) {
	for _, name := range all {
		forms := []string{name}
		if strings.ContainsAny(name, "-_ ") && !strings.Contains(name, "@") {
			joined := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == ' ' })
			forms = []string{strings.Join(joined, " "), strings.Join(joined, "-"), strings.Join(joined, "_"), strings.Join(joined, "")}
		}
		for _, f := range forms {
			s := &spelled{}
			if s.spell("", f); len(s.text) < shortestName {
				continue
			}
			first := string(s.text[:wordEnd(s.text, 0)])
			n.by[first] = append(n.by[first], named{party, s.text})
		}
	}
}

// mention is a name that stands in a text.
type mention struct {
	run
	party cvd.PartyID
}

// in finds every name in a text, longest first where several begin at one
// place.
func (n *names) in(text []rune) []mention {
	var out []mention
	for i := 0; i < len(text); i++ {
		if !wordRune(text[i]) {
			continue
		}
		end := wordEnd(text, i)
		for _, m := range n.by[string(text[i:end])] {
			k := i + len(m.name)
			if k <= len(text) && slices.Equal(text[i:k], m.name) && (k == len(text) || !wordRune(text[k])) {
				out = append(out, mention{run{i, k}, m.party})
			}
		}
		i = end
	}
	return out
}

// others are the mentions of anybody but one party. A name inside one of its own
// is its own: "acme" in "acme-labs".
func others(all []mention, party cvd.PartyID) []mention {
	var out []mention
	for _, m := range all {
		own := slices.ContainsFunc(all, func(o mention) bool {
			return o.party == party && o.from <= m.from && o.to >= m.to
		})
		if m.party != party && !own {
			out = append(out, m)
		}
	}
	return out
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// wordEnd is where the word ends that begins at a place; a name may begin with
// anything.
func wordEnd(text []rune, at int) int {
	end := at
	for end < len(text) && wordRune(text[end]) {
		end++
	}
	return max(end, min(at+1, len(text)))
}

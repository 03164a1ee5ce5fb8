package mailflow

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// gatherLeak reads what a notice of a leak is made of: its level of the kit as
// it stands, which the gate compares with what was approved.
func (b *Base) gatherLeak(tx *store.Tx, p *parcel, l *looks) error {
	k, err := b.kitOf(tx, p.Case, p.Notice.Level, l)
	if err != nil {
		return err
	}
	k.Spoken = map[cvd.PartyID]string{p.Participant.Party: spokenWords(p.Party)}
	p.Kit = &k
	if k.Lacks == "" {
		if p.Found, err = b.foundInKit(tx, &k, p.Participant, l); err != nil {
			return err
		}
		if len(p.Found) > 0 {
			k.Found = map[cvd.PartyID][]Crossing{p.Participant.Party: p.Found}
		}
	}
	if p.Leak, err = b.leakView(tx, p); err != nil {
		return err
	}
	p.Files = k.filesFor(p.Participant.Party)
	for _, f := range p.Files {
		p.Leak.Files = append(p.Leak.Files, f.Name)
	}
	p.Made = []string{k.Hash}
	return nil
}

// leakView fills what the vendor may know of the leak. The address where it
// stands is left out where it names somebody else.
func (b *Base) leakView(tx *store.Tx, p *parcel) (*templates.Leak, error) {
	c, n, k := p.Case, p.Notice, p.Kit
	leak, _ := c.LeakOf(n.Level)
	v := &templates.Leak{Us: b.usWith(p.Ours), To: spoken(p.Participant, p.Party), Case: c.ID, Level: n.Level, TLP: k.Rule.TLP, Code: n.Code, Version: c.Embargo().Version,
		End: c.End(p.Participant), Zone: p.Party.Zone, Severity: c.Severity, Product: p.Participant.Affects, Leaked: leak.At}
	if before, moved := beforeLeak(c, leak); moved {
		v.Old = before.End(p.Participant)
	}
	names, err := b.urlNames(tx, c.ID, leak.URL, p.Participant.Party)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		v.URL = defangedWord(leak.URL)
	}
	text := func(piece cvd.Stage, party cvd.PartyID) string { return k.text(piece, party, v.Language) }
	v.Holding, v.Mitigation = text(cvd.Holding, ""), text(cvd.Mitigation, "")
	v.Material, v.Annex = text(cvd.Details, ""), text(cvd.Details, n.Party)
	v.Proof, v.ProofAnnex = text(cvd.Proof, ""), text(cvd.Proof, n.Party)
	v.FAQ = slices.Concat(faqTexts(k.Answers[cvd.Details]), faqTexts(k.Answers[cvd.Proof]))
	return v, nil
}

// beforeLeak is the case without the version of the embargo that a leak made,
// and whether it made one.
func beforeLeak(c cvd.Case, l cvd.Leak) (cvd.Case, bool) {
	i := slices.IndexFunc(c.Embargoes, func(e cvd.Embargo) bool { return e.Because == leakBecause(l) && e.At.Equal(l.At) })
	if i < 1 {
		return c, false
	}
	c.Embargoes = c.Embargoes[:i]
	return c, true
}

func leakBecause(l cvd.Leak) string { return fmt.Sprintf("leak: %s", l.Level) }

// text is what was written for a piece, for everybody or for one party; a
// piece that is only files says so in the reader's language.
func (k *kitLevel) text(piece cvd.Stage, party cvd.PartyID, language string) string {
	for _, w := range slices.Concat(k.Shared, k.Annexes) {
		if w.Stage != piece || w.Party != party {
			continue
		}
		if w.Text == "" && len(w.Files) > 0 {
			return templates.SeeFiles(language)
		}
		return w.Text
	}
	return ""
}

// filesFor are the files that one party gets, as they leave.
func (k *kitLevel) filesFor(party cvd.PartyID) []cvd.File {
	var out []cvd.File
	for _, w := range slices.Concat(k.Shared, k.Annexes) {
		if w.Party == "" || w.Party == party {
			out = append(out, bareFiles(w)...)
		}
	}
	return out
}

// urlNames are the parties that the address of a leak names, but for one.
func (b *Base) urlNames(tx *store.Tx, id cvd.CaseID, where string, but cvd.PartyID) ([]cvd.PartyID, error) {
	all, err := b.namesIn(tx, id)
	if err != nil {
		return nil, err
	}
	words := &spelled{}
	words.spell("", where)
	if plain := unescaped(where); plain != where {
		words.spell("", plain)
	}
	var out []cvd.PartyID
	for _, m := range others(all.in(words.text), but) {
		if !slices.Contains(out, m.party) {
			out = append(out, m.party)
		}
	}
	return out, nil
}

// escapes are octets as an address writes them.
var escapes = regexp.MustCompile("(%[0-9A-Fa-f]{2})+")

// unescaped is an address as a browser shows it: %67lobex is globex, and so is
// what is escaped twice. A percent sign that begins no octet stays.
func unescaped(where string) string {
	for range 3 {
		where = escapes.ReplaceAllStringFunc(where, func(octets string) string {
			plain, err := url.PathUnescape(octets)
			if err != nil {
				return octets
			}
			return plain
		})
	}
	return where
}

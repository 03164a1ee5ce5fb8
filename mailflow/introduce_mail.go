package mailflow

import (
	"parley/mailflow/advisory"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// questionLetter asks one of the two. It is made of nothing that belongs to the
// other, so that no word of it can tell who that is.
func (b *Base) questionLetter(p *parcel, s introSide) (*Letter, error) {
	text, err := b.Templates.Ask(templates.Ask{Us: b.usWith(p.Ours), To: spoken(p.Participant, p.Party), Case: p.Case.ID,
		TLP: introTLP(p.Case, p.Participant), Number: s.Question, Code: p.Notice.Code})
	return &Letter{Subject: text.Subject, Text: text.Text}, err
}

// introLetter tells one of the two who the other is: its name and contact address,
// and that it found the flaw where it did.
func (b *Base) introLetter(tx *store.Tx, p *parcel, other cvd.Participant) (*Letter, error) {
	h, err := homeOf(tx, p.Case, other)
	if err != nil {
		return nil, err
	}
	text, err := b.Templates.Introduction(templates.Introduction{Us: b.usWith(p.Ours), To: spoken(p.Participant, p.Party), Case: p.Case.ID,
		TLP: introTLP(p.Case, p.Participant), Other: advisory.Name(otherName(other, h.Party)), Address: other.Address, Finder: other.Party.IsFinder()})
	return &Letter{Subject: text.Subject, Text: text.Text}, err
}

// introTLP labels what is said between parties as the policy labels what the
// reader knows, at least as its first stage.
func introTLP(c cvd.Case, who cvd.Participant) cvd.TLP {
	if rule, ok := c.Policy.Rule(who.Reached); ok && who.Reached != cvd.Public {
		return rule.TLP
	}
	return countsTLP(c)
}

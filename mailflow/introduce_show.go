package mailflow

import (
	"fmt"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// otherName is the name under which somebody is introduced: what people call it,
// else its name in the directory; of a finder the one in its mails.
func otherName(who cvd.Participant, party cvd.Party) string {
	switch {
	case who.Party.IsFinder():
		return who.Name
	case len(party.Aliases) > 0:
		return party.Aliases[0]
	}
	return string(who.Party)
}

// words say how one of the two stands, for the desk.
func (s introSide) words() string {
	switch {
	case s.Yes != nil:
		return fmt.Sprintf("%s agrees (%s, %s)", s.Party, s.Yes.Via, day(s.Yes.At))
	case s.No != nil:
		return fmt.Sprintf("%s refuses (%s, %s)", s.Party, s.No.Via, day(s.No.At))
	}
	return string(s.Party) + " has not answered"
}

// waitsBehind says what waits where a notice came back, for the desk.
func waitsBehind(n cvd.Notice) string {
	if n.Kind == cvd.KindIntroduction {
		return "The other is not told who this one is, either, unless it was before"
	}
	return "Further stages for this vendor wait"
}

// cameBackWords say who learned of whom where a half came back.
func cameBackWords(i intro, told, back []string) string {
	said := "the mail to " + strings.Join(back, " and that to ") + " came back"
	switch {
	case len(told) == 1:
		return said + ", and only " + told[0] + " was told"
	case len(back) == 1:
		return said + ", and " + string(i.Sides[1-i.side(cvd.PartyID(back[0]))].Party) + " was not told"
	}
	return said
}

// introLines say how the introductions of a case stand, for the desk.
func introLines(tx *store.Tx, c cvd.CaseID) ([]string, error) {
	all, err := introsOf(tx, c)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, i := range all {
		a, b := i.Sides[0], i.Sides[1]
		head := fmt.Sprintf("%s and %s: ", a.Party, b.Party)
		var told, back []string
		for _, s := range i.Sides {
			n, err := half(tx, i, s)
			switch {
			case err != nil:
				return nil, err
			case cameBack(n):
				back = append(back, string(s.Party))
			case hasLeft(n.State):
				told = append(told, string(s.Party))
			}
		}
		switch {
		case len(told) == 2:
			out = append(out, head+"introduced to each other")
		case len(back) > 0:
			out = append(out, head+"agreed; "+cameBackWords(i, told, back))
		case len(told) == 1:
			out = append(out, head+"agreed; only "+told[0]+" was told so far")
		case i.Ended != nil:
			out = append(out, head+"taken back by "+i.Ended.By+", "+i.Ended.Because)
		default:
			out = append(out, head+strings.Join([]string{a.words(), b.words()}, "; "))
		}
	}
	return out, nil
}

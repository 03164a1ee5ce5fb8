package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// sentence says what was found, for readers who may know of everything in it:
// "line 14 repeats 61 characters that globex wrote on 3 Dec".
func (c Crossing) sentence(home cvd.CaseID) string {
	switch c.Kind {
	case crossQuotes:
		return fmt.Sprintf("%s repeats %d characters that %s wrote on %s%s", c.place(), c.Chars, byName(c.Party), c.At.UTC().Format("2 Jan"), c.elsewhere(home))
	case crossNames:
		return fmt.Sprintf("%s names %s", c.place(), byName(c.Party))
	case crossTag:
		return fmt.Sprintf("%s names %s, which is another case", c.place(), c.Tag)
	case crossSent:
		return fmt.Sprintf("%s is, or holds, a file that %s sent on %s%s", c.Piece, byName(c.Party), c.At.UTC().Format("2 Jan"), c.elsewhere(home))
	case crossFile:
		return fmt.Sprintf("%s is a file of %s", c.Piece, c.Stage)
	case crossLater:
		return fmt.Sprintf("%s repeats %d characters of what belongs to %s", c.place(), c.Chars, c.Stage)
	}
	return "it holds more text than can be compared with other threads"
}

// elsewhere names the other case, or report, in which something was written.
func (c Crossing) elsewhere(home cvd.CaseID) string {
	switch n, inReport := reportNumber(c.Case); {
	case c.Case == home || c.Case == "":
		return ""
	case inReport:
		return fmt.Sprintf(" in report #%d", n)
	}
	return " in " + string(c.Case)
}

// veiled says of what is hidden from some of those who read it only that it
// cannot go (rule A2).
func (c Crossing) veiled() string {
	return fmt.Sprintf("%s cannot go as it is; somebody else must see it first", c.place())
}

func (c Crossing) place() string {
	if c.Kind == crossSent || c.Kind == crossFile {
		return c.Piece
	}
	line := fmt.Sprintf("line %d", c.Line)
	switch {
	case c.Piece == "":
		return line
	case c.Line <= 1 && (c.Piece == "the Subject" || c.Piece == "the product" || len(c.Piece) > 12 && c.Piece[:12] == "the name of "):
		return c.Piece
	}
	return line + " of " + c.Piece
}

func byName(p cvd.PartyID) string {
	switch p {
	case "":
		return "somebody outside"
	case cvd.Finder:
		return "the finder"
	}
	return string(p)
}

// crossingWords says what was found in a text of a case, so that everybody who may see
// that case may read it.
func crossingWords(tx *store.Tx, c Crossing, home cvd.Case, id cvd.CaseID) (string, error) {
	hidden, err := hiddenFrom(tx, c.Case, func(source cvd.Case) bool { return readersWithin(home, source) })
	if err != nil {
		return "", err
	}
	if hidden && c.Case != id {
		return c.veiled(), nil
	}
	return c.sentence(id), nil
}

// hiddenFrom says whether a case is one that somebody may not know of; a report
// that became part of it is seen with it.
func hiddenFrom(tx *store.Tx, id cvd.CaseID, may func(cvd.Case) bool) (bool, error) {
	id, err := caseNow(tx, id)
	if err != nil {
		return true, err
	}
	source, err := CaseByID(tx, id)
	if errors.Is(err, ErrNoCase) {
		return false, nil
	}
	return err != nil || !may(source), err
}

// foundWords says what was found in the mails of a request, once where it stands
// in several.
func foundWords(tx *store.Tx, g []*parcel) ([]string, error) {
	var out []string
	to := map[string][]cvd.PartyID{}
	for _, p := range g {
		for _, c := range p.Found {
			said, err := crossingWords(tx, c, p.Case, p.Notice.Case)
			if err != nil {
				return nil, err
			}
			if to[said] == nil {
				out = append(out, said)
			}
			if !slices.Contains(to[said], p.Notice.Party) {
				to[said] = append(to[said], p.Notice.Party)
			}
		}
	}
	for i, said := range out {
		if len(to[said]) < len(g) {
			out[i] = "to " + partyList(to[said]) + ": " + said
		}
	}
	return out, nil
}

// casesBeside are the other cases whose words stand in mails.
func casesBeside(g []*parcel) []cvd.CaseID {
	var out []cvd.CaseID
	for _, p := range g {
		for _, c := range p.Found {
			if c.Case != "" && c.Case != p.Notice.Case && !slices.Contains(out, c.Case) {
				out = append(out, c.Case)
			}
		}
	}
	return out
}

// blindTo says whether words stand in a request of a case that a coordinator may
// not know of.
func blindTo(tx *store.Tx, a cvd.ApprovalRequest, by Actor) (bool, error) {
	for _, id := range a.Beside {
		if hidden, err := hiddenFrom(tx, id, by.sees); hidden || err != nil {
			return hidden, err
		}
	}
	return false, nil
}

// tellVeiled tells those who may see another case, and nobody else, what of it
// stands in a request that the others are told of without it. Where not all of
// them may know of the request, nobody is told.
func (b *Base) tellVeiled(tx *store.Tx, a cvd.ApprovalRequest, g []*parcel) error {
	for _, id := range a.Beside {
		home := g[0].Case
		hidden, err := hiddenFrom(tx, id, func(source cvd.Case) bool { return readersWithin(home, source) })
		if err != nil {
			return err
		}
		apart, err := hiddenFrom(tx, id, func(source cvd.Case) bool { return !readersWithin(source, home) })
		if err != nil {
			return err
		}
		if !hidden || !apart {
			continue
		}
		var said []string
		for _, c := range g[0].Found {
			if c.Case == id {
				said = append(said, c.sentence(a.Case))
			}
		}
		what := approvalWhere(a)
		r, err := b.Templates.Refusal(refusal("approval "+a.ID, "In "+what+" stand words of "+string(id)+", which "+a.Author+" may not see. It waits in Approvals, as "+a.ID+"; only who may see both cases lets it go.",
			strings.Join(said, "; "), "look at it there, and decide"))
		if err != nil {
			return err
		}
		err = b.task(tx, veiledTask(a.ID, id), Post{Case: id, Kind: "approval", Ref: a.ID, Text: r.Text,
			Subject: "Words of " + string(id) + " stand in " + what})
		if err != nil {
			return err
		}
	}
	return nil
}

func veiledTask(request string, id cvd.CaseID) string { return "veiled:" + request + ":" + string(id) }

package mailflow

import (
	"slices"
	"strings"

	"parley/mailflow/advisory"
	"parley/mailflow/cvd"
	"parley/templates"
)

const verbStatement = "STATEMENT"

// maxStatement is how long a statement may be, in octets.
const maxStatement = 16 << 10

// block is what stands between STATEMENT and END.
type block struct {
	Text  string
	Ended bool // END was there
}

// cutStatement takes the lines below STATEMENT out of a reply, up to END on a line
// of its own: whatever they say, they are no commands. A quotation of our notice
// ends the search.
func cutStatement(text string, verbs []string) (string, *block) {
	if !slices.Contains(verbs, verbStatement) {
		return text, nil
	}
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, l := range lines {
		l = strings.TrimSpace(strings.TrimPrefix(l, "\ufeff"))
		if quotes(l) {
			break
		}
		if l == "" {
			continue
		}
		if _, ok := parseVendorLine(l, []string{verbStatement}); ok {
			said, n := statementIn(lines[i+1:])
			return strings.Join(slices.Concat(lines[:i+1], lines[i+1+n:]), "\n"), said
		}
	}
	return text, nil
}

// statementIn reads a statement and says how many lines it took; without END it
// takes all, so that none of it is done.
func statementIn(lines []string) (*block, int) {
	for i, l := range lines {
		word := strings.TrimSpace(l)
		switch {
		case strings.EqualFold(word, "END"):
			return &block{strings.Trim(strings.Join(lines[:i], "\n"), "\n"), true}, i + 1
		case strings.HasPrefix(word, "TLP:"):
			return &block{}, len(lines)
		}
	}
	return &block{}, len(lines)
}

// meantForPublication is meant for the verbs about what is published.
func (c vendorCommand) meantForPublication() bool {
	words := len(c.Args) - len(c.Codes)
	switch c.Verb {
	case verbStatement, "ANONYMOUS":
		return words == 0
	case "CREDIT":
		return len(c.Args) > 0
	case "REVEAL":
		return words == 1 || len(c.Args) == 1
	}
	return true
}

// state keeps a statement as it was written. The newest counts.
func state(who *cvd.Participant, said *block, a cvd.Acceptance) templates.Result {
	switch {
	case said == nil:
		return templates.Result{Word: templates.ResultOneStatement}
	case !said.Ended:
		return templates.Result{Word: templates.ResultNoEnd}
	case strings.TrimSpace(said.Text) == "":
		return templates.Result{Word: templates.ResultNoStatement}
	case len(said.Text) > maxStatement:
		return templates.Result{Word: templates.ResultLongStatement, Most: maxStatement}
	}
	who.Statements = append(who.Statements, cvd.Statement{Text: said.Text, At: a.At, Via: a.Via})
	return templates.Result{Word: templates.ResultStatement, Lines: strings.Count(said.Text, "\n") + 1}
}

// maxCreditName is how long a name to be credited may be, in characters.
const maxCreditName = 200

// credit notes how a finder wants to be named: by no name where it gave none.
func credit(who *cvd.Participant, args []string, a cvd.Acceptance) templates.Result {
	name := advisory.Name(strings.Join(args, " "))
	switch {
	case len([]rune(name)) > maxCreditName:
		return templates.Result{Word: templates.ResultLongName, Most: maxCreditName}
	case len(args) > 0 && name == "":
		return templates.Result{Word: templates.ResultNoName}
	}
	who.Credit = &cvd.Credit{Name: name, At: a.At, Via: a.Via}
	if name == "" {
		return templates.Result{Word: templates.ResultAnonymous}
	}
	return templates.Result{Word: templates.ResultCredit, Text: name}
}

// reveal notes that a finder may be named to a party. The answer is the same
// whether or not that party takes part: the finder does not learn who does.
func reveal(who *cvd.Participant, args []string, a cvd.Acceptance) templates.Result {
	if len(args) != 1 {
		return templates.Result{Word: templates.ResultNoReveal}
	}
	to, err := cvd.ParsePartyID(args[0])
	if err != nil {
		return templates.Result{Word: templates.ResultNoReveal}
	}
	if !slices.ContainsFunc(who.Reveals, func(r cvd.Reveal) bool { return r.To == to }) {
		who.Reveals = append(who.Reveals, cvd.Reveal{To: to, At: a.At, Via: a.Via})
	}
	return templates.Result{Word: templates.ResultReveal, Text: string(to)}
}

// creditWords say how a finder wants to be named, for the desk.
func creditWords(p cvd.Participant) string {
	out := "did not say how to be named"
	switch {
	case p.Credit == nil:
	case p.Credit.Name == "":
		out = "wants to stay anonymous"
	default:
		out = "credit: " + p.Credit.Name
	}
	var to []string
	for _, r := range p.Reveals {
		to = append(to, string(r.To))
	}
	if len(to) > 0 {
		out += "; may be named to " + strings.Join(to, ", ")
	}
	return out
}

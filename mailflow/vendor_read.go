package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
)

// firstLines is how many lines at the top of a reply may hold commands, maxLine how
// long such a line may be, in octets, and maxCodes how many of its words may look
// like codes: with more of them somebody is guessing (rule S5).
const (
	firstLines = 10
	maxLine    = 16 << 10
	maxCodes   = 8
)

// vendorVerbs are the first words of the commands that vendors and finders may
// send, onlyVendors and onlyFinders of those that only some may (product.md
// section 3). From anybody else they are words of a letter.
var (
	vendorVerbs = []string{"ACK", "ACCEPT", "DECLINE", "STATUS", "PROPOSE", "READY", "WITHDRAW", "HELP", "LEAK", "EXPLOITED", "PUBLISHED", "CONSENT", "REFUSE"}
	onlyVendors = []string{"HISTORY", "SUGGEST", "FREEZE", verbStatement, verbMember, verbRequest}
	onlyFinders = []string{"STATE", "TALK", "DEADLINE", "CREDIT", "ANONYMOUS", "REVEAL"}
)

// noAnswers are the first words of commands that do not say where a vendor
// stands: ACK says that a notice came, the others ask.
var noAnswers = []string{"ACK", "HELP", "HISTORY"}

// verbsOf are the first words of the commands that a participant may send.
func verbsOf(p cvd.PartyID) []string {
	if p.IsFinder() {
		return slices.Concat(vendorVerbs, onlyFinders)
	}
	return slices.Concat(vendorVerbs, onlyVendors)
}

// vendorCommand is one line of a reply, taken apart.
type vendorCommand struct {
	Line    string
	Verb    string
	Case    cvd.CaseID // as it stands in the line, or empty
	Version int        // of the embargo, 0 where the line has none
	Codes   []string   // words that may be the one-time code
	Args    []string   // all other words, and those
	Block   *block     // the lines below a STATEMENT
}

// vendorCommands reads the commands at the top of a reply.
func vendorCommands(text string, verbs []string) []vendorCommand {
	var out []vendorCommand
	text, statement := cutStatement(text, verbs)
	for _, l := range commandLines(text) {
		c, ok := parseVendorLine(l, verbs)
		if !ok {
			continue
		}
		if c.Verb == verbStatement {
			c.Block, statement = statement, nil
		}
		out = append(out, c)
	}
	return out
}

func parseVendorLine(line string, verbs []string) (vendorCommand, bool) {
	w := strings.Fields(line)
	verb := strings.ToUpper(w[0])
	if !slices.Contains(verbs, verb) {
		return vendorCommand{}, false
	}
	c := vendorCommand{Line: line, Verb: verb}
	for i, word := range w[1:] {
		id, err := parseReference(word)
		switch {
		case err == nil && c.Case == "" && (i == 0 || i == 1 && verb == verbMember):
			c.Case = id
		case c.Version == 0 && verb == "ACCEPT" && isVersion(word):
			_, _ = fmt.Sscanf(strings.ToLower(word), "v%d", &c.Version) // isVersion has read it
		default:
			if mayBeCode(word) {
				c.Codes = append(c.Codes, word)
			}
			c.Args = append(c.Args, word)
		}
	}
	if len(c.Codes) > maxCodes {
		c.Codes = nil
	}
	return c, c.meant()
}

// meant says whether a line is a command, and not a sentence that begins with the
// same word, such as "Talk to you soon".
func (c vendorCommand) meant() bool {
	switch c.Verb {
	case "STATE", "HISTORY":
		return len(c.Args) == 0 || len(c.Args) == 1 && len(c.Codes) == 1
	case "TALK", "DEADLINE":
		return slices.ContainsFunc(c.Args, isDay)
	case verbMember:
		return c.meantForMembers()
	case verbRequest:
		return c.meantForStage()
	case "CONSENT", "REFUSE":
		return c.meantForIntroduction()
	case "FREEZE":
		return slices.ContainsFunc(c.Args, func(w string) bool { return isDay(w) || strings.Contains(w, "..") })
	}
	return c.meantForPublication()
}

// mayBeCode leaves out plain words of eight letters, such as affected.
func mayBeCode(word string) bool {
	return cvd.LooksLikeCode(word) && strings.ContainsAny(word, "-0123456789")
}

func isVersion(s string) bool {
	var n int
	_, err := fmt.Sscanf(strings.ToLower(s), "v%d", &n)
	return err == nil && n > 0
}

func isDay(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

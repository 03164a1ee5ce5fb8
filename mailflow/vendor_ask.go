package mailflow

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// suggest puts a further party before the desk that a vendor knows of, upstream
// or downstream. Nobody is told because of it.
func (in *Intake) suggest(tx *store.Tx, c cvd.Case, who *cvd.Participant, args []string) (string, error) {
	if len(args) == 0 {
		return "not done: say SUGGEST, whom, and why", nil
	}
	words := defanged(strings.Join(args, " "))
	subject := fmt.Sprintf("%s suggests somebody in %s: %s", who.Party, c.ID, shortened(words, 40))
	err := in.decisionFor(tx, c, who.Party, "suggests-"+randomHex(4), subject, words,
		"decide. To tell them, find out their address and key, and write to control@"+in.DeskDomain+", signed,\n    vendor add NAME ADDRESS\n    case "+
			string(c.ID)+"\n    invite NAME")
	return "a coordinator decides whom to tell; please tell nobody yourself", err
}

// talk notes that the finder speaks about it on a day. No date moves by it.
func (in *Intake) talk(tx *store.Tx, c cvd.Case, who *cvd.Participant, args []string) (string, error) {
	if len(args) == 0 || !isDay(args[0]) {
		return "not done: say TALK YYYY-MM-DD, and where", nil
	}
	where := "they do not say where"
	if len(args) > 1 {
		where = "they write: " + defanged(strings.Join(args[1:], " "))
	}
	subject := fmt.Sprintf("%s speaks about %s on %s (the embargo ends %s)", who.Party, c.ID, args[0], endWords(c))
	err := in.decisionFor(tx, c, who.Party, "talk", subject, where,
		"decide whether the dates fit. If one is to change, write to control@"+in.DeskDomain+"\n    case "+string(c.ID)+"\n    embargo DATE because \"...\"\nand answer the finder in any case")
	return "you speak about it on " + args[0] + "; the coordinators know, and the date stays as it is until they decide", err
}

func endWords(c cvd.Case) string {
	if e := c.Embargo(); e.Version > 0 {
		return e.End.Format(time.DateOnly)
	}
	return "on no day yet"
}

// stateOf tells a finder how far its case is: counts and dates, and no names.
func stateOf(tx *store.Tx, c cvd.Case) (string, error) {
	ps, err := Participants(tx, c.ID)
	if err != nil {
		return "", err
	}
	vendors, told, agreed, statuses := 0, 0, 0, map[string]int{}
	for _, p := range ps {
		if !p.Has(cvd.RoleVendor) || p.Withdrawn != nil {
			continue
		}
		vendors++
		if p.Reached != "" {
			told++
		}
		if p.Accepted() > 0 {
			agreed++
		}
		if w := p.Status().Word; w != "" {
			statuses[w]++
		}
	}
	if !c.Closed.IsZero() {
		return "the case is closed since " + instant(c.Closed), nil
	}
	if !c.Started() {
		return fmt.Sprintf("vendors known so far: %d; none is told before the start, which has no date yet", vendors), nil
	}
	out := []string{fmt.Sprintf("vendors: %d, told so far: %d, keep it secret on their word: %d", vendors, told, agreed)}
	for _, w := range statusWords {
		if statuses[w] > 0 {
			out = append(out, fmt.Sprintf("%s: %d", w, statuses[w]))
		}
	}
	return strings.Join(out, ", ") + fmt.Sprintf("; it began %s and is to be public %s", instant(c.Start), instant(c.Embargo().End)), nil
}

// maxHistory is how many mails a history lists, the newest ones.
const maxHistory = 200

// exchange is one mail between the desk and a participant.
type exchange struct {
	at   time.Time
	line string
}

// historyFor lists a participant's own exchange: dates, directions and stages, no
// text.
func (in *Intake) historyFor(tx *store.Tx, c cvd.Case, who cvd.Participant) ([]string, error) {
	all, err := in.came(tx, c, who)
	if err != nil {
		return nil, err
	}
	ns, err := Notices(tx, c.ID, who.Party)
	if err != nil {
		return nil, err
	}
	for _, n := range ns {
		if n.State == cvd.Sent && !n.SentAt.IsZero() {
			all = append(all, exchange{n.SentAt, "to you    " + exchanged(c, n)})
		}
	}
	slices.SortStableFunc(all, func(a, b exchange) int { return cmp.Or(a.at.Compare(b.at), strings.Compare(a.line, b.line)) })
	var out []string
	for _, e := range all[max(0, len(all)-maxHistory):] {
		out = append(out, e.at.UTC().Format("2006-01-02 15:04")+"  "+e.line)
	}
	return out, nil
}

func exchanged(c cvd.Case, n cvd.Notice) string {
	number, of := c.Policy.Number(n.Stage)
	switch n.Kind {
	case cvd.KindStage:
		return fmt.Sprintf("%d/%d %s", number, of, n.Stage)
	case cvd.KindReminder:
		return fmt.Sprintf("reminder of %d/%d %s", number, of, n.Stage)
	case cvd.KindLeak:
		return noticeName(n)
	case cvd.KindEmbargo:
		return fmt.Sprintf("embargo v%d", n.Version)
	}
	return string(n.Kind)
}

// came lists what came from a participant into its thread.
func (in *Intake) came(tx *store.Tx, c cvd.Case, who cvd.Participant) ([]exchange, error) {
	box, err := in.caseFolder(tx, c, threadFolder(who.Party))
	if err != nil {
		return nil, err
	}
	uids, err := tx.UIDs(box.Number, nil)
	if err != nil {
		return nil, err
	}
	var out []exchange
	for _, uid := range uids[max(0, len(uids)-maxHistory):] {
		e, err := tx.Entry(box.Number, uid)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		m, err := tx.Message(e.Message)
		if err != nil {
			return nil, err
		}
		if m.Direction == "in" && m.Party == string(who.Party) {
			out = append(out, exchange{m.At, "from you"})
		}
	}
	return out, nil
}

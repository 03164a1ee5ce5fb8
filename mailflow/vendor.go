package mailflow

import (
	"errors"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
	"parley/templates"
)

// obey does what the commands at the top of a reply say, if they count: in an
// encrypted mail to the participant's own address, signed by its pinned key
// with the case inside the signed part, or with an unused one-time code (rule
// S5). It reports whether something was understood, so that the mail is not a
// mere letter.
func (in *Intake) obey(tx *store.Tx, a *arrival, p place, replay bool) (bool, error) {
	verbs, err := verbsAt(tx, p)
	if err != nil {
		return false, err
	}
	commands := vendorCommands(a.text(), verbs)
	if len(commands) == 0 || replay || !in.atOwnAddress(tx, p) || a.automatic() != "" {
		return false, nil
	}
	c, err := caseOrReport(tx, p.Case)
	if err != nil {
		return false, err
	}
	who, err := ParticipantByID(tx, p.Case, p.Party)
	if err != nil || who.Withdrawn != nil {
		return false, err
	}
	named, err := in.namedCases(tx, a, p, commands)
	if err != nil {
		return false, err
	}
	lines, refused, err := in.applyAll(tx, c, &who, commands, vouchedBy(a, p, named))
	if err != nil {
		return false, err
	}
	if err := PutParticipant(tx, who); err != nil { // a wrong code counts, too
		return false, err
	}
	if len(lines) == 0 {
		return false, in.refuse(tx, c, who, a.sender(), refused)
	}
	if err := in.answer(tx, c, who, slices.Concat(lines, refused), commands); err != nil {
		return false, err
	}
	if _, inReport := reportNumber(c.ID); inReport {
		return true, nil
	}
	return true, in.replanParty(tx, c.ID, who.Party)
}

// vouched is what a signature over a reply is good for.
type vouched int

const (
	notSigned     vouched = iota // or by nobody whose word counts here, or long ago
	signedUnnamed                // by the pinned key, and nothing signed says for which case
	signedNamed
)

func vouchedBy(a *arrival, p place, named []cvd.CaseID) vouched {
	switch {
	case !p.Verdict.Valid() || stale(p.Verdict, a.row.At):
		return notSigned
	case slices.Contains(named, p.Case):
		return signedNamed
	case len(named) > 0:
		return notSigned // it was said of another one
	}
	return signedUnnamed
}

// applyAll does what those of the commands say that count, and gives what was
// understood, and what of the others is answered.
func (in *Intake) applyAll(tx *store.Tx, c cvd.Case, who *cvd.Participant, commands []vendorCommand, v vouched) (lines, refused []templates.Understood, err error) {
	live := liveCodes(*who, commands)
	for _, cmd := range commands {
		via, ok := counts(who, &cmd, c.ID, v == signedNamed, live, tx.Now)
		if !ok {
			if line, told := uncounted(cmd, c.ID, v); told {
				refused = append(refused, line)
			}
			continue
		}
		result, err := in.apply(tx, c, who, cmd, via)
		if err != nil {
			return nil, nil, err
		}
		if !slices.Contains(noAnswers, cmd.Verb) {
			who.Wrote = tx.Now
		}
		lines = append(lines, templates.Understood{Line: cmd.Line, Result: result})
		err = record(tx, journal.Record{Case: string(c.ID), Party: string(who.Party), Kind: "command." + strings.ToLower(cmd.Verb), Ref: via, Detail: cmd.Line})
		if err != nil {
			return nil, nil, err
		}
	}
	return lines, refused, nil
}

// namedCases lists the cases that the signed or encrypted words name, and brings
// the commands up to date: one that was merged is the one that took it in. The
// number of a report names the thread of whoever sent it.
func (in *Intake) namedCases(tx *store.Tx, a *arrival, p place, commands []vendorCommand) (named []cvd.CaseID, err error) {
	for i, c := range commands {
		if c.Case == "" {
			continue
		}
		if commands[i].Case, err = caseNow(tx, c.Case); err != nil {
			return nil, err
		}
	}
	for _, id := range a.names() {
		if id, err = caseNow(tx, id); err != nil {
			return nil, err
		}
		named = append(named, id)
	}
	for _, report := range findReports(a.ownWords()) {
		id, party, err := threadNow(tx, report, cvd.Finder)
		if err != nil {
			return nil, err
		}
		if party == p.Party {
			named = append(named, id)
		}
	}
	return named, nil
}

// atOwnAddress says whether the mail came to the participant's own address.
func (in *Intake) atOwnAddress(tx *store.Tx, p place) bool {
	local, _ := in.localPart(p.Via)
	kind, token := splitLocal(local)
	row, err := tokens.Get(tx, tokenKey(tx, token))
	return kind == prefixCase && err == nil && row.Case == p.Case && row.Party == p.Party
}

// liveCodes are the words of a mail that were unused codes of its participant
// when it came. Notices print one code on every line that they offer, so it
// may vouch for several lines of the one mail that uses it up.
func liveCodes(who cvd.Participant, commands []vendorCommand) map[string]bool {
	live := map[string]bool{}
	for _, cmd := range commands {
		for _, w := range cmd.Codes {
			live[w] = who.Knows(w)
		}
	}
	return live
}

// counts says whether a command line is vouched for, and by what. A code is
// used up even where the signature would do, and is no argument; one wrong
// line costs one try, however many of its words look like codes. A line for
// another case is none of ours, and one that counts only signed uses up no code.
func counts(who *cvd.Participant, cmd *vendorCommand, id cvd.CaseID, signed bool, live map[string]bool, now time.Time) (string, bool) {
	if cmd.Case != "" && cmd.Case != id || !signed && slices.Contains(onlySigned, cmd.Verb) {
		return "", false
	}
	code := ""
	for _, w := range cmd.Codes {
		if code == "" || !live[code] {
			code = w
		}
	}
	if who.Knows(code) || (code != "" && !live[code] && !signed) {
		who.Redeem(code, now)
	}
	if live[code] || slices.Contains(cmd.Codes, last(cmd.Args)) {
		cmd.Args = slices.DeleteFunc(cmd.Args, func(w string) bool { return w == code })
	}
	switch {
	case signed:
		return "mail, signed", true
	case live[code]:
		return "mail, code", true
	}
	return "", false
}

func last(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// answer echoes what was understood, with a fresh code. It says that a program wrote
// it: another gateway would take the lines in it for a command, and answer that.
func (in *Intake) answer(tx *store.Tx, c cvd.Case, who cvd.Participant, lines []templates.Understood, all []vendorCommand) error {
	code := newCodeIn(c.ID)
	v := templates.Answer{Us: in.us(), Case: spokenCase(c.ID), Lines: lines, Code: code, Version: c.Embargo().Version,
		Bound: c.Bound(who).Version, End: c.End(who), Finder: who.Has(cvd.RoleFinder),
		Help: slices.ContainsFunc(all, func(c vendorCommand) bool { return c.Verb == "HELP" })}
	if rule, ok := c.Policy.Rule(who.Reached); ok {
		v.TLP = rule.TLP
	}
	party, err := PartyByID(tx, who.Party)
	if err != nil && !errors.Is(err, ErrNoParty) { // the finder may be in no directory
		return err
	}
	v.To, v.Zone, v.Both, v.Observer = spoken(who, party), party.Zone, v.Finder && who.Has(cvd.RoleVendor), onlyWatches(who)
	if slices.ContainsFunc(all, func(c vendorCommand) bool { return c.Verb == "HISTORY" }) {
		if v.History, err = in.historyFor(tx, c, who); err != nil {
			return err
		}
	}
	v.OnRequest = nextOnRequest(c, who)
	if v.Asked, err = openQuestions(tx, who); err != nil {
		return err
	}
	text, err := in.Templates.Answer(v)
	if err != nil {
		return err
	}
	_, err = in.newNotice(tx, cvd.Notice{Case: c.ID, Party: who.Party, Kind: cvd.KindAnswer, Code: code},
		&Letter{Subject: text.Subject, Text: text.Text, Automatic: true})
	return err
}

// instant writes an instant with its weekday, in UTC.
func instant(t time.Time) string { return t.UTC().Format("Mon 2 Jan 2006, 15:04 UTC") }

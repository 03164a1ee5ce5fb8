package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
	"parley/templates"
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

// apply does one command and says in words what was understood. A command
// that cannot be done is answered, and changes nothing.
func (in *Intake) apply(tx *store.Tx, c cvd.Case, who *cvd.Participant, cmd vendorCommand, via string) (templates.Result, error) {
	now := cvd.Acceptance{At: tx.Now, Via: via, Version: c.Embargo().Version}
	rest := strings.Join(cmd.Args, " ")
	switch cmd.Verb {
	case "ACK":
		return acknowledge(who, now), nil
	case "ACCEPT":
		return accept(c, who, cmd.Version, now), nil
	case "DECLINE":
		return in.decline(tx, c, who, rest, via)
	case "STATUS":
		return status(who, cmd.Args, now), nil
	case "PROPOSE":
		return in.propose(tx, c, who, cmd.Args, now)
	case "READY":
		return ready(who, cmd.Args, now), nil
	case "LEAK", "EXPLOITED", "PUBLISHED":
		return in.alarm(tx, c, who, cmd, via)
	case "WITHDRAW":
		return in.takeBack(tx, c, who, cmd.Args, now)
	case verbMember:
		return in.member(tx, c, who, cmd.Args, via)
	case verbRequest:
		return request(c, who, cmd.Args), nil
	case "SUGGEST":
		return in.suggest(tx, c, who, cmd.Args)
	case "TALK":
		return in.talk(tx, c, who, cmd.Args, now)
	case "DEADLINE":
		return in.deadline(tx, c, who, cmd.Args, now)
	case "FREEZE":
		return in.freeze(tx, c, who, cmd.Args, now)
	case "STATE":
		return in.stateFor(tx, c, *who)
	case verbStatement:
		return state(who, cmd.Block, now), nil
	case "CREDIT", "ANONYMOUS":
		return credit(who, cmd.Args, now), nil
	case "REVEAL":
		return in.revealTo(tx, c, who, cmd.Args, now)
	case "CONSENT", "REFUSE":
		return in.consent(tx, c, who, cmd, now)
	}
	return templates.Result{Word: templates.ResultBelow}, nil
}

func acknowledge(who *cvd.Participant, a cvd.Acceptance) templates.Result {
	if who.Acknowledged == nil {
		who.Acknowledged = &a
	}
	return templates.Result{Word: templates.ResultAcknowledged}
}

// accept binds a participant to the version that it names, and to no other
// (product.md section 6). It always counts, even after a refusal.
func accept(c cvd.Case, who *cvd.Participant, version int, a cvd.Acceptance) templates.Result {
	i := slices.IndexFunc(c.Embargoes, func(e cvd.Embargo) bool { return e.Version == version })
	if i < 0 {
		return templates.Result{Word: templates.ResultNoVersion, Case: c.ID, Version: a.Version}
	}
	a.Version = version
	who.Acceptances = append(who.Acceptances, a)
	who.Declined, who.Late = nil, nil
	return templates.Result{Word: templates.ResultAccepted, At: c.Embargoes[i].End, Version: version}
}

func (in *Intake) decline(tx *store.Tx, c cvd.Case, who *cvd.Participant, reason, via string) (templates.Result, error) {
	who.Declined = &cvd.Hold{Because: reason, By: via, At: tx.Now}
	err := in.decisionFor(tx, c, who.Party, "declined", fmt.Sprintf("%s declined in %s", who.Party, c.ID), reason,
		"it is late from now on: "+lateLine(c, *who)+". A later ACCEPT counts, and you can call them")
	return templates.Result{Word: templates.ResultDeclined}, err
}

var statusWords = []string{"affected", "not-affected", "fixed", "investigating"}

func status(who *cvd.Participant, args []string, a cvd.Acceptance) templates.Result {
	if len(args) == 0 || !slices.Contains(statusWords, strings.ToLower(args[0])) {
		return templates.Result{Word: templates.ResultNoStatus}
	}
	s := cvd.Status{Word: strings.ToLower(args[0]), Text: strings.Join(args[1:], " "), At: a.At, Via: a.Via}
	who.Statuses = append(who.Statuses, s)
	return templates.Result{Word: templates.ResultStatus, Text: strings.TrimSpace(s.Word + " " + s.Text)}
}

// ready reads BY DATE. It moves no date: `dates` shows the desk who is ready
// when.
func ready(who *cvd.Participant, args []string, a cvd.Acceptance) templates.Result {
	if len(args) != 2 || !strings.EqualFold(args[0], "BY") || !isDay(args[1]) {
		return templates.Result{Word: templates.ResultNotReady}
	}
	day, err := time.Parse(time.DateOnly, args[1])
	if err != nil {
		return templates.Result{Word: templates.ResultNoDay, Day: args[1]}
	}
	who.Ready = &cvd.Ready{By: day, At: a.At, Via: a.Via}
	return templates.Result{Word: templates.ResultReady, Day: args[1]}
}

func (in *Intake) propose(tx *store.Tx, c cvd.Case, who *cvd.Participant, args []string, a cvd.Acceptance) (templates.Result, error) {
	if len(args) == 0 || !isDay(args[0]) {
		return templates.Result{Word: templates.ResultNotProposed}, nil
	}
	day, err := time.Parse(time.DateOnly, args[0])
	if err != nil {
		return templates.Result{}, err
	}
	reason := strings.Join(args[1:], " ")
	who.Proposals = append(who.Proposals, cvd.Proposal{Date: day, Reason: reason, At: a.At})
	err = in.decisionFor(tx, c, who.Party, "proposes", fmt.Sprintf("%s proposes %s in %s (now %s)", who.Party, args[0], c.ID,
		c.Embargo().End.Format(time.DateOnly)), reason,
		"decide. If the date is to change, write to control@"+in.DeskDomain+"\n    case "+string(c.ID)+"\n    embargo DATE because \"...\"\nand answer the vendor in any case")
	return templates.Result{Word: templates.ResultProposed, Day: args[0]}, err
}

// decisionFor puts an answer that needs a decision before the desk.
func (in *Intake) decisionFor(tx *store.Tx, c cvd.Case, p cvd.PartyID, what, subject, why, next string) error {
	if why == "" {
		why = "they gave no reason"
	}
	r, err := in.Templates.Refusal(refusal(subject, subject+". It is filed in the thread, and it counts.", why, next))
	if err != nil {
		return err
	}
	return in.task(tx, threadTask(what, c.ID, p), Post{Case: c.ID, Subject: subject, Text: r.Text, Kind: what,
		From: string(p), Alias: string(p) + "." + c.ID.Lower()})
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

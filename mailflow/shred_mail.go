package mailflow

import (
	"fmt"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
	"parley/templates"
)

// shredCount is what is destroyed with a case.
type shredCount struct {
	mails, files int
	since        time.Time
}

func (n shredCount) String() string {
	return fmt.Sprintf("%s with %s, since %s", count(n.mails, "mail"), count(n.files, "file"), n.since.UTC().Format("Mon 2 Jan 2006"))
}

// countShred counts the mails of a case that came or went, and their files.
func countShred(tx *store.Tx, c cvd.Case) (shredCount, error) {
	all, err := countShreds(tx, []cvd.Case{c})
	if err != nil {
		return shredCount{}, err
	}
	return all[0], nil
}

// countShreds is countShred of several cases, one for one, in one walk.
func countShreds(tx *store.Tx, cs []cvd.Case) ([]shredCount, error) {
	all := make([]shredCount, len(cs))
	if len(cs) == 0 {
		return all, nil // which costs nothing
	}
	of, err := countedUnder(tx, cs, all)
	if err != nil {
		return all, err
	}
	for m, err := range tx.MessagesFrom(0) {
		if unreadableMessage(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		n := of[m.Scope]
		if n == nil || m.Direction != "in" && m.Direction != "out" {
			continue
		}
		n.mails++
		n.files += filesIn(m.Structure)
		if m.At.Before(n.since) {
			n.since = m.At
		}
	}
	return all, nil
}

// countedUnder says under which count the mails of a scope stand: those of the cases,
// of what became part of them, and of the reports of all.
func countedUnder(tx *store.Tx, cs []cvd.Case, counts []shredCount) (map[store.Scope]*shredCount, error) {
	of, at := map[store.Scope]*shredCount{}, map[cvd.CaseID]*shredCount{}
	for i, c := range cs {
		counts[i].since, at[c.ID] = c.Opened, &counts[i]
	}
	known, err := Cases(tx)
	if err != nil {
		return nil, err
	}
	for _, c := range known {
		now, err := caseNow(tx, c.ID)
		if err != nil {
			return nil, err
		}
		if n := at[now]; n != nil {
			of[caseScope(c.ID)], at[c.ID] = n, n
		}
	}
	rs, err := collect(reports.All(tx, nil), nil)
	for _, r := range rs {
		if n := at[r.Case]; n != nil {
			of[caseScope(reportCase(r.Number))] = n
		}
	}
	return of, err
}

func filesIn(s *message.Structure) int {
	if s == nil {
		return 0
	}
	n := 0
	if strings.EqualFold(s.Disposition, "attachment") {
		n = 1
	}
	for _, c := range s.Children {
		n += filesIn(c)
	}
	return n
}

// whatShredDoes is told before each yes.
func (b *Base) whatShredDoes(tx *store.Tx, c cvd.Case, n shredCount) (string, error) {
	copies, err := b.copiesLeft(tx)
	return paragraphs(
		fmt.Sprintf("What goes: %s; every text, name, date and key of a finder that is known here of %s, in everybody's folders; and the key that it is sealed under.", n, c.ID),
		"What stays: its tag and the day, in the journal and for whoever asks; the links of the journal, whose records of it nobody can read any more; counts and sizes; what others were sent; and words of it that somebody wrote into a letter or note of another case.",
		copies) +
		"\nTo keep a copy that only you can open, on the server, first:\n\n" +
		fmt.Sprintf("    parley do 'case %s' \\\n      'export case /root/%s.zip.pgp to YOU' \\\n      --config FILE\n", c.ID, c.ID.Lower()), err
}

// mostCopies is how many backups are named.
const mostCopies = 20

// copiesLeft says what still gives a case back once its key is destroyed: copies
// that were set aside, and which backups were made (rule H3).
func (b *Base) copiesLeft(tx *store.Tx) (string, error) {
	text, err := backupsLeft(tx)
	if err != nil {
		return "", err
	}
	aside, err := b.Store.Aside()
	if len(aside) > 0 {
		text += fmt.Sprintf(" In the state directory lies what was set aside before the store was brought up to date, and gives the case back: remove %s there.", strings.Join(aside, ", "))
	}
	return text, err
}

func backupsLeft(tx *store.Tx) (string, error) {
	text := "Copies of the store that were made before still open with the credential of then"
	all, err := Backups(tx)
	if err != nil {
		return "", err
	}
	if len(all) > 0 {
		text += ", and backups with the key that they are sealed to"
	}
	text += ": nothing here reaches them. If they are to go, too, destroy them yourself."
	if len(all) == 0 {
		return text, nil
	}
	text += fmt.Sprintf(" There are %s:", count(len(all), "backup"))
	if len(all) == 1 {
		text = strings.Replace(text, "There are", "There is", 1)
	}
	if older := len(all) - mostCopies; older > 0 {
		text, all = text+fmt.Sprintf(" %d older ones;", older), all[older:]
	}
	var names []string
	for _, m := range all {
		names = append(names, fmt.Sprintf("%s of %s (SHA-256 %.16s...)", m.File, m.At.UTC().Format("2 Jan 2006 15:04 MST"), m.SHA256))
	}
	return text + " " + strings.Join(names, "; ") + ".", nil
}

func paragraphs(all ...string) string {
	var out []string
	for _, p := range all {
		out = append(out, templates.Fill("", p)+"\n")
	}
	return strings.Join(out, "\n")
}

// postShred asks for the yes that is missing, in Approvals.
func (s *sitting) postShred(c cvd.Case, a cvd.ApprovalRequest) error {
	n, err := countShred(s.tx, c)
	if err != nil {
		return err
	}
	said := "nobody has said yes yet"
	if len(a.Yes) > 0 {
		said = saidBy(a) + " said yes"
	}
	what, err := s.whatShredDoes(s.tx, c, n)
	if err != nil {
		return err
	}
	text := paragraphs(fmt.Sprintf("%s asks to destroy %s, %s, for good. It takes the yes of two coordinators, each in a mail signed with the own OpenPGP key; %s. Then 7 days pass, in which one person can stop it.",
		a.Author, c.ID, orNone(c.Title), said)) + "\n" + what +
		fmt.Sprintf("\nTo approve: write, signed, to control@%s\n    approve %s\nTo refuse: drop this mail into Do/Reject, or write\n    reject %s because \"...\"\n", s.DeskDomain, a.ID, a.ID)
	return s.task(s.tx, "approval:"+a.ID, Post{Folder: "Approvals", Case: c.ID, From: a.Author, Kind: "approval", Ref: a.ID,
		Subject: fmt.Sprintf("Approve? %s is destroyed for good, %s", c.ID, n), Text: text})
}

// postScheduledShred shows the day in Scheduled.
func (b *Base) postScheduledShred(tx *store.Tx, c cvd.Case, r shredRow) error {
	n, err := countShred(tx, c)
	if err != nil {
		return err
	}
	a, err := approvalByID(tx, r.Approval)
	if err != nil {
		return err
	}
	what, err := b.whatShredDoes(tx, c, n)
	if err != nil {
		return err
	}
	text := paragraphs(fmt.Sprintf("%s, %s, is destroyed for good on %s: %s said yes.", c.ID, orNone(c.Title), instant(r.Due), saidBy(a))) +
		"\n" + b.stopShredWords(c, r.Approval) + "\n" + what
	return b.task(tx, shredTask(c.ID), Post{Folder: "Scheduled", Case: c.ID, Kind: "scheduled",
		Subject: fmt.Sprintf("%s: %s is destroyed for good", instant(r.Due), c.ID), Text: text})
}

// saidBy names those who said yes.
func saidBy(a cvd.ApprovalRequest) string {
	var names []string
	for _, y := range a.Yes {
		names = append(names, y.By)
	}
	return strings.Join(names, ", ")
}

// stopShredWords say how one person stops it.
func (b *Base) stopShredWords(c cvd.Case, id string) string {
	return fmt.Sprintf("To stop it: drop this mail into Do/Hold, or write one of these to\ncontrol@%s\n    reject %s because \"...\"\n    case %s\n    legal-hold on because \"...\"\n", b.DeskDomain, id, c.ID)
}

// warnShred tells the day before, in INBOX. Where nobody was there to tell of it
// in time, the day is another one.
func (b *Base) warnShred(tx *store.Tx, r *shredRow) error {
	c, err := CaseByID(tx, r.Case)
	if err != nil {
		return err
	}
	r.Warned = tx.Now
	if late := tx.Now.Add(shredWarning); r.Due.Before(late) {
		r.Due = late
		if err := b.postScheduledShred(tx, c, *r); err != nil {
			return err
		}
	}
	b.touch(tx, c.ID)
	text := paragraphs(fmt.Sprintf("%s, %s, is destroyed for good on %s. After that nobody can bring it back from here.", c.ID, orNone(c.Title), instant(r.Due))) +
		"\n" + b.stopShredWords(c, r.Approval)
	return b.task(tx, shredTask(c.ID)+":soon", Post{Case: c.ID, Kind: "shred", Subject: fmt.Sprintf("%s is destroyed for good on %s", c.ID, instant(r.Due)), Text: text})
}

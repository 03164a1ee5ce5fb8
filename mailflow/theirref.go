package mailflow

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
	"parley/templates"
)

// maxTheirRef is how long a party's own reference may be, in characters: it stands
// in a Subject beside all that we say there.
const maxTheirRef = 40

// printable is ASCII from blank to tilde.
var printable = regexp.MustCompile(`^[!-~]([ -~]*[!-~])?$`)

// checkTheirRef says, for the desk, why words cannot be the reference under which
// a party's own system files a case; nil where they can. They are the party's own,
// and so may hold its name; they may look like nothing of ours, and name nobody
// else (rules V2, V4).
func checkTheirRef(tx *store.Tx, ref string, banned []string) error {
	if len(ref) > maxTheirRef || !printable.MatchString(ref) || strings.Contains(ref, "=?") || !strings.ContainsAny(ref, "0123456789") {
		return notDone("a reference is at most %d printable ASCII characters with a digit among them, such as [ACME-1234]", maxTheirRef)
	}
	// Our prefix first: for it the answer is the same whether or not there is such a
	// case, which others may not see (rule A2). A tag with a prefix from before the
	// configuration changed is looked for.
	for _, word := range banned {
		if hasWords(ref, word) {
			return notDone("%q says %q: a party's reference names nobody else, no stage, and nothing of ours", ref, word)
		}
	}
	for _, id := range cvd.FindCaseIDs(ref) {
		if _, err := CaseByID(tx, id); !errors.Is(err, ErrNoCase) {
			return notDone("%q holds a case tag of ours", ref)
		}
	}
	return nil
}

// refInForce is the reference of a participant, or "" where it has none or where that
// does not fit any more: since it was filed, it may have come to name somebody or a
// case that was not there then.
func (b *Base) refInForce(tx *store.Tx, who cvd.Participant) (string, error) {
	if who.TheirRef == "" {
		return "", nil
	}
	banned, err := b.notInRefs(tx, who.Party)
	if err != nil || checkTheirRef(tx, who.TheirRef, banned) != nil {
		return "", err
	}
	return who.TheirRef, nil
}

// refLine is what the desk reads of a reference.
func (b *Base) refLine(tx *store.Tx, who cvd.Participant) (string, error) {
	ref, err := b.refInForce(tx, who)
	line := fmt.Sprintf("their-ref %q", who.TheirRef)
	if ref == "" {
		line += " (not used: by now it names somebody else, or something of ours)"
	}
	return line, err
}

// notInRefs are the words that may not stand in the reference of a party.
func (b *Base) notInRefs(tx *store.Tx, of cvd.PartyID) ([]string, error) {
	banned := []string{b.CasePrefix, "TLP", string(cvd.Mitigation), string(cvd.Holding)}
	for _, stage := range cvd.Stages() {
		banned = append(banned, string(stage))
	}
	all, err := Parties(tx)
	others := slices.DeleteFunc(all, func(p cvd.Party) bool { return p.ID == of })
	return append(banned, partyWords(others)...), err
}

// recordTheirRef is `record PARTY their-ref "REF"|none`: our Subjects to that
// party, in this case, end with it from now on, so that its ticket system puts
// them where they belong.
func (s *sitting) recordTheirRef(_ cvd.Case, who cvd.Participant, p *phrase) (string, error) {
	ref, err := p.only("the reference, or none,")
	if err != nil {
		return "", err
	}
	banned, err := s.notInRefs(s.tx, who.Party)
	if err != nil {
		return "", err
	}
	if ref = strings.TrimSpace(ref); strings.EqualFold(ref, "none") {
		ref = ""
	} else if err := checkTheirRef(s.tx, ref, banned); err != nil {
		return "", err
	}
	if ref == who.TheirRef {
		return "", already("that is the reference of %s in %s already", who.Party, who.Case)
	}
	party, err := PartyByID(s.tx, who.Party)
	if err != nil {
		return "", err
	}
	if ref != "" && party.Manner.RefOutside {
		if err := s.mustBeProved("record "+string(who.Party)+" their-ref", "puts words where everybody on the way reads them"); err != nil {
			return "", err
		}
	}
	s.undo = &undoRow{Verb: "their-ref", Who0: whoOf(who)}
	who.TheirRef = ref
	if err := s.taskDone(s.tx, refTask(who)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: %s", who.Party, refWords(who.TheirRef, party.Manner)), s.refRecorded(who)
}

func (s *sitting) refRecorded(who cvd.Participant) error {
	if err := PutParticipant(s.tx, who); err != nil {
		return err
	}
	if s.undo != nil {
		s.undo.Case, s.undo.Party = who.Case, who.Party
	}
	err := record(s.tx, journal.Record{Case: string(who.Case), Party: string(who.Party), Actor: s.by.Name, Kind: "record.their-ref"})
	if err != nil {
		return err
	}
	return s.replan(s.tx, who.Case)
}

func refWords(ref string, m cvd.Manner) string {
	switch {
	case ref == "":
		return "its mails carry no reference of its own any more"
	case m.RefOutside:
		return fmt.Sprintf("its mails end their Subject with %q, the outer one, too", ref)
	}
	return fmt.Sprintf("its mails end their inner Subject with %q; `vendor edit PARTY their-ref outer` for a system that reads the outer one only", ref)
}

func unTheirRef(s *sitting, u undoRow) (string, error) {
	_, who, err := s.recordedThere(u)
	if err != nil {
		return "", err
	}
	who.TheirRef = u.Who0.TheirRef
	return fmt.Sprintf("%s: taken back, its reference is %q again", who.Party, who.TheirRef), s.refRecorded(who)
}

// withRef ends the Subjects of a mail with the party's own reference: inside the
// encryption always, outside only where the party's system reads nothing else.
func (p *parcel) withRef(r templates.Rendered, err error) (templates.Rendered, error) {
	if ref := p.Ref; err == nil && ref != "" && !strings.Contains(r.Subject, ref) && (!p.inClear() || p.Party.Manner.RefOutside) {
		r.Subject += " " + ref
	}
	return r, err
}

// outside is the outer Subject of a sealed mail with the party's reference, where
// it wants that there.
func (p *parcel) outside(subject string) string {
	if ref := p.Ref; ref != "" && p.Party.Manner.RefOutside {
		return subject + " " + ref
	}
	return subject
}

// mannerOf is all that changes how a party's mails are made up; what it was
// before there were references where it has none.
func (p *parcel) mannerOf() []any {
	if p.Ref == "" {
		return []any{p.Party.Manner}
	}
	return []any{p.Party.Manner, p.Ref}
}

// ticketRefs are the forms in which ticket systems put their number into a
// Subject, the surest first: "[ACME-1234]", "Ref: 55-123", "Ticket #4711", and a
// key with a number.
var ticketRefs = []*regexp.Regexp{
	regexp.MustCompile(`\[[^\[\]]{2,38}\]`),
	regexp.MustCompile(`(?i)\b(?:our ref|ref|reference|ticket|case|request|incident)(?:[ .]?(?:no|id|nr))?[.:# ]{1,3}[A-Z0-9][A-Z0-9-]*[0-9]`),
	regexp.MustCompile(`\b[A-Z][A-Z0-9]{1,9}-[0-9]{2,}\b`),
	regexp.MustCompile(`#[0-9]{3,}\b`),
}

// findTheirRef finds what looks like a party's own reference in a Subject, or "".
func findTheirRef(tx *store.Tx, subject string, banned []string) string {
	for _, form := range ticketRefs {
		for _, ref := range form.FindAllString(subject, maxFoundRefs) {
			if !strings.HasPrefix(strings.Trim(ref, "[]"), "CVE-") && checkTheirRef(tx, ref, banned) == nil {
				return ref
			}
		}
	}
	return ""
}

// maxFoundRefs is how many of each form are looked at in one Subject: who writes it
// may be anybody.
const maxFoundRefs = 4

func refTask(who cvd.Participant) string { return threadTask("their-ref", who.Case, who.Party) }

// proposeRef puts a reference in the Subject of a vendor's mail before the desk.
// Nothing uses it before a coordinator files it: whoever knows the address could
// have written the mail.
func (in *Intake) proposeRef(tx *store.Tx, a *arrival, p place) error {
	if _, inReport := reportNumber(p.Case); a.root == nil || inReport || p.Party == "" || p.Party.IsFinder() {
		return nil
	}
	who, err := ParticipantByID(tx, p.Case, p.Party)
	if errors.Is(err, ErrNoParticipant) {
		return nil
	}
	if err != nil || who.Withdrawn != nil || !who.Has(cvd.RoleVendor) {
		return err
	}
	own, err := addressesOf(tx, who)
	if err != nil || !slices.ContainsFunc(own, func(o string) bool { return keyring.SameAddress(o, a.sender()) }) {
		return err
	}
	banned, err := in.notInRefs(tx, who.Party)
	if err != nil {
		return err
	}
	ref := findTheirRef(tx, a.root.Header.Text("Subject"), banned)
	if ref == "" {
		ref = findTheirRef(tx, a.subject(), banned)
	}
	if ref == "" || strings.EqualFold(ref, who.TheirRef) || strings.EqualFold(ref, who.RefOffered) {
		return nil
	}
	who.RefOffered = ref
	if err := PutParticipant(tx, who); err != nil {
		return err
	}
	subject := fmt.Sprintf("%s files %s under %s", who.Party, who.Case, ref)
	r, err := in.Templates.Refusal(refusal(subject, "A mail that says it is from "+a.sender()+" has it in its Subject. Nothing uses it yet, and nothing else changed by that mail.",
		"their ticket system may open a new ticket for each of our mails that lacks it; whoever knows that address could have written the mail",
		fmt.Sprintf("if it is their number, write to control@%s\n    case %s\n    record %s their-ref \"%s\"\nif not, done ends this", in.DeskDomain, who.Case, who.Party, strings.ReplaceAll(ref, `"`, `\"`))))
	if err != nil {
		return err
	}
	return in.task(tx, refTask(who), Post{Case: who.Case, Subject: subject, Text: r.Text, Kind: "their-ref", From: string(who.Party), Alias: string(who.Party) + "." + who.Case.Lower()})
}

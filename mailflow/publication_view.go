package mailflow

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"parley/mailflow/advisory"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// saidRow counts how often what the participants of a case want published has
// changed, so that the whole is read and written again only then.
type saidRow struct{ Times uint64 }

var saidRows = store.Versioned[saidRow]("said")

func saidKey(tx *store.Tx, c cvd.CaseID) []byte { return tx.Name("said", string(c)) }

// publishable is what of a participant stands in what is published.
type publishable struct {
	Vendor, Withdrawn bool
	Affects           string
	Statuses          []cvd.Status
	Statement         string
	Credit            string
}

func publishableOf(p cvd.Participant) publishable {
	out := publishable{Vendor: p.Has(cvd.RoleVendor), Withdrawn: p.Withdrawn != nil}
	if spoke(p) { // of the others nothing is published but how many they are
		out.Affects, out.Statuses, out.Statement = p.Affects, p.Statuses, p.Statement().Text
	}
	if p.Credit != nil {
		out.Credit = p.Credit.Name
	}
	return out
}

// noteSaid counts a change of what a participant wants published, before it is
// written.
func noteSaid(tx *store.Tx, p cvd.Participant) error {
	before, err := ParticipantByID(tx, p.Case, p.Party)
	if err != nil && !errors.Is(err, ErrNoParticipant) {
		return err
	}
	if reflect.DeepEqual(publishableOf(before), publishableOf(p)) {
		return nil
	}
	row, err := saidTimes(tx, p.Case)
	if err != nil {
		return err
	}
	row.Times++
	return saidRows.Put(tx, caseScope(p.Case), saidKey(tx, p.Case), row)
}

func saidTimes(tx *store.Tx, c cvd.CaseID) (saidRow, error) {
	row, err := saidRows.Get(tx, saidKey(tx, c))
	if errors.Is(err, store.ErrNotFound) {
		return saidRow{}, nil
	}
	return row, err
}

// spoke says whether a vendor said something for publication, and so agreed that
// the others learn of it. Who only told the desk its status is counted, and not
// named.
func spoke(p cvd.Participant) bool { return p.Statement().Text != "" }

// productOf is a vendor's row, under the name that the directory has for it.
func productOf(p cvd.Participant) advisory.Product {
	out := advisory.Product{Vendor: string(p.Party), Name: p.Affects, Status: advisory.Unknown, Statement: p.Statement().Text}
	for _, s := range p.Statuses {
		out.Says(advisory.Status(s.Word), s.Text)
	}
	return out
}

// advisoryFrame is what everybody's advisory has in common: all but the vendors.
func (b *Base) advisoryFrame(tx *store.Tx, c cvd.Case, stage cvd.Stage, l *looks) (advisory.Advisory, error) {
	rule, _ := c.Policy.Rule(stage)
	a := advisory.Advisory{Tag: string(c.ID), CVEs: c.CVEs, Severity: c.Severity, TLP: string(rule.TLP), Final: stage == cvd.Public,
		Publisher: advisory.Publisher{Name: b.us().Name, Namespace: "https://" + b.Domain, Contact: b.ReportAddress(), CVEOrg: b.CVEOrg}}
	words, err := l.forStage(tx, c.ID, stage, "")
	if err != nil {
		return a, err
	}
	a.Title, a.Description = headline(words.Text)
	mitigation, err := l.latest(tx, c.ID, cvd.Mitigation, "")
	if err != nil {
		return a, err
	}
	a.Mitigation = mitigation.Text
	if a.Credits, err = creditsOf(tx, c.ID); err != nil {
		return a, err
	}
	a.Revisions, err = revisionsOf(tx, c, words.Material, a.Final)
	return a, err
}

// maxHeadline is the longest first line that is taken for a title, in characters.
const maxHeadline = 100

// headline takes the title of an advisory off its text: a short first line with
// nothing below it, or an empty line. The title of the case is not used: it may be
// the finder's own words.
func headline(text string) (title, rest string) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	first, rest, more := strings.Cut(text, "\n")
	if len([]rune(first)) > maxHeadline || more && !strings.HasPrefix(rest, "\n") {
		return "", text
	}
	return strings.TrimSpace(first), strings.TrimSpace(rest)
}

// creditsOf are the names that the finders of a case want to be published under.
func creditsOf(tx *store.Tx, c cvd.CaseID) ([]string, error) {
	var out []string
	for n := 1; ; n++ {
		who, err := ParticipantByID(tx, c, cvd.FinderID(n))
		if errors.Is(err, ErrNoParticipant) {
			return directoryCredits(tx, c, out)
		}
		if err != nil {
			return nil, err
		}
		if who.Credit != nil && who.Credit.Name != "" && who.Withdrawn == nil {
			out = append(out, who.Credit.Name)
		}
	}
}

// directoryCredits adds those of who is in the directory and found it as well.
func directoryCredits(tx *store.Tx, c cvd.CaseID, out []string) ([]string, error) {
	ps, err := Participants(tx, c)
	for _, who := range ps {
		if !who.Party.IsFinder() && who.Has(cvd.RoleFinder) && who.Credit != nil && who.Credit.Name != "" && who.Withdrawn == nil {
			out = append(out, who.Credit.Name)
		}
	}
	return out, err
}

// revisionsOf are the versions of a text, of what is public from the end of the
// embargo on.
func revisionsOf(tx *store.Tx, c cvd.Case, words cvd.Material, final bool) ([]advisory.Revision, error) {
	begin := firstSet(c.Opened, c.Start, c.Embargo().End)
	if final && c.Started() {
		begin = c.Embargo().End
	}
	out := []advisory.Revision{{At: begin, Summary: "First version"}}
	for v := 1; v <= words.Version; v++ {
		m, err := materials.Get(tx, materialKey(tx, words.Case, words.Stage, words.Party, v))
		if err != nil {
			return nil, fmt.Errorf("read version %d of %s: %w", v, words.Stage, err)
		}
		switch {
		case !final && v == 1:
			out[0].At = firstSet(m.At, begin)
		case m.At.After(out[len(out)-1].At):
			out = append(out, advisory.Revision{At: m.At, Summary: "The text changed"})
		}
	}
	return out, nil
}

// firstSet is the first instant that is set.
func firstSet(all ...time.Time) time.Time {
	for _, t := range all {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// allVendors adds every vendor that spoke, and counts the others.
func allVendors(tx *store.Tx, a *advisory.Advisory, c cvd.CaseID) error {
	ps, err := Participants(tx, c)
	for _, p := range ps {
		switch {
		case !p.Has(cvd.RoleVendor) || p.Withdrawn != nil:
		case spoke(p):
			a.Products = append(a.Products, productOf(p))
		default:
			a.Silent++
		}
	}
	return err
}

package mailflow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// vendorLook is a vendor of a case with all that goes to it.
type vendorLook struct {
	cvd.Participant
	notices []cvd.Notice
	silence silenceRow // the zero one where it has answered
}

// caseLook is a case as a person looks at it: what its case file, digests and
// `status` tell comes from here.
type caseLook struct {
	cvd.Case
	vendors []vendorLook // by wave and name
	others  []vendorLook // who is no vendor
	finder  string       // where the finder stands, and each other one, or ""
	intros  []string     // how each introduction stands
	ending  string       // when it is destroyed for good, or ""
	needs   []string
	days    []finderDay
	frozen  []string // whose freezes the end falls into
	ahead   aheadRow
	now     time.Time
}

// look reads a case.
func (b *Base) look(tx *store.Tx, c cvd.Case) (caseLook, error) {
	l := caseLook{Case: c, now: tx.Now}
	ps, err := Participants(tx, c.ID)
	if err != nil {
		return l, err
	}
	var finders []string
	l.days = finderDays(ps)
	for _, p := range ps {
		all, err := Notices(tx, c.ID, p.Party)
		if err != nil {
			return l, err
		}
		if p.Has(cvd.RoleVendor) {
			silence, err := silenceOf(tx, c.ID, p.Party)
			if err != nil {
				return l, err
			}
			l.vendors = append(l.vendors, vendorLook{p, all, silence})
		} else {
			l.others = append(l.others, vendorLook{Participant: p, notices: all})
		}
		if p.Has(cvd.RoleFinder) {
			line, err := finderLine(tx, p)
			if err != nil {
				return l, err
			}
			finders = append(finders, line)
			if len(finders) > 1 || !p.Party.IsFinder() {
				finders[len(finders)-1] = string(p.Party) + ": " + line
			}
		}
	}
	l.finder = strings.Join(finders, ". ")
	slices.SortStableFunc(l.vendors, func(x, y vendorLook) int { return cmp.Compare(x.Wave, y.Wave) })
	if l.intros, err = introLines(tx, c.ID); err != nil {
		return l, err
	}
	if l.ahead, err = readAhead(tx, c.ID); err != nil {
		return l, err
	}
	open, err := openTasks(tx, c.ID)
	if err != nil {
		return l, err
	}
	kit, err := b.kitNeeds(tx, c)
	if err != nil {
		return l, err
	}
	var doomed []string
	if l.ending, err = shredLine(tx, c.ID); l.ending != "" {
		doomed = []string{"it is DESTROYED for good " + l.ending}
	}
	l.needs = alarmsFirst(slices.Concat(doomed, leakLines(l.Case), exploitedLines(l.Case), kit, needsOf(l.everybody(), open), taskNeeds(open)))
	if err == nil && len(c.Embargoes) > 0 {
		l.frozen, err = b.frozenNames(tx, ps, c.Embargo().End)
	}
	return l, err
}

// everybody is who takes part, vendors first.
func (l caseLook) everybody() []vendorLook { return slices.Concat(l.vendors, l.others) }

// finderLine says where a finder stands, and nothing of who it is.
func finderLine(tx *store.Tx, p cvd.Participant) (string, error) {
	known, err := ownerKeys(tx, OwnerOf(p))
	if err != nil {
		return "", err
	}
	key := "no key"
	for _, k := range known {
		if k.Trust != keyring.Rejected && (key == "no key" || k.Trust == keyring.Confirmed) {
			key = "key " + k.Trust.String()
		}
	}
	parts := []string{key}
	switch {
	case p.Accepted() > 0:
		parts = append(parts, fmt.Sprintf("accepted v%d", p.Accepted()))
	case p.Declined != nil:
		parts = append(parts, "declined")
	}
	heard := "not heard of since the report"
	if !p.LastHeard.IsZero() {
		heard = "last heard " + p.LastHeard.UTC().Format("Mon 2 Jan 2006")
	}
	parts = append(append(parts, heard, creditWords(p)), ownDayWords(p)...)
	if p.Language != "" {
		parts = append(parts, "our mails in "+p.Language)
	}
	return strings.Join(parts, "; "), nil
}

// day is how many days of the embargo have begun, by dates in UTC: 1 on the
// first, below 1 before it; and days how many there are.
func (l caseLook) day() (day, days int) {
	if !l.Started() {
		return 0, 0
	}
	return daysBetween(l.Start, l.moment()) + 1, max(daysBetween(l.Start, l.Embargo().End), 1)
}

// moment is now, for a case that goes on; one that was closed stands still.
func (l caseLook) moment() time.Time {
	if !l.Closed.IsZero() {
		return l.Closed
	}
	return l.now
}

// date is the beginning of the day of an instant, in UTC.
func date(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

func daysBetween(from, to time.Time) int { return int(date(to).Sub(date(from)) / cvd.Day) }

// view is what the template of the case file sees. What it tells of today
// changes once a day, so that a case file is not replaced without a reason.
func (l caseLook) view() templates.CaseFile {
	v := templates.CaseFile{Case: l.ID, Title: l.Title, Responsible: l.Responsible, Severity: l.Severity, Policy: l.Policy.Name,
		Restricted: l.Restricted, Closed: l.Closed, Destroyed: l.ending, Kept: keptWords(l.Case, l.now), Finder: l.finder, NeedsYou: l.needs, Now: l.today(),
		Start: l.Start, End: l.Embargo().End, Version: l.Embargo().Version}
	v.Day, v.Days = l.day()
	if l.Hold != nil {
		v.Hold = fmt.Sprintf("since %s, by %s: %s", instant(l.Hold.At), l.Hold.By, l.Hold.Because)
	}
	for _, r := range l.Policy.Stages {
		v.Stages = append(v.Stages, r.Stage)
		if l.Started() {
			v.Marks = append(v.Marks, templates.Mark{At: r.At.In(l.Start, v.End), Name: string(r.Stage)})
		}
	}
	for _, p := range l.vendors {
		v.Rows = append(v.Rows, l.row(p))
	}
	v.Totals, v.Next = l.totals(), l.next(5)
	return v
}

// today is an instant that stands for the whole day; on that of the end, for what is
// left of it.
func (l caseLook) today() time.Time {
	if end := l.Embargo().End; l.ended() && date(end).Equal(date(l.moment())) {
		return end
	}
	if today := date(l.moment()); !l.Started() || today.After(l.Start) || l.moment().Before(l.Start) {
		return today
	}
	return l.Start
}

// row is one vendor's line in the matrix of who knows what.
func (l caseLook) row(p vendorLook) templates.CaseRow {
	row := templates.CaseRow{Party: string(p.Party), Status: l.status(p)}
	for _, r := range l.Policy.Stages {
		cell := "-"
		if n, ok := p.stage(r.Stage); ok {
			cell = noticeCell(n)
		}
		row.Cells = append(row.Cells, cell)
	}
	return row
}

// stage is the last notice of a stage that is not cancelled, or the leak that
// told it.
func (p vendorLook) stage(s cvd.Stage) (n cvd.Notice, ok bool) {
	for _, have := range p.notices {
		told := ok && n.Kind == cvd.KindStage && hasLeft(n.State) // and a leak tells it once more
		if disclosing(have) && have.Stage == s && have.State != cvd.Cancelled && !told {
			n, ok = have, true
		}
	}
	return n, ok
}

// status is what a vendor says, or that it says nothing.
func (l caseLook) status(p vendorLook) string {
	switch s := p.Status(); {
	case p.Withdrawn != nil:
		return "withdrawn"
	case p.Hold != nil:
		return "on hold"
	case p.Declined != nil:
		return strings.TrimSuffix("declined, "+lateState(p.Participant), ", late")
	case p.Late != nil:
		return strings.TrimSuffix(fmt.Sprintf("%s, silent %d days", lateState(p.Participant), l.silent(p)), ", silent 0 days")
	case s.Word != "":
		return strings.TrimSpace(s.Word + " " + s.Text)
	case p.Accepted() > 0:
		return "accepted"
	case p.Acknowledged != nil:
		return "acknowledged"
	case l.silent(p) >= silence:
		return fmt.Sprintf("silent %d days", l.silent(p))
	case p.Reached != "":
		return "no answer yet"
	}
	return ""
}

// silence is how many days make a vendor silent.
const silence = 3

// silent is for how many days a vendor that was told something has said
// nothing at all; 0 for one that has.
func (l caseLook) silent(p vendorLook) int {
	told := l.toldAt(p)
	if told.IsZero() {
		return 0
	}
	return daysBetween(told, l.moment())
}

// toldAt is since when the silence of a vendor counts; zero where it does not.
func (l caseLook) toldAt(p vendorLook) (told time.Time) {
	if p.Withdrawn != nil || p.Declined != nil || p.Acknowledged != nil || p.Accepted() > 0 || p.Status().Word != "" || !p.LastHeard.IsZero() {
		return told
	}
	for _, n := range p.notices {
		if disclosing(n) && n.State == cvd.Sent && !cameBack(n) && (told.IsZero() || n.SentAt.Before(told)) {
			told = n.SentAt
		}
	}
	return told
}

func noticeCell(n cvd.Notice) string {
	switch n.State {
	case cvd.Sent:
		if cameBack(n) {
			return "bounced"
		}
		return n.SentAt.UTC().Format("2 Jan") + " ok"
	case cvd.Queued:
		return "going"
	case cvd.Held:
		return "HELD"
	case cvd.Unknown:
		return "ask"
	case cvd.Failed:
		return "refused"
	case cvd.Approval:
		return "approve"
	case cvd.Waiting:
		return "waits"
	}
	return n.Due.UTC().Format("2 Jan")
}

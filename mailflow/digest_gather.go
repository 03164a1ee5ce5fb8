package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
	"parley/templates"
)

const (
	// dueSoon is how far a digest looks ahead.
	dueSoon = 7 * cvd.Day
	// keySoon is how long before its end a key is told of.
	keySoon = 30 * cvd.Day
	// mostOf is how many lines of a kind a digest has of one case.
	mostOf = 8
)

// gatherDigest reads what a coordinator is to know, of the cases that it may see.
func (b *Base) gatherDigest(tx *store.Tx, who Coordinator, row digestRow) (digest, error) {
	d := digest{Digest: templates.Digest{At: tx.Now, Since: row.Told, Zone: b.zoneOf(who).String()}}
	all, err := Cases(tx)
	if err != nil {
		return d, err
	}
	seen := map[string]string{"": "the desk"} // heads by case
	for _, c := range all {
		if !maySee(c, who.Name) {
			continue
		}
		seen[string(c.ID)] = strings.TrimSpace(string(c.ID) + " " + c.Title)
		ending, err := shredOf(tx, c.ID)
		if err != nil {
			return d, err
		}
		if !c.Closed.IsZero() && !ending.pending() {
			continue
		}
		if ending.pending() {
			d.Due = append(d.Due, templates.DigestDate{At: ending.Due, What: string(c.ID) + ": it is destroyed for good, unless somebody stops it"})
		}
		l, err := b.look(tx, c)
		if err != nil {
			return d, err
		}
		if err := b.tellCase(tx, &d, l); err != nil {
			return d, err
		}
	}
	if err := b.tellDesk(tx, &d, who); err != nil {
		return d, err
	}
	if err := tellDone(tx, &d, row.Seq, seen); err != nil {
		return d, err
	}
	slices.SortStableFunc(d.Due, func(x, y templates.DigestDate) int { return x.At.Compare(y.At) })
	d.Seq, d.Head, err = journal.Head(tx)
	return d, err
}

// about notes that the digest tells of a case.
func (d *digest) about(id cvd.CaseID) {
	if !slices.Contains(d.cases, id) {
		d.cases = append(d.cases, id)
	}
}

// tellCase adds what there is to tell of an open case.
func (b *Base) tellCase(tx *store.Tx, d *digest, l caseLook) error {
	tag := string(l.ID)
	d.about(l.ID)
	if len(l.needs) > 0 {
		d.Count += len(l.needs)
		head := strings.TrimSpace(tag + " " + l.Title)
		if day := l.dayWords(); day != "" {
			head += " - " + day
		}
		d.Needs = append(d.Needs, templates.DigestPart{Head: head, Lines: firstOf(l.needs, mostOf)})
	}
	for _, e := range l.coming() {
		if e.at.Before(d.At.Add(dueSoon)) {
			what := tag + ": " + strings.TrimPrefix(e.String(), instant(e.at)+"  ")
			if e.at.Before(d.At) {
				what += " (it is overdue)"
			}
			d.Due = append(d.Due, templates.DigestDate{At: e.at, What: what})
		}
	}
	var silent []string
	for _, p := range l.vendors {
		if n := l.silent(p); n >= silence {
			silent = append(silent, fmt.Sprintf("%s for %d days", p.Party, n))
		}
		ends, err := b.keyEnds(tx, l, p)
		if err != nil {
			return err
		}
		if ends != "" {
			d.Keys = append(d.Keys, ends)
		}
	}
	if len(silent) > 0 {
		d.Silent = append(d.Silent, tag+": "+strings.Join(firstOf(silent, mostOf), ", "))
	}
	return nil
}

// firstOf are the first of some lines, and how many there are besides.
func firstOf(all []string, most int) []string {
	if len(all) <= most {
		return all
	}
	return append(slices.Clone(all[:most]), fmt.Sprintf("and %d more", len(all)-most))
}

// keyEnds says that the last key that a vendor has ends soon, or before the
// embargo does; or "".
func (b *Base) keyEnds(tx *store.Tx, l caseLook, p vendorLook) (string, error) {
	if p.Withdrawn != nil {
		return "", nil
	}
	known, err := ownerKeys(tx, OwnerOf(p.Participant))
	if err != nil {
		return "", err
	}
	var last time.Time
	for _, c := range keyring.Select(b.Certs, known, keyring.Need{Trust: keyring.Found}, l.now).Certificates {
		end := c.Expires()
		if end.IsZero() {
			return "", nil
		}
		last = laterOf(last, end)
	}
	if last.IsZero() || !last.Before(l.now.Add(keySoon)) {
		return "", nil
	}
	s := fmt.Sprintf("%s's key ends %s", p.Party, instant(last))
	if end := l.Embargo().End; l.Started() && last.Before(end) {
		s += fmt.Sprintf(", before %s does (%s)", l.ID, instant(end))
	}
	return s, nil
}

// tellDesk adds what belongs to no case: what stands still for everybody, open
// tasks, and reports that nobody took up.
func (b *Base) tellDesk(tx *store.Tx, d *digest, who Coordinator) error {
	state, err := sendingNow(tx)
	if err != nil {
		return err
	}
	if state.Paused {
		what := "sending is paused"
		if state.Overdue {
			what = "what was overdue does not leave (see Approvals)"
		}
		d.Alarms = append(d.Alarms, fmt.Sprintf(what+" since %s, by %s: %s", instant(state.At), state.By, state.Because))
	}
	if why := b.Own.now.Load().cannotSign(tx.Now); why != "" {
		d.Alarms = append(d.Alarms, "nothing can be signed, and so nothing leaves: "+why)
	}
	open, err := openTasks(tx, "")
	if err != nil {
		return err
	}
	var lines []string
	for _, r := range open {
		if caseTag(r.Case) == "" || r.Case == deskCase {
			lines = append(lines, r.id()+" "+r.shown())
			if _, inReport := reportNumber(r.Case); inReport {
				d.about(r.Case)
			}
		}
		if r.By == who.Name && (caseTag(r.Case) == "" || slices.Contains(d.cases, r.Case)) {
			d.Mine++
		}
	}
	d.Count += len(lines)
	waiting, err := intakeWaits(tx)
	if err != nil {
		return err
	}
	if waiting > 0 {
		d.Count++
		lines = append(lines, count(waiting, "report")+" in Intake in no case yet")
	}
	if len(lines) > 0 {
		d.Needs = append(d.Needs, templates.DigestPart{Head: "of no case", Lines: firstOf(lines, 2*mostOf)})
	}
	return nil
}

// intakeWaits counts the reports that belong to no case.
func intakeWaits(tx *store.Tx) (int, error) {
	all, err := collect(reports.All(tx, nil), nil)
	n := 0
	for _, r := range all {
		if r.Case == "" && r.Ended == "" {
			n++
		}
	}
	return n, err
}

// told are the records that a digest counts, in its order, with what to call
// one and several.
var told = []struct{ kind, one, more string }{
	{"report.received", "report came in", "reports came in"},
	{"mail.received", "mail came in", "mails came in"},
	{"mail.quarantined", "mail went to Quarantine", "mails went to Quarantine"},
	{"command.accept", "ACCEPT", "ACCEPTs"},
	{"command.decline", "DECLINE", "DECLINEs"},
	{"command.status", "STATUS", "STATUSes"},
	{"command.propose", "proposal of a date", "proposals of a date"},
	{"notice.sent", "notice delivered", "notices delivered"},
	{"notice.held", "notice held", "notices held"},
	{"notice.failed", "notice refused by a server", "notices refused by a server"},
	{"notice.unknown", "delivery with an unknown end", "deliveries with an unknown end"},
	{"approval.yes", "approval given", "approvals given"},
	{"approval.no", "approval refused", "approvals refused"},
	{"case.opened", "case opened", "cases opened"},
	{"case.closed", "case closed", "cases closed"},
	{"task.done", "task done", "tasks done"},
}

// tellDone counts what happened since the last digest, by case.
func tellDone(tx *store.Tx, d *digest, after uint64, seen map[string]string) error {
	counts := map[string]map[string]int{}
	var order []string
	err := journal.Since(tx, after, func(_ uint64, r journal.Record) error {
		at := r.Case
		if _, inReport := reportNumber(cvd.CaseID(at)); inReport || at == string(deskCase) {
			at = ""
		}
		if _, ok := seen[at]; !ok {
			return nil
		}
		if counts[at] == nil {
			counts[at], order = map[string]int{}, append(order, at)
		}
		counts[at][r.Kind]++
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(order)
	for _, at := range order {
		var lines []string
		for _, t := range told {
			if n := counts[at][t.kind]; n > 0 {
				lines = append(lines, plural(n, t.one, t.more))
			}
		}
		if len(lines) == 0 {
			continue
		}
		if at != "" {
			d.about(cvd.CaseID(at))
		}
		d.Done = append(d.Done, templates.DigestPart{Head: seen[at], Lines: []string{strings.Join(lines, ", ")}})
	}
	return nil
}

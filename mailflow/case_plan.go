package mailflow

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// casePlan is `plan [PARTY [STAGE]]`.
func casePlan(s *sitting, p *phrase) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	party := cvd.PartyID("")
	if p.more() {
		name, err := p.next("the name of a party")
		if err != nil {
			return "", err
		}
		who, err := s.participantNamed(c, name)
		if err != nil {
			return "", err
		}
		if p.more() {
			return s.planStage(c, who, p)
		}
		if err := s.attachPreviews(c, who); err != nil {
			return "", err
		}
		party = who.Party
	}
	if err := p.end(); err != nil {
		return "", err
	}
	lines, err := s.planLines(s.tx, c, party)
	if err != nil {
		return "", err
	}
	said := ""
	if !c.Started() {
		said = fmt.Sprintf("%s has not started; with `start now` this would go:\n", c.ID)
	}
	return said + strings.Join(append(lines, "plan "+planHash(lines)), "\n"), nil
}

// planHash is SHA-256 over the lines of a plan, each with its line feed.
func planHash(lines []string) string {
	h := sha256.New()
	for _, l := range lines {
		h.Write([]byte(l + "\n"))
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// planned are the kinds of notices that a plan shows: what the gateway sends
// by itself. Answers and receipts follow from mail that came in, and letters
// are people's own.
var planned = []cvd.NoticeKind{cvd.KindStage, cvd.KindReminder, cvd.KindContact, cvd.KindEmbargo, cvd.KindKey, cvd.KindLeak,
	cvd.KindCounts, cvd.KindQuestion, cvd.KindIntroduction}

// planRow is one line of a plan before it is written: a notice with what the
// gate will be asked about it on the day that it falls due.
type planRow struct {
	Question
	known []keyring.Pinned // all keys of the participant
}

// planLines writes one line for every notice of a case, past and to come, in
// the order of their instants; of one participant where party names it.
func (b *Base) planLines(tx *store.Tx, c cvd.Case, party cvd.PartyID) ([]string, error) {
	ps, err := Participants(tx, c.ID)
	if err != nil {
		return nil, err
	}
	var rows []planRow
	for _, p := range ps {
		if party != "" && p.Party != party {
			continue
		}
		more, err := b.planRows(tx, c, p)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	slices.SortStableFunc(rows, func(x, y planRow) int {
		return cmp.Or(planInstant(x.Notice).Compare(planInstant(y.Notice)),
			cmp.Compare(x.Notice.Party, y.Notice.Party), x.Notice.Stage.Rank()-y.Notice.Stage.Rank())
	})
	var lines []string
	for _, r := range rows {
		lines = append(lines, b.planLine(r))
	}
	return lines, nil
}

// planRows gathers the notices of one participant; of a case that has not
// started, as if it started now.
func (b *Base) planRows(tx *store.Tx, c cvd.Case, p cvd.Participant) ([]planRow, error) {
	c, all, err := planNotices(tx, c, p)
	if err != nil {
		return nil, err
	}
	row := planRow{Question: Question{Case: c, Participant: p}}
	if row.Sending, err = sendingNow(tx); err != nil {
		return nil, err
	}
	if row.known, err = ownerKeys(tx, OwnerOf(p)); err != nil {
		return nil, err
	}
	if !p.Party.IsFinder() {
		if row.Party, err = PartyByID(tx, p.Party); err != nil {
			return nil, err
		}
	}
	var rows []planRow
	for _, n := range all {
		if n.State == cvd.Cancelled || !slices.Contains(planned, n.Kind) {
			continue
		}
		row.Notice, row.Now = n, laterOf(planInstant(n), tx.Now)
		if err := b.planFacts(tx, &row); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// planNotices lists the notices to one participant, with the case as they see it;
// one that has not started is as if it started now.
func planNotices(tx *store.Tx, c cvd.Case, p cvd.Participant) (cvd.Case, []cvd.Notice, error) {
	all, err := Notices(tx, c.ID, p.Party)
	if err != nil || c.Started() {
		return c, all, err
	}
	c.Start = tx.Now
	if len(c.Embargoes) == 0 {
		first, err := firstEmbargo(c.Policy, cvd.Instant{At: c.Start})
		if err != nil {
			return c, nil, err
		}
		c.Embargoes = []cvd.Embargo{first}
	}
	for _, d := range cvd.Plan(c, []cvd.Participant{p}) {
		all = append(all, cvd.Notice{Case: c.ID, Party: d.Party, Kind: cvd.KindStage, Stage: d.Stage, Due: d.At, State: cvd.Planned})
	}
	return c, all, nil
}

// planFacts looks up what one notice depends on.
func (b *Base) planFacts(tx *store.Tx, r *planRow) error {
	n := r.Notice
	r.Keys = keyring.Select(b.Certs, r.known, need(r.Question), r.Now)
	r.Pause = pauseOf(r.known, r.Keys.Standing, r.Case.Policy)
	r.HasMaterial = hasMaterial(tx, n.Case, n.Stage, "") || hasMaterial(tx, n.Case, n.Stage, n.Party)
	r.Approval = nil
	if n.ApprovalID == "" {
		return nil
	}
	a, err := approvalOf(tx, n)
	r.Approval = &a
	return err
}

// hasMaterial says whether something was written for a stage; the advisory
// stands in for a public text that nobody wrote.
func hasMaterial(tx *store.Tx, c cvd.CaseID, s cvd.Stage, party cvd.PartyID) bool {
	return materials.Count(tx, materialPrefix(tx, c, s, party)) > 0 ||
		s == cvd.Public && materials.Count(tx, materialPrefix(tx, c, cvd.Advisory, party)) > 0
}

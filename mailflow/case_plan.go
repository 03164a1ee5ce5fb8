package mailflow

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

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

// planInstant is when a notice went or is to go.
func planInstant(n cvd.Notice) time.Time {
	if !n.SentAt.IsZero() {
		return n.SentAt
	}
	return n.Due
}

// planLine writes one notice: party, "2/6 scope", instant in UTC, state, key
// with its trust and expiry on that day, and what is missing.
func (b *Base) planLine(r planRow) string {
	n := r.Notice
	fields := []string{string(n.Party), planWhat(r), utc(planInstant(n)), stateNow(r.Question), b.planKey(r)}
	if lateFor(r.Case, r.Participant, n) && !n.State.Over() {
		fields = append(fields, "late")
	}
	if missing := planMissing(r); len(missing) > 0 {
		fields = append(fields, "missing: "+strings.Join(missing, ", "))
	}
	return strings.Join(fields, "  ")
}

func planWhat(r planRow) string {
	n := r.Notice
	switch n.Kind {
	case cvd.KindContact:
		return "contact"
	case cvd.KindKey:
		return "our new key"
	case cvd.KindLeak:
		return noticeName(n)
	case cvd.KindCounts, cvd.KindQuestion, cvd.KindIntroduction:
		return string(n.Kind)
	case cvd.KindEmbargo:
		return fmt.Sprintf("embargo v%d", n.Version)
	}
	number, of := r.Case.Policy.Number(n.Stage)
	what := fmt.Sprintf("%d/%d %s", number, of, n.Stage)
	if n.Kind == cvd.KindReminder {
		what += fmt.Sprintf(" reminder %d", n.Nth)
	}
	return what
}

// stateNow is the state of a notice as things stand in this transaction: a hold
// counts from the line that ordered it to the line that ended it, though notices
// note it only when the clockwork asks about them. A request that people were asked
// ahead of its day can be decided now, and is named.
func stateNow(q Question) string {
	n := q.Notice
	switch n.State {
	case cvd.Planned, cvd.Waiting, cvd.Held, cvd.Approval:
	default:
		return planState(n)
	}
	party := string(q.Participant.Party) + partyHoldWhy
	switch {
	case q.Sending.Stops():
		n.State, n.Why = cvd.Held, pausedWhy+q.Sending.Because
	case q.Case.Hold != nil:
		n.State, n.Why = cvd.Held, caseHoldWhy+because(q.Case.Hold)
	case q.Participant.Hold != nil:
		n.State, n.Why = cvd.Held, party+because(q.Participant.Hold)
	case n.State == cvd.Held && (strings.HasPrefix(n.Why, pausedWhy) || strings.HasPrefix(n.Why, caseHoldWhy) || strings.HasPrefix(n.Why, party)):
		n.State = cvd.Planned
	}
	asked := q.Approval != nil && q.Approval.Open()
	switch {
	case asked && n.State == cvd.Planned:
		return "waiting " + q.Approval.ID
	case asked && n.State == cvd.Waiting:
		return "waiting " + q.Approval.ID + ": " + n.Why
	}
	return planState(n)
}

func planState(n cvd.Notice) string {
	switch n.State {
	case cvd.Approval:
		if n.ApprovalID == "" {
			return "waiting: " + n.Why
		}
		return "waiting " + n.ApprovalID
	case cvd.Waiting, cvd.Held:
		return string(n.State) + ": " + n.Why
	case cvd.Unknown:
		return fmt.Sprintf("unknown delivery D%d", n.Delivery)
	case cvd.Failed:
		return fmt.Sprintf("failed delivery D%d", n.Delivery)
	case cvd.Sent:
		if cameBack(n) {
			return fmt.Sprintf("bounced delivery D%d", n.Delivery)
		}
		if !n.Delayed.IsZero() {
			return fmt.Sprintf("delayed delivery D%d", n.Delivery)
		}
		if n.Delivery == 0 && n.Why != "" {
			return "sent " + n.Why
		}
	}
	return string(n.State)
}

// planKey names the keys that the notice is, or would be, encrypted to; where
// none can be used, those that are known.
func (b *Base) planKey(r planRow) string {
	switch {
	case clearKind(r.Notice.Kind):
		return "no key needed"
	case r.Party.Channel == cvd.ChannelHand:
		return "by hand"
	case clearForm(r.Question):
		return "no key, in clear"
	}
	var out []string
	for _, k := range r.known {
		cert, err := b.Certs.Certificate(k.Cert)
		chosen := err == nil && slices.Contains(r.Keys.Certificates, cert)
		if err != nil || k.Trust == keyring.Rejected || len(r.Keys.Certificates) > 0 && !chosen {
			continue
		}
		out = append(out, fmt.Sprintf("key %s %s %s", k.Fingerprint, r.Keys.Standing[k.Fingerprint].Trust, expiry(cert)))
	}
	if len(out) == 0 {
		return "no key"
	}
	return strings.Join(out, " + ")
}

// planMissing lists what a notice that is still to come lacks.
func planMissing(r planRow) []string {
	n := r.Notice
	if n.State.Over() {
		return nil
	}
	var out []string
	if n.Kind == cvd.KindStage && n.Stage != cvd.HeadsUp && !r.HasMaterial {
		out = append(out, "material")
	}
	if !clearKind(n.Kind) && !clearForm(r.Question) && r.Party.Channel != cvd.ChannelHand && len(r.Keys.Certificates) == 0 {
		out = append(out, missingKey(r.Question))
	}
	if r.Pause.Until.After(r.Now) && secretNotice(r.Question) {
		out = append(out, r.Pause.String())
	}
	rule, ok := r.Case.Policy.Rule(n.Stage)
	if !ok || n.Kind != cvd.KindStage {
		return out
	}
	late := lateFor(r.Case, r.Participant, n)
	for _, need := range rule.Needs {
		if !late && r.Participant.Has(cvd.RoleVendor) && !r.Participant.Meets(need, n.Stage) {
			out = append(out, string(need))
		}
	}
	if (rule.Approvals > 0 || late) && (r.Approval == nil || !r.Approval.Granted()) {
		out = append(out, "approval")
	}
	return out
}

func missingKey(q Question) string {
	out := needTrust(q).String() + " key"
	if len(q.Keys.Why) > 0 {
		out += " (" + strings.Join(q.Keys.Why, "; ") + ")"
	}
	return out
}

package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
)

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

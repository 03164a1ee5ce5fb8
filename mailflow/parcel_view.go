package mailflow

import (
	"time"

	"parley/mailflow/cvd"
	"parley/templates"
)

func (b *Base) us() templates.Us { return b.usWith(b.Own.now.Load()) }

func (b *Base) usWith(own *ownSet) templates.Us {
	return templates.Us{Name: b.Domain, Domain: b.Domain, Fingerprint: own.signing().Fingerprint().Spaced()}
}

// noticeView fills what the recipient may know at this stage, and no more.
func (b *Base) noticeView(p *parcel) *templates.Notice {
	c, n := p.Case, p.Notice
	rule, _ := c.Policy.Rule(n.Stage)
	v := &templates.Notice{Us: b.usWith(p.Ours), To: spoken(p.Participant, p.Party), Case: c.ID, Stage: n.Stage, TLP: rule.TLP, Code: n.Code,
		Version: c.Embargo().Version, End: c.End(p.Participant), Zone: p.Party.Zone,
		Severity: c.Severity, Product: p.Participant.Affects, Reminder: n.Kind == cvd.KindReminder}
	if n.Stage == cvd.Public {
		v.End = c.Embargo().End // for whoever was bound to an earlier one, too
	}
	v.Number, v.Of = c.Policy.Number(n.Stage)
	if v.Number < v.Of && c.Policy.OnRequest(c.Policy.Stages[v.Number].Stage) {
		v.OnRequest = c.Policy.Stages[v.Number].Stage
	}
	v.ReplyBy = replyBy(n.Stage, p.Now, v.End, c.Policy.Days, cvd.ZoneOf(p.Party.Zone))
	if k := len(p.Participant.Acceptances); k > 0 {
		v.Accepted = p.Participant.Acceptances[k-1].At
	}
	for _, d := range cvd.Plan(c, []cvd.Participant{p.Participant}) {
		v.Steps = append(v.Steps, templates.Step{Stage: d.Stage, At: d.At, Done: d.Stage.Rank() <= n.Stage.Rank()})
	}
	v.Files = fileNames(p.Files)
	return v
}

// replyBy is by when an answer is asked: three days for the first stages, a
// week for a status, on a business day of the reader, never after the end; none
// for what only informs.
func replyBy(s cvd.Stage, now, end time.Time, work cvd.Days, zone *time.Location) time.Time {
	days := 3
	switch s {
	case cvd.Details, cvd.Proof:
		days = 7
	case cvd.Advisory, cvd.Public:
		return time.Time{}
	}
	by := work.BusinessDay(now.Add(time.Duration(days)*cvd.Day), zone)
	if by.After(end) {
		return end
	}
	return by
}

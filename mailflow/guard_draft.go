package mailflow

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// isDraft says whether a request is about a letter that a coordinator wrote, and
// not about a stage.
func isDraft(a cvd.ApprovalRequest) bool { return a.Stage == "" }

func draftTask(id string) string { return "draft:" + id }

// judged is what was found in a coordinator's mail for each participant that it
// would go to.
type judged map[cvd.PartyID][]Crossing

// judge compares a letter with what others wrote, before anybody waits for it.
func (s *Submission) judge(ctx context.Context, m *submitted, asked deskAddress) (judged, error) {
	if asked.Kind != addrParty && asked.Kind != addrVendors {
		return nil, nil
	}
	if err := s.warmGuard(ctx); err != nil {
		return nil, err
	}
	out := judged{}
	err := s.Store.View(func(tx *store.Tx) error {
		d, err := inItsCase(tx, asked)
		if err != nil {
			return err
		}
		ps, err := Participants(tx, d.Case)
		if err != nil {
			return err
		}
		e, err := s.examine(tx, question{outgoing: m.outgoing(), id: d.Case, until: ctx})
		if err != nil {
			return err
		}
		for _, p := range ps {
			if d.Kind == addrParty && p.Party != d.Party {
				continue
			}
			found, err := s.crossings(tx, e, p, p.Reached)
			if err != nil {
				return err
			}
			out[p.Party] = found
		}
		return nil
	})
	return out, err
}

// outgoing is a letter as it would leave, on the lines that its author knows.
// Names of files that say too much do not leave (letterFiles).
func (m *submitted) outgoing() outgoing {
	files := slices.Clone(m.files)
	for i, f := range files {
		files[i].Name = fileNumber(i, f)
	}
	return outgoing{subject: m.subject, text: ownLines(m.text), files: files}
}

// keepDraft asks another coordinator about letters that a person must see before
// they leave, and tells their author what did not happen.
func (s *Submission) keepDraft(tx *store.Tx, m *submitted, kept []cvd.Notice) error {
	if len(kept) == 0 {
		return nil
	}
	l := &looks{within: tx}
	var g []*parcel
	for _, n := range kept {
		p, err := s.gather(tx, dueRow{Case: n.Case, Party: n.Party, Notice: n.ID}, tx.Now, l)
		if err != nil {
			return err
		}
		g = append(g, p)
	}
	id, err := newApprovalID(tx)
	if err != nil {
		return err
	}
	if err := s.request(tx, id, draftRule(g), g, nil, l); err != nil {
		return err
	}
	return s.tellKept(tx, m, id, g)
}

// draftRule asks for one other coordinator; for a signed yes where the stages
// that it is about ask for one.
func draftRule(g []*parcel) cvd.StageRule {
	out := cvd.StageRule{Approvals: 1}
	for _, p := range g {
		stages := []cvd.Stage{p.Participant.Reached}
		for _, c := range p.Found {
			stages = append(stages, c.Stage)
		}
		for _, stage := range stages {
			rule, ok := p.Case.Policy.Rule(stage)
			out.Signed = out.Signed || ok && rule.Signed && rule.Approvals > 0
		}
	}
	return out
}

// tellKept says what did not happen, why, and what to do.
func (s *Submission) tellKept(tx *store.Tx, m *submitted, id string, g []*parcel) error {
	var to []cvd.PartyID
	for _, p := range g {
		to = append(to, p.Notice.Party)
	}
	what := "reply"
	if !strings.HasPrefix(strings.ToLower(m.subject), "re:") {
		what = "letter"
	}
	found, err := foundWords(tx, g)
	if err != nil {
		return err
	}
	how := "drop the draft into Do/Approve (a second person confirms)"
	if draftRule(g).Signed {
		how = "let a second person send, signed, `approve " + id + "` to control@" + s.DeskDomain
	}
	where := fmt.Sprintf("%s to %s in %s", what, partyList(to), g[0].Notice.Case)
	state := "Nothing left this server. Your text is in Approvals, as " + id + "."
	if len(g) < m.parties {
		state = fmt.Sprintf("Nothing left this server for %s; the others get theirs. Your text is in Approvals, as %s.", partyList(to), id)
	}
	r, err := s.Templates.Refusal(refusal(where, state, strings.Join(found, "; "),
		"edit the draft and send it again, or, if it may go as it is because whoever is quoted or named agreed, "+how+". To give it up:\n    reject "+id+` because "..."`))
	if err != nil {
		return err
	}
	return s.task(tx, draftTask(id), Post{Case: g[0].Notice.Case, Subject: r.Subject, Text: r.Text, Kind: "approval", Ref: id})
}

// sentAgain gives up the drafts that a letter is the new version of: those of its
// author to the same participant under the same Subject.
func (s *Submission) sentAgain(tx *store.Tx, m *submitted, id cvd.CaseID, party cvd.PartyID) error {
	all, err := Notices(tx, id, party)
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.Kind != cvd.KindLetter || n.ApprovalID == "" || n.State.Over() {
			continue
		}
		a, err := approvalByID(tx, n.ApprovalID)
		if err != nil {
			return err
		}
		old, err := letters.Get(tx, letterKey(n.ID))
		if err != nil {
			return err
		}
		if !a.Open() || old.Author != m.by.Name || !sameSubject(old.Draft, m.subject) {
			continue
		}
		if err := s.cancel(tx, n, "it was written anew"); err != nil {
			return err
		}
	}
	return nil
}

func sameSubject(a, b string) bool {
	bare := func(s string) string {
		for {
			s = strings.ToLower(strings.TrimSpace(s))
			rest, ok := strings.CutPrefix(s, "re:")
			if !ok {
				return s
			}
			s = rest
		}
	}
	return bare(a) == bare(b)
}

// endDraft gives up the letters of a request that was refused. Their text stays
// where the desk can read it.
func (b *Base) endDraft(tx *store.Tx, a cvd.ApprovalRequest, by Actor, because string) error {
	text := ""
	for _, party := range a.Parties {
		all, err := Notices(tx, a.Case, party)
		if err != nil {
			return err
		}
		for _, n := range all {
			if n.ApprovalID != a.ID || n.State.Over() {
				continue
			}
			if l, err := letters.Get(tx, letterKey(n.ID)); err == nil && text == "" {
				text = l.Text
			}
			if err := b.cancel(tx, n, "rejected by "+by.Name); err != nil {
				return err
			}
		}
	}
	err := record(tx, journal.Record{Case: string(a.Case), Actor: by.Name, Kind: "letter.rejected", Ref: a.ID})
	if err != nil {
		return err
	}
	what := fmt.Sprintf("letter to %s in %s", partyList(a.Parties), a.Case)
	r, err := b.Templates.Refusal(refusal(what, fmt.Sprintf("%s rejected %s, which %s wrote. It does not leave; below is what it said.", by.Name, a.ID, a.Author), because, "write it anew"))
	if err != nil {
		return err
	}
	_, _, _, err = b.post(tx, Post{Folder: "Status", Case: a.Case, Subject: "Rejected: " + what, Text: r.Text + "\n" + text, Kind: "transcript"})
	return err
}

// reviveDraft takes back that the letters of a request were given up.
func (b *Base) reviveDraft(tx *store.Tx, a cvd.ApprovalRequest) error {
	for _, party := range a.Parties {
		all, err := Notices(tx, a.Case, party)
		if err != nil {
			return err
		}
		for _, n := range all {
			if n.ApprovalID != a.ID || n.State != cvd.Cancelled {
				continue
			}
			n.State, n.Why = cvd.Planned, ""
			if err := putNotice(tx, n, time.Time{}); err != nil {
				return err
			}
			if err := b.awaits(tx, n); err != nil {
				return err
			}
		}
	}
	return nil
}

package mailflow

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
)

// recordConsent is `record PARTY consent [to OTHER] via HOW`: a party that answers
// on another way agrees to be introduced. It lets a name go, so that it counts only
// signed, and with a second person where the policy asks for one anywhere.
func (s *sitting) recordConsent(c cvd.Case, who cvd.Participant, p *phrase) (string, error) {
	i, err := s.introMeant(c, who, p)
	if err != nil {
		return "", err
	}
	how, err := p.via()
	if err != nil {
		return "", err
	}
	if yes := i.Sides[i.side(who.Party)].Yes; yes != nil {
		return "", already("%s agreed already, %s via %s", who.Party, utc(yes.At), yes.Via)
	}
	if err := s.mustBeProved("record "+string(who.Party)+" consent", "lets a name go"); err != nil {
		return "", err
	}
	filed := filedOrder{Case: c.ID, Party: who.Party, Via: how, By: s.by.Name, At: s.tx.Now, Intro: i.Number}
	desk, err := Coordinators(s.tx)
	if err != nil {
		return "", err
	}
	if rule, needed := strictest(c.Policy); needed && len(desk) > 1 {
		return s.consentForSecond(c, i, rule, filed)
	}
	return s.fileConsent(filed)
}

// introMeant reads `[to OTHER]`: which introduction of a participant is meant.
func (s *sitting) introMeant(c cvd.Case, who cvd.Participant, p *phrase) (intro, error) {
	other := cvd.PartyID("")
	if p.word("to") {
		name, err := p.next("the name of the other party")
		if err != nil {
			return intro{}, err
		}
		other = cvd.PartyID(strings.ToLower(name))
	}
	all, err := introsOf(s.tx, c.ID)
	if err != nil {
		return intro{}, err
	}
	var found []intro
	for _, i := range all {
		if at := i.side(who.Party); at >= 0 && i.Ended == nil && (other == "" || i.Sides[1-at].Party == other) {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return intro{}, notDone("%s is not being introduced to anybody like that in %s; `introduce` asks, `status` says how it stands", who.Party, c.ID)
	}
	return intro{}, notDone("%s is being introduced to several in %s; say to whom: record %s consent to OTHER via HOW", who.Party, c.ID, who.Party)
}

// strictest is the rule of the policy that asks for most of a second person; not
// needed where none asks for any.
func strictest(p cvd.Policy) (out cvd.StageRule, needed bool) {
	for _, r := range p.Stages {
		if r.Approvals > 0 && (!needed || r.Signed && !out.Signed) {
			out, needed = r, true
		}
	}
	return out, needed
}

// consentForSecond asks another coordinator for a yes to a consent that was filed.
func (s *sitting) consentForSecond(c cvd.Case, i intro, rule cvd.StageRule, f filedOrder) (string, error) {
	id, err := newApprovalID(s.tx)
	if err != nil {
		return "", err
	}
	a := cvd.ApprovalRequest{ID: id, Case: c.ID, Author: f.By, Authors: []string{f.By}, Parties: []cvd.PartyID{f.Party},
		Need: 1, Signed: rule.Signed, Created: s.tx.Now}
	if err := putApproval(s.tx, a); err != nil {
		return "", err
	}
	if err := filedOrders.Put(s.tx, caseScope(c.ID), approvalKey(s.tx, id), f); err != nil {
		return "", err
	}
	err = record(s.tx, journal.Record{Case: string(c.ID), Party: string(f.Party), Actor: f.By, Kind: "approval.asked", Ref: id, Detail: "consent"})
	if err != nil {
		return "", err
	}
	what := fmt.Sprintf("%s agrees to be introduced to %s, via %s", f.Party, i.Sides[1-i.side(f.Party)].Party, f.Via)
	text := fmt.Sprintf("%s files: %s.\n\nIt does not count yet. Once you say yes, and the other agrees as well, each learns who the other is.\n\nTo approve: drop this mail into Do/Approve, or write to control@%s\n    approve %s\nTo refuse: drop it into Do/Reject, or write\n    reject %s because \"...\"\n",
		f.By, what, s.DeskDomain, id, id)
	if rule.Signed {
		text += "\nIt counts only in a mail signed with your own OpenPGP key.\n"
	}
	s.waits = id
	return what, s.task(s.tx, "approval:"+id, Post{Folder: "Approvals", Case: c.ID, From: f.By, Kind: "approval", Ref: id,
		Subject: fmt.Sprintf("Approve? %s in %s: consent to an introduction, filed by %s", f.Party, c.ID, f.By), Text: text})
}

// fileFiled does what a second person said yes to.
func (s *sitting) fileFiled(f filedOrder) (string, error) {
	if f.Intro != 0 {
		return s.fileConsent(f)
	}
	return s.fileAccept(f)
}

// tooOld refuses a yes that was filed before its participant said no: while a
// second person was waited for, the newer word is the one that counts.
func (s *sitting) tooOld(f filedOrder, said time.Time, no string) error {
	return notDone("%s said no on %s (%s), after %s filed this yes; nothing was recorded. `reject` it, and file it again if they agree once more", f.Party, utc(said), no, f.By)
}

func (s *sitting) fileConsent(f filedOrder) (string, error) {
	c, err := CaseByID(s.tx, f.Case)
	if err != nil {
		return "", err
	}
	who, err := s.takesPart(c, string(f.Party))
	if err != nil {
		return "", err
	}
	i, err := introByNumber(s.tx, f.Case, f.Intro)
	if err != nil {
		return "", err
	}
	if i.Ended != nil {
		return "", notDone("the introduction was taken back by %s (%s); nothing was recorded", i.Ended.By, i.Ended.Because)
	}
	if no := i.Sides[i.side(who.Party)].No; no != nil && no.At.After(f.At) {
		return "", s.tooOld(f, no.At, "REFUSE, "+no.Via)
	}
	side := i.Sides[i.side(who.Party)]
	s.undo = &undoRow{Verb: "consent", Ref: strconv.FormatUint(f.Intro, 10), No: side.No}
	if asked, err := notices.Get(s.tx, noticeKey(s.tx, c.ID, who.Party, side.Asked)); err == nil && !asked.State.Over() {
		s.undo.Notices = []uint64{asked.ID}
	}
	if _, err := s.hears(s.tx, &who, i, true, cvd.Acceptance{At: s.tx.Now, Via: f.Via, By: f.By}, true); err != nil {
		return "", err
	}
	other := i.Sides[1-i.side(who.Party)]
	said := fmt.Sprintf("%s agrees to be introduced to %s, via %s; ", who.Party, other.Party, f.Via)
	if other.Yes != nil {
		said += "both agree, and each is told who the other is"
	} else {
		said += "nothing goes before the other agrees as well"
	}
	return said, s.recorded(who, "consent", fmt.Sprintf("to %s via %s, filed by %s", other.Party, f.Via, f.By))
}

// unconsent takes a filed consent back, while nobody was told.
func unconsent(s *sitting, u undoRow) (string, error) {
	_, who, err := s.recordedThere(u)
	if err != nil {
		return "", err
	}
	n, err := strconv.ParseUint(u.Ref, 10, 64)
	if err != nil {
		return "", err
	}
	i, err := introByNumber(s.tx, u.Case, n)
	if err != nil {
		return "", err
	}
	at := i.side(who.Party)
	if yes := i.Sides[at].Yes; i.Ended != nil || yes == nil || !yes.At.Equal(u.At) {
		return "", changedSince("the word of "+string(who.Party), "`status` says how it stands")
	}
	gone, err := s.stopIntro(s.tx, &who, &i, "the record was taken back")
	switch {
	case err != nil:
		return "", err
	case gone:
		return "", notDone("who they are has left already; what it rests on stays on record")
	}
	i.Sides[at].Yes, i.Sides[at].No = nil, u.No
	if err := putIntro(s.tx, i); err != nil {
		return "", err
	}
	for _, id := range u.Notices { // it has not answered, and is asked as before
		n, err := notices.Get(s.tx, noticeKey(s.tx, u.Case, who.Party, id))
		if err == nil {
			_, err = s.planAgain(s.tx, n, s.by.Name)
		}
		if err != nil {
			return "", err
		}
	}
	return s.unrecorded(who, u)
}

// recordIntroduced is `record PARTY introduced [to OTHER] via HOW`: a coordinator
// told a party that is told by hand who the other is. It passes the same gate, but
// for the key.
func (s *sitting) recordIntroduced(c cvd.Case, who cvd.Participant, p *phrase) (string, error) {
	i, err := s.introMeant(c, who, p)
	if err != nil {
		return "", err
	}
	how, err := p.via()
	if err != nil {
		return "", err
	}
	party, err := spokenParty(s, who)
	if err != nil {
		return "", err
	}
	told := i.Sides[i.side(who.Party)].Told
	switch {
	case party.Channel != cvd.ChannelHand:
		return "", notDone("%s gets its notices by mail; nothing was recorded", who.Party)
	case told == 0:
		return "", notDone("not both agreed, and %s may not be told; nothing was recorded", who.Party)
	}
	parcel, err := s.gather(s.tx, dueRow{Case: c.ID, Party: who.Party, Notice: told}, s.tx.Now, new(looks))
	if err != nil {
		return "", err
	}
	if a := mayHandOver(parcel.Question); a.Decision != Release {
		return "", notDone("%s may not be told now: %s; nothing was recorded", who.Party, handWhy(a))
	}
	n := parcel.Notice
	s.undo = &undoRow{Verb: "introduced", Notices: []uint64{n.ID}}
	n.State, n.Why, n.SentAt = cvd.Sent, "by hand, via "+how, s.tx.Now
	if err := putNotice(s.tx, n, time.Time{}); err != nil {
		return "", err
	}
	if err := s.heldDone(s.tx, n); err != nil {
		return "", err
	}
	other := i.Sides[1-i.side(who.Party)].Party
	return fmt.Sprintf("%s was told by hand who %s is, via %s", who.Party, other, how), s.recorded(who, "introduced", "to "+string(other)+" via "+how)
}

func spokenParty(s *sitting, who cvd.Participant) (cvd.Party, error) {
	if who.Party.IsFinder() {
		return cvd.Party{}, nil
	}
	return PartyByID(s.tx, who.Party)
}

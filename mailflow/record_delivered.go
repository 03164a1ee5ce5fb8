package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
)

// handKinds are the words for what a coordinator hands over that is no stage. A
// reminder is a call, and an introduction has a word of its own.
var handKinds = []string{string(cvd.KindEmbargo), string(cvd.KindLetter), string(cvd.KindQuestion), string(cvd.KindCounts), string(cvd.KindKey), string(cvd.KindAnswer)}

// handedOver is what a coordinator says was delivered: a stage, or a notice of
// another kind, where several of one wait with the version or the number.
type handedOver struct {
	said    string // as it was written
	stage   cvd.Stage
	kind    cvd.NoticeKind
	version int
	id      uint64
}

func (h handedOver) is(n cvd.Notice) bool {
	switch {
	case n.State.Over() || n.Kind == cvd.KindReminder || n.Kind == cvd.KindIntroduction || clearKind(n.Kind):
		return false
	case h.stage != "":
		return disclosing(n) && n.Stage == h.stage
	}
	return (h.kind == "" || h.kind == n.Kind) && (h.id == 0 || h.id == n.ID) && (h.version == 0 || h.version == n.Version)
}

// handedOver reads STAGE, `embargo [vN]`, `letter [N12]`, another kind, or N12 alone.
func (p *phrase) handedOver(c cvd.Case) (h handedOver, err error) {
	word, err := p.next("what was delivered")
	if err != nil {
		return h, err
	}
	h.said = strings.ToLower(word)
	if st, err := cvd.ParseStage(word); err == nil && st.Rank() > 0 {
		h.stage = st
		return h, nil
	}
	id, numbered := letterID(word)
	known := slices.Contains(handKinds, h.said)
	switch {
	case numbered:
		h.id = id
		return h, nil
	case h.said == string(cvd.KindIntroduction):
		return h, notDone("that two were introduced has a line of its own; write: record PARTY introduced via \"HOW\"")
	case !known:
		var all []string
		for _, s := range cvd.Stages() {
			all = append(all, string(s))
		}
		all = append(all, handKinds...)
		return h, notDone("%q is nothing that is delivered%s; say one of: %s, or the number of a notice, such as N12", word, nearest(word, all), strings.Join(all, ", "))
	}
	h.kind = cvd.NoticeKind(h.said)
	if !p.more() || p.rest[0].is("via") {
		return h, nil
	}
	h.said += " " + p.rest[0].text
	if h.kind == cvd.KindEmbargo {
		h.version, err = p.version(c)
		return h, err
	}
	which, err := p.next("its number")
	if h.id, numbered = letterID(which); err == nil && !numbered {
		err = notDone("%q is not the number of a notice, such as N12; `plan` and Held name it", which)
	}
	return h, err
}

// recordDelivered files that a coordinator handed a notice over. It passes the
// same gate as a mail, but for the key.
func (s *sitting) recordDelivered(c cvd.Case, who cvd.Participant, p *phrase) (string, error) {
	what, err := p.handedOver(c)
	if err != nil {
		return "", err
	}
	how, err := p.via()
	if err != nil {
		return "", err
	}
	n, q, err := s.toHandOver(c, who, what)
	if err != nil {
		return "", err
	}
	if a := mayHandOver(q); a.Decision != Release {
		return "", notDone("%s may not be told %s now: %s; nothing was recorded. `plan %s` shows when it may, and what is missing",
			who.Party, handName(n), handWhy(a), who.Party)
	}
	shown, err := waitingLetter(s.tx, n)
	if err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "delivered", Case: c.ID, Party: who.Party, Stage: n.Stage, Notices: []uint64{n.ID}, Ref: shown.MessageID}
	n.State, n.Why, n.SentAt, n.Hash = cvd.Sent, "by hand, via "+how, s.tx.Now, q.Hash
	if err := putNotice(s.tx, n, time.Time{}); err != nil {
		return "", err
	}
	if err := s.heldDone(s.tx, n); err != nil {
		return "", err
	}
	if disclosing(n) && n.Stage.Rank() > who.Reached.Rank() {
		who.Reached = n.Stage
	}
	if n.Code != "" {
		who.Remember(n.Code, n.ID, s.tx.Now)
	}
	said := fmt.Sprintf("%s was told %s by hand, via %s", who.Party, handName(n), how)
	if disclosing(n) {
		return said, s.recorded(who, "delivered", string(n.Stage)+" via "+how)
	}
	return said, s.handFiled(who, "delivered", handName(n)+" via "+how)
}

// handFiled writes what was handed over, or taken back of that. Unlike a stage it
// answers no letter, whose task stays.
func (s *sitting) handFiled(who cvd.Participant, what, detail string) error {
	if err := PutParticipant(s.tx, who); err != nil {
		return err
	}
	err := record(s.tx, journal.Record{Case: string(who.Case), Party: string(who.Party), Actor: s.by.Name, Kind: "record." + what, Detail: detail})
	if err != nil {
		return err
	}
	return s.replan(s.tx, who.Case)
}

// toHandOver finds the notice that a coordinator handed over, and what the
// gate is asked about it.
func (s *sitting) toHandOver(c cvd.Case, who cvd.Participant, what handedOver) (cvd.Notice, Question, error) {
	party, err := spokenParty(s, who)
	if err != nil {
		return cvd.Notice{}, Question{}, err
	}
	if party.Channel != cvd.ChannelHand {
		return cvd.Notice{}, Question{}, notDone("%s gets its notices by mail; `vendor edit %s channel hand` first if it is told another way", who.Party, who.Party)
	}
	all, err := Notices(s.tx, c.ID, who.Party)
	if err != nil {
		return cvd.Notice{}, Question{}, err
	}
	all = slices.DeleteFunc(all, func(n cvd.Notice) bool { return !what.is(n) })
	switch {
	case len(all) == 0 && what.stage != "":
		return cvd.Notice{}, Question{}, notDone("%s is not planned for %s; `plan %s` shows what is", what.stage, who.Party, who.Party)
	case len(all) == 0:
		return cvd.Notice{}, Question{}, notDone("no %s waits for %s, so nothing was recorded; Held shows what does", what.said, who.Party)
	case len(all) > 1 && what.stage == "":
		var names []string
		for _, n := range all {
			names = append(names, handName(n))
		}
		return cvd.Notice{}, Question{}, notDone("several wait for %s: %s; nothing was recorded. Say which one, by what stands here", who.Party, strings.Join(names, ", "))
	}
	parcel, err := s.gather(s.tx, dueRow{Case: c.ID, Party: who.Party, Notice: all[0].ID}, s.tx.Now, new(looks))
	if err != nil {
		return all[0], Question{}, err
	}
	return all[0], parcel.Question, nil
}

func handWhy(a Answer) string {
	switch a.Decision {
	case NotYet:
		return a.Why + " until " + utc(a.At)
	case Ask:
		return "it waits for approval " + a.Why
	}
	return a.Why
}

// undeliver takes back that a notice was handed over: it is planned again.
func undeliver(s *sitting, u undoRow) (string, error) {
	c, who, err := s.recordedThere(u)
	if err != nil {
		return "", err
	}
	all, err := Notices(s.tx, c.ID, who.Party)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(all, func(n cvd.Notice) bool {
		return slices.Contains(u.Notices, n.ID) && n.State == cvd.Sent && n.Delivery == 0 && n.SentAt.Equal(u.At)
	})
	changed := changedSince("what "+string(who.Party)+" was told", "`plan "+string(who.Party)+"` shows it")
	if i < 0 || all[i].Kind == cvd.KindStage && who.Reached != all[i].Stage {
		return "", changed
	}
	if all[i].Kind == cvd.KindQuestion {
		switch answered, err := s.answered(all[i]); {
		case err != nil:
			return "", err
		case answered:
			return "", changed
		}
	}
	n := all[i]
	n.SentAt = time.Time{}
	if n, err = s.planAgain(s.tx, n, s.by.Name); err != nil {
		return "", err
	}
	all[i] = n
	who.Codes = slices.DeleteFunc(who.Codes, func(c cvd.Code) bool { return c.Notice == n.ID })
	if disclosing(n) {
		who.Reached = reachedBy(all)
		return s.unrecorded(who, u)
	}
	if n.Kind == cvd.KindLetter {
		if err := s.showAgain(n, u.Ref); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s: taken back, %s was not delivered", who.Party, handName(n)), s.handFiled(who, "delivered.undone", handName(n))
}

// answered says whether a party said what it thinks of an introduction since it
// was asked.
func (s *sitting) answered(n cvd.Notice) (bool, error) {
	i, err := introByNumber(s.tx, n.Case, n.Intro)
	if err != nil {
		return false, err
	}
	side := i.Sides[i.side(n.Party)]
	return side.Yes != nil || side.No != nil || i.Ended != nil, nil
}

package mailflow

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
	"parley/templates"
)

// faqEntry is an answer that every vendor at a stage got. Whoever reaches the
// stage later gets it with the stage.
type faqEntry struct {
	Case   cvd.CaseID
	Stage  cvd.Stage
	Text   string
	Author string
	At     time.Time // zero where it was written before that was kept
}

var faqs = store.WriteOnce[faqEntry]("faqs")

func faqPrefix(tx *store.Tx, c cvd.CaseID, s cvd.Stage) []byte {
	return tx.Name("faq", string(c), string(s))
}

func faqKey(tx *store.Tx, c cvd.CaseID, s cvd.Stage, n uint64) []byte {
	return append(faqPrefix(tx, c, s), store.Seq(n)...)
}

// faqOf lists the answers that belong to a stage, oldest first.
func faqOf(tx *store.Tx, c cvd.CaseID, s cvd.Stage) ([]faqEntry, error) {
	return collect(faqs.All(tx, faqPrefix(tx, c, s)), nil)
}

// faqStage stands for the stage of what is said of answers.
const faqStage cvd.Stage = "answers"

// answerWords are the answers of a stage as the guard looks at them: each may have
// been written long before the participant came that it goes to now.
func answerWords(all []faqEntry) ([]wording, error) {
	var out []wording
	for i, e := range all {
		w := wording{Material: cvd.Material{Case: e.Case, Stage: faqStage, Version: i + 1, At: e.At, Author: e.Author, Text: e.Text}}
		var err error
		if w.Digest, err = digestOf(e.Text); err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

// faqTexts are the answers as they go out with a stage.
func faqTexts(all []faqEntry) []string {
	var out []string
	for _, e := range all {
		out = append(out, e.Text)
	}
	return out
}

// caseAnswerAll is `answer-all [stage] STAGE "TEXT"`: a vendor's question, answered to
// every vendor that has reached the stage, in a mail to each, without a word on
// who asked.
func caseAnswerAll(s *sitting, p *phrase) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	p.word("stage")
	stage, err := p.stage()
	if err != nil {
		return "", err
	}
	text := p.until()
	switch _, inPolicy := c.Policy.Rule(stage); {
	case text == "":
		return "", notDone("the answer is missing; write: %s", p.usage)
	case !inPolicy:
		return "", notDone("policy %s has no stage %s", c.Policy.Name, stage)
	case stage == cvd.HeadsUp:
		return "", notDone("a heads-up holds nobody's words, and so has no answers that later vendors could get; write to vendors.%s@%s, which reaches each vendor separately",
			c.ID.Lower(), s.DeskDomain)
	}
	if err := s.namesNobody(c, text); err != nil {
		return "", err
	}
	n, err := s.tx.Next("faq")
	if err != nil {
		return "", err
	}
	key := faqKey(s.tx, c.ID, stage, n)
	if err := faqs.Put(s.tx, caseScope(c.ID), key, faqEntry{c.ID, stage, text, s.by.Name, s.tx.Now}); err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "answer-all", Case: c.ID, Stage: stage, Answer: n}
	told, err := s.answerEach(c, stage, text)
	if err != nil {
		return "", err
	}
	if err := record(s.tx, journal.Record{Case: string(c.ID), Actor: s.by.Name, Kind: "answer-all", Ref: string(stage)}); err != nil {
		return "", err
	}
	return answerGoes(stage, told), s.wakeNotices(s.tx, c.ID, "")
}

func answerGoes(stage cvd.Stage, told []cvd.PartyID) string {
	now := fmt.Sprintf("nothing goes now, since no vendor has reached %s", stage)
	if len(told) > 0 {
		now = fmt.Sprintf("goes to %s at %s, each in a mail of its own (%s)", count(len(told), "vendor"), stage, partyList(told))
	}
	return fmt.Sprintf("%s; who reaches %s later gets it with the stage, which is asked about again where it was approved", now, stage)
}

// answerEach writes the answer to every vendor that was told the stage.
func (s *sitting) answerEach(c cvd.Case, stage cvd.Stage, text string) ([]cvd.PartyID, error) {
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return nil, err
	}
	ps = slices.DeleteFunc(ps, func(p cvd.Participant) bool {
		return !p.Has(cvd.RoleVendor) || p.Withdrawn != nil || p.Declined != nil || p.Reached.Rank() < stage.Rank()
	})
	if err := s.mustNotCross(c.ID, c, text, ps...); err != nil {
		return nil, err
	}
	var told []cvd.PartyID
	for _, p := range ps {
		v := templates.Letter{Us: s.us(), Case: c.ID, About: templates.AboutAnswer, Stage: stage, Text: text}
		if v.To, err = spokenTo(s.tx, p); err != nil {
			return nil, err
		}
		if rule, ok := c.Policy.Rule(p.Reached); ok {
			v.TLP = rule.TLP
		}
		r, err := s.Templates.Letter(v)
		if err != nil {
			return nil, err
		}
		n := cvd.Notice{Case: c.ID, Party: p.Party, Kind: cvd.KindLetter, LastAct: s.tx.Now}
		if n, err = s.newNotice(s.tx, n, &Letter{Subject: r.Subject, Text: r.Text, Author: s.by.Name, For: stage}); err != nil {
			return nil, err
		}
		s.undo.Notices = append(s.undo.Notices, n.ID)
		told = append(told, p.Party)
	}
	return told, nil
}

// unanswer takes an answer for all back of which no mail has left yet.
func unanswer(s *sitting, u undoRow) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	letters, err := s.lettersOf(c, u.Notices)
	if err != nil {
		return "", err
	}
	for _, n := range letters {
		if hasLeft(n.State) {
			return "", notDone("the answer has left for %s already; write another with `answer-all`", n.Party)
		}
	}
	for _, n := range letters {
		if n.State == cvd.Cancelled {
			continue
		}
		if err := s.cancel(s.tx, n, "the answer was taken back"); err != nil {
			return "", err
		}
	}
	if err := faqs.Delete(s.tx, faqKey(s.tx, c.ID, u.Stage, u.Answer)); err != nil {
		return "", err
	}
	return fmt.Sprintf("the answer goes to nobody, and is not among those of %s", u.Stage), s.wakeNotices(s.tx, c.ID, "")
}

// lettersOf reads notices of a case by their IDs.
func (s *sitting) lettersOf(c cvd.Case, ids []uint64) ([]cvd.Notice, error) {
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return nil, err
	}
	var out []cvd.Notice
	for _, p := range ps {
		all, err := Notices(s.tx, c.ID, p.Party)
		if err != nil {
			return nil, err
		}
		for _, n := range all {
			if slices.Contains(ids, n.ID) {
				out = append(out, n)
			}
		}
	}
	return out, nil
}

// namesNobody refuses an answer for all that names a participant of the case, by
// any of the names that the guard knows: an answer joins the stage, and goes to
// who is told that later, too (rule V6).
func (s *sitting) namesNobody(c cvd.Case, text string) error {
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return err
	}
	all, err := s.namesIn(s.tx, c.ID)
	if err != nil {
		return err
	}
	words := &spelled{}
	words.spell("", text)
	named := all.in(words.text)
	slices.SortStableFunc(named, func(x, y mention) int { return cmp.Or(x.from-y.from, y.to-x.to) })
	for _, m := range named {
		if slices.ContainsFunc(ps, func(p cvd.Participant) bool { return p.Party == m.party }) {
			return notDone("the answer says %q, which would tell every vendor of %s; nothing was sent. Say it without the name", string(words.text[m.from:m.to]), m.party)
		}
	}
	return nil
}

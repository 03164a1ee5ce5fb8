package mailflow

import (
	"errors"
	"slices"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// crossings are what of a text must be seen by a person before it goes to one
// participant. What the participant wrote itself or got already does not count.
func (b *Base) crossings(tx *store.Tx, e *examined, who cvd.Participant, reach cvd.Stage) ([]Crossing, error) {
	out := e.laterFiles(who, reach)
	if !e.whole {
		out = append(out, Crossing{Kind: crossLong})
	}
	sent, err := b.sentByOthers(tx, e, who)
	if err != nil {
		return nil, err
	}
	out = append(out, sent...)
	quoted, err := b.sharedWithOthers(tx, e, who)
	if err != nil {
		return nil, err
	}
	tags, err := tagsFor(tx, e, who)
	if err != nil {
		return nil, err
	}
	out = append(out, e.named(tags)...)
	mentions, err := strangers(tx, e.othersNamed(who), who)
	if err != nil {
		return nil, err
	}
	later := e.laterThan(who, reach)
	if len(quoted)+len(mentions)+len(later) == 0 {
		return out, nil
	}
	known, err := known(tx, e.guard, who)
	if err != nil {
		return nil, err
	}
	var parts []run
	for _, s := range quoted {
		parts = append(parts, s.run)
	}
	for _, l := range later {
		parts = append(parts, l.run)
	}
	for _, m := range mentions {
		parts = append(parts, e.beside(m))
	}
	cover, err := b.cover(tx, e, parts, known)
	if err != nil {
		return nil, err
	}
	return append(out, e.uncovered(cover, quoted, mentions, later)...), nil
}

// sharedWithOthers leaves out what the participant wrote.
func (b *Base) sharedWithOthers(tx *store.Tx, e *examined, who cvd.Participant) ([]shared, error) {
	var out []shared
	for _, s := range e.shared {
		theirs, err := b.wroteIt(tx, s.by, who)
		if err != nil {
			return nil, err
		}
		if !theirs {
			out = append(out, s)
		}
	}
	return out, nil
}

// wroteIt says whether a message is a participant's own.
func (b *Base) wroteIt(tx *store.Tx, m store.Message, who cvd.Participant) (bool, error) {
	if !who.Party.IsFinder() && cvd.PartyID(m.Party) != who.Party {
		return false, nil
	}
	if strange, err := astray(tx, m); err != nil || strange {
		return false, err
	}
	if !who.Party.IsFinder() {
		return true, nil
	}
	keys, err := threadKeys(tx, who.Case, 0, who.Party)
	return slices.Contains(keys, threadOfMessage(m)), err // everybody's finder has the same name
}

// astray says whether a mail came to the address of a participant, was not taken
// for its, and is from somebody else's address: whoever wrote it, it was not the
// participant.
func astray(tx *store.Tx, m store.Message) (bool, error) {
	if m.Direction != "in" || m.Party == "" || m.Kind != "quarantine" && m.Kind != kindFiled && m.Kind != kindUnfiled {
		return false, nil
	}
	who, err := ParticipantByID(tx, cvd.CaseID(m.Case), cvd.PartyID(m.Party))
	if errors.Is(err, ErrNoParticipant) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	own, err := addressesOf(tx, who)
	return !slices.ContainsFunc(own, func(o string) bool { return keyring.SameAddress(o, m.Sender) }), err
}

// othersNamed are the mentions of others, those in the name of the participant's
// own product excepted.
func (e *examined) othersNamed(who cvd.Participant) []mention {
	if len(e.mentions) == 0 {
		return nil
	}
	own := &names{by: map[string][]named{}}
	own.add(who.Party, who.Affects)
	return others(append(slices.Clone(e.mentions), own.in(e.words.text)...), who.Party)
}

// known lists all messages from and to a participant. A party knows what it
// learned in another case.
func known(tx *store.Tx, g *Guard, who cvd.Participant) ([]uint32, error) {
	listed, wanted := g.threadsWith(who.Party), func(t threadOf) bool { return t.Party == who.Party }
	if who.Party.IsFinder() {
		keys, err := threadKeys(tx, who.Case, 0, who.Party)
		if err != nil {
			return nil, err
		}
		listed, wanted = nil, func(t threadOf) bool { return slices.Contains(keys, t) }
		for _, k := range keys {
			listed = append(listed, g.thread(k)...)
		}
	}
	var out []uint32
	for _, id := range listed {
		m, err := inThread(tx, id, wanted)
		if err != nil {
			return nil, err
		}
		if m != nil {
			out = append(out, id)
		}
	}
	return out, nil
}

// mostCrossings is how many are told of one text.
const mostCrossings = 20

// uncovered words what is left: of what one party wrote or of one stage, the
// first run of those that overlap; of a name its first place.
func (e *examined) uncovered(cover []bool, quoted []shared, mentions []mention, later []laterRun) []Crossing {
	var out []Crossing
	told := map[Crossing]run{}
	add := func(c, about Crossing, r run) {
		if before, ok := told[about]; ok && (c.Kind == crossNames || r.from < before.to) || len(out) == mostCrossings {
			return
		}
		told[about] = r
		first := r.from
		for first < r.to-1 && !wordRune(e.words.text[first]) {
			first++
		}
		c.Piece, c.Line = e.words.where(first)
		c.Chars = r.to - r.from
		out = append(out, c)
	}
	for _, s := range quoted {
		c := Crossing{Kind: crossQuotes, Party: cvd.PartyID(s.by.Party), Case: caseOfMessage(s.by), At: s.by.At}
		for _, r := range s.without(cover, runeRun) {
			add(c, Crossing{Kind: c.Kind, Party: c.Party, Case: c.Case}, r)
		}
	}
	for _, l := range later {
		c := Crossing{Kind: crossLater, Stage: l.stage}
		for _, r := range l.without(cover, runeRun) {
			add(c, c, r)
		}
	}
	for _, m := range mentions {
		if c := (Crossing{Kind: crossNames, Party: m.party}); slices.Contains(cover[m.from:m.to], false) {
			add(c, c, m.run)
		}
	}
	return out
}

// named words the tags of other cases, each at its first place.
func (e *examined) named(tags []tagged) []Crossing {
	var out []Crossing
	for _, t := range tags {
		c := Crossing{Kind: crossTag, Tag: t.id}
		if len(out) < mostCrossings && !slices.ContainsFunc(out, func(o Crossing) bool { return o.Tag == t.id }) {
			c.Piece, c.Line = e.words.where(t.from)
			out = append(out, c)
		}
	}
	return out
}

// caseOfMessage is the case of a message, or the pseudo case of its report.
func caseOfMessage(m store.Message) cvd.CaseID {
	if m.Case == "" && m.Report != 0 {
		return reportCase(m.Report)
	}
	return cvd.CaseID(m.Case)
}

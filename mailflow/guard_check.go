package mailflow

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// crossingKind says what a text does that a person must see.
type crossingKind string

const (
	crossQuotes crossingKind = "quotes" // repeats what another party wrote
	crossNames  crossingKind = "names"  // names another party
	crossTag    crossingKind = "tag"    // names another case
	crossLater  crossingKind = "later"  // repeats what belongs to a later stage
	crossFile   crossingKind = "file"   // is a file of a later stage
	crossSent   crossingKind = "sent"   // is a file that another party sent
	crossLong   crossingKind = "long"   // holds more text than can be compared
)

// Crossing is something in a text that does not go to a party before a person
// saw it (rule V6).
type Crossing struct {
	Kind  crossingKind
	Piece string // of the mail, "file-1.txt"; empty for the letter
	Line  int    // of that, from 1
	Chars int
	Party cvd.PartyID // who wrote it, or who is named
	Case  cvd.CaseID  // in whose thread
	At    time.Time
	Stage cvd.Stage
	Tag   cvd.CaseID `json:",omitempty"` // that stands in it
}

// shared is a run of a text that a party wrote before.
type shared struct {
	run
	by store.Message
}

// laterRun is a run of a text that stands in the material of a stage.
type laterRun struct {
	run
	stage cvd.Stage
	at    time.Time
}

// examined is what is known of a text that is to leave, whoever gets it.
type examined struct {
	guard    *Guard
	words    *spelled
	whole    bool
	shared   []shared
	mentions []mention
	tags     []tagged
	material []stageText // of the case
	later    []laterRun
	files    []laterFile
	sent     []sentFile

	within *store.Tx                     // the update in which it was examined, or nil
	until  context.Context               // ends the comparing
	desk   map[besideKey][]store.Message // see deskWrote
	known  knownRuns
}

// question is what is to be examined: a text of a case, and since when it
// stands. What somebody wrote later is not quoted by it; the zero instant is
// now.
type question struct {
	outgoing
	id    cvd.CaseID
	at    time.Time
	until context.Context // ends the comparing; nil is never
}

// examine compares a text with what parties wrote in any thread, with the names
// of all parties, and with the material of its case.
func (b *Base) examine(tx *store.Tx, q question) (*examined, error) {
	all, err := b.namesIn(tx, q.id)
	if err != nil {
		return nil, err
	}
	return b.examineWith(tx, q, all)
}

// examineWith is examine for who has the names already: to read the directory
// takes longer than all else where it is large.
func (b *Base) examineWith(tx *store.Tx, q question, all *names) (*examined, error) {
	e := newExamined(tx, b.guard(), q.until)
	if err := e.guard.catchUp(e.until, tx, b); err != nil {
		return nil, err
	}
	e.words, e.whole = q.spelled()
	e.mentions = all.in(e.words.text)
	var err error
	if e.tags, err = b.tagsOfOthers(tx, e.words.text, q.id); err != nil {
		return nil, err
	}
	if err := findLater(tx, q, e); err != nil {
		return nil, err
	}
	if err := b.findShared(tx, q, e); err != nil {
		return nil, err
	}
	return e, b.findSent(tx, q, e)
}

// findShared finds what other people wrote, but for what the desk had written
// to them first.
func (b *Base) findShared(tx *store.Tx, q question, e *examined) error {
	found, err := b.quotedIn(tx, q, e)
	if err != nil {
		return err
	}
	e.watch(found)
	for _, f := range found {
		first, err := b.deskFirst(tx, e, f.by)
		if err != nil {
			return err
		}
		cover, err := b.cover(tx, e, f.runs, first)
		if err != nil {
			return err
		}
		for _, r := range f.runs {
			for _, left := range r.without(cover, runeRun) {
				e.shared = append(e.shared, shared{left, f.by})
			}
		}
	}
	slices.SortFunc(e.shared, func(x, y shared) int { return cmp.Or(x.from-y.from, cmp.Compare(x.by.ID, y.by.ID)) })
	return nil
}

// quotation is what a text shares with one message.
type quotation struct {
	by   store.Message
	runs []run
}

// quotedIn finds what a text shares with messages that people wrote before it.
func (b *Base) quotedIn(tx *store.Tx, q question, e *examined) ([]quotation, error) {
	suspects := e.guard.sharing(e.words.text)
	near := e.guard.hash.gramsIn(e.words.text, around(len(e.words.text), suspects.at, runeRun), runeRun)
	var out []quotation
	for _, id := range slices.Sorted(maps.Keys(suspects.in)) {
		if err := e.over(); err != nil {
			return nil, err
		}
		m, words, err := b.readForGuard(tx, id)
		if err != nil {
			return nil, err
		}
		if words == nil || !q.at.IsZero() && m.At.After(q.at) {
			continue
		}
		parts := around(len(e.words.text), suspects.places(id), runeRun)
		if runs := near.runsOf(parts, words.text); len(runs) > 0 {
			out = append(out, quotation{m, runs})
		}
	}
	return out, nil
}

// readForGuard reads a message as the guard compares it; nil words where nobody
// can read it.
func (b *Base) readForGuard(tx *store.Tx, id uint32) (store.Message, *spelled, error) {
	m, err := tx.Message(uint64(id))
	if err == nil {
		var s *spelled
		if s, err = b.spellMessage(tx, m); err == nil {
			return m, s, nil
		}
	}
	if unreadableMessage(err) {
		err = nil
	}
	return m, nil, err
}

// deskFirst lists what the desk wrote before a message: to whoever wrote it, and
// for the case. Who quotes that does not make it words of its own.
func (b *Base) deskFirst(tx *store.Tx, e *examined, m store.Message) ([]uint32, error) {
	all, err := b.deskWrote(tx, e, m)
	if err != nil {
		return nil, err
	}
	var out []uint32
	for _, d := range all {
		if isBefore(&d, m) {
			out = append(out, uint32(d.ID))
		}
	}
	return out, nil
}

// deskWrote lists all that the desk wrote in the thread of a message and for its
// case, once for all messages of the thread.
func (b *Base) deskWrote(tx *store.Tx, e *examined, m store.Message) ([]store.Message, error) {
	of := besideKey{threadOf{cvd.CaseID(m.Case), cvd.PartyID(m.Party)}, m.Report}
	if all, known := e.desk[of]; known {
		return all, nil
	}
	keys, err := threadKeys(tx, cvd.CaseID(m.Case), m.Report, cvd.PartyID(m.Party))
	if err != nil {
		return nil, err
	}
	keys = append(keys, threadOf{cvd.CaseID(m.Case), deskNotes})
	var out []store.Message
	for _, t := range keys {
		for _, id := range e.guard.thread(t) {
			m, err := inThread(tx, id, func(t threadOf) bool { return slices.Contains(keys, t) })
			if err != nil {
				return nil, err
			}
			if m != nil && m.Direction != "in" {
				out = append(out, *m)
			}
		}
	}
	e.desk[of] = out
	return out, nil
}

// besideKey is what a message says of its thread.
type besideKey struct {
	threadOf
	report uint64
}

// isBefore says whether a message is older. Views of our mails are written anew
// with the date of the mail and a number of their own.
func isBefore(a *store.Message, m store.Message) bool {
	return a.At.Before(m.At) || a.At.Equal(m.At) && a.ID < m.ID
}

// inThread reads a message that the guard lists in a thread; nil where it does
// not stand there, or nobody can read it. The guard may go by what was never
// committed, or by the thread that it had before.
func inThread(tx *store.Tx, id uint32, wanted func(threadOf) bool) (*store.Message, error) {
	m, err := tx.Message(uint64(id))
	if unreadableMessage(err) || err == nil && !wanted(threadOfMessage(m)) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	strange, err := astray(tx, m)
	if err != nil || strange {
		return nil, err
	}
	return &m, nil
}

// threadKeys are the names under which the messages of a thread are remembered:
// that with a finder begins before its case does.
func threadKeys(tx *store.Tx, id cvd.CaseID, report uint64, party cvd.PartyID) ([]threadOf, error) {
	if report != 0 {
		id, party = reportCase(report), cvd.Finder
	}
	id, party, err := threadNow(tx, id, party)
	if err != nil {
		return nil, err
	}
	keys := []threadOf{{id, party}}
	if !party.IsFinder() {
		return keys, nil
	}
	c, err := CaseByID(tx, id)
	if err != nil && !errors.Is(err, ErrNoCase) {
		return nil, err
	}
	for _, n := range c.Reports {
		r, err := reports.Get(tx, store.Seq(n))
		if err != nil {
			return nil, err
		}
		if r.Finder() == party {
			keys = append(keys, threadOf{reportCase(n), cvd.Finder})
		}
	}
	return keys, nil
}

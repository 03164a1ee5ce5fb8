package mailflow

import (
	"context"
	"sync"

	"parley/mailflow/store"
)

const (
	// coverRun is how many characters at least must stand together in what a party
	// knows already, or the desk wrote first, so that they count for that.
	coverRun = 24
	// mostKnown is how many runs are remembered of one text: 16 MiB of them. What is
	// beyond is compared anew each time.
	mostKnown = 1 << 20
)

// knownRuns remembers of a text which runs of it stand in which message. Neither
// ever changes, so that each two are compared once, in a snapshot, and the
// transaction that asks again reads the answer. Only what may have to be covered
// is looked at.
type knownRuns struct {
	parts []run
	grams *grams // of coverRun characters, in parts

	mu   sync.Mutex // many ask at once
	runs map[uint32][]run
	kept int // runs, of all messages
}

func newExamined(tx *store.Tx, g *Guard, until context.Context) *examined {
	e := &examined{guard: g, until: until, desk: map[besideKey][]store.Message{}}
	if e.until == nil {
		e.until = context.Background()
	}
	if tx.Writable() {
		e.within = tx
	}
	return e
}

// over is an error once nobody waits for the comparison any more. What was not
// compared does not leave.
func (e *examined) over() error { return e.until.Err() }

// watch says which parts of a text may have to be covered: all that crossings and
// findShared ask of cover. Elsewhere nothing ever counts as covered.
func (e *examined) watch(quoted []quotation) {
	var parts []run
	for _, q := range quoted {
		parts = append(parts, q.runs...)
	}
	for _, l := range e.later {
		parts = append(parts, l.run)
	}
	for _, m := range e.mentions {
		parts = append(parts, e.beside(m))
	}
	e.known.parts = merged(parts, coverRun)
	e.known.grams = e.guard.hash.gramsIn(e.words.text, e.known.parts, coverRun)
}

// beside is a mention with what stands around it.
func (e *examined) beside(m mention) run {
	return run{max(m.from-runeRun, 0), min(m.to+runeRun, len(e.words.text))}
}

// cover marks the characters of parts of a text that stand in messages.
func (b *Base) cover(tx *store.Tx, e *examined, parts []run, messages []uint32) ([]bool, error) {
	cover := make([]bool, len(e.words.text))
	parts = merged(parts, coverRun)
	if len(parts) == 0 {
		return cover, nil
	}
	for _, id := range messages {
		runs, err := b.runsIn(tx, e, id)
		if err != nil {
			return nil, err
		}
		mark(cover, parts, runs, coverRun)
	}
	return cover, nil
}

// runsIn finds which runs of a text stand in a message, or remembers it. What an
// update may have written itself is remembered for that update only: its numbers
// may be given to others.
func (b *Base) runsIn(tx *store.Tx, e *examined, id uint32) ([]run, error) {
	k := &e.known
	k.mu.Lock()
	runs, known := k.runs[id]
	k.mu.Unlock()
	if known {
		return runs, nil
	}
	if err := e.over(); err != nil {
		return nil, err
	}
	_, words, err := b.readForGuard(tx, id)
	if err != nil {
		return nil, err
	}
	if words != nil {
		runs = k.grams.runsOf(k.parts, words.text)
	}
	if tx.Writable() && e.within != tx {
		return runs, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, known := k.runs[id]; !known && k.kept+len(runs) <= mostKnown {
		if k.runs == nil {
			k.runs = map[uint32][]run{}
		}
		k.runs[id] = runs
		k.kept += len(runs)
	}
	return runs, nil
}

package mailflow

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// What counts as covered is what a search finds: the runs of coverRun characters
// that stand wholly in one of the parts and in one of the messages.
func TestV6_CoverAgreesWithSearch(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(24, 24))
	h, marked := newHasher(), 0
	for range 300 {
		text := []rune(lettersFrom(r, []rune("ab"), 300))
		var parts []run
		for range 1 + r.IntN(6) {
			from := r.IntN(len(text) - 60)
			parts = append(parts, run{from, from + 20 + r.IntN(40)})
		}
		got, want := make([]bool, len(text)), make([]bool, len(text))
		all := merged(parts, coverRun)
		index := h.gramsIn(text, all, coverRun)
		for range 3 {
			at := r.IntN(len(text) - 80)
			other := []rune(lettersFrom(r, []rune("ab"), 50) + string(text[at:at+20+r.IntN(60)]) + lettersFrom(r, []rune("ab"), 50))
			mark(got, all, index.runsOf(all, other), coverRun)
			for _, p := range parts {
				for i := p.from; i+coverRun <= p.to; i++ {
					if strings.Contains(string(other), string(text[i:i+coverRun])) {
						for k := range coverRun {
							want[i+k] = true
							marked++
						}
					}
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q, parts %v\ngot  %v\nwant %v", string(text), parts, got, want)
		}
	}
	if marked == 0 {
		t.Error("nothing was covered")
	}
}

// What stands in a text thousands of times is listed once for each message that
// has it, too.
func TestV6_RepetitionIsListedOnce(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"one letter": strings.Repeat("a", 200_000), "one line": sameAgain(2000, "acme", 1)} {
		s := spelledText(text)
		g, all := guardOf(slices.Repeat([]*spelled{spelledText(text[:2000])}, 100)...)
		suspects, listed := g.sharing(s.text), 0
		for id := range all {
			listed += len(suspects.in[id])
		}
		if len(suspects.in) != len(all) || listed > 100*len(all) || len(suspects.at) < 2000 {
			t.Errorf("%s: %d grams are listed for %d messages, of %d in the text", name, listed, len(suspects.in), len(suspects.at))
		}
		if runs := g.finds(s, all); len(runs) == 0 {
			t.Errorf("%s: nothing was found", name)
		}
	}
}

// The transaction that asks again reads what was compared in the snapshot before
// it; what an update filed itself, and may never be committed, is not remembered.
func TestV6_ComparedOutsideTheTransaction(t *testing.T) {
	t.Parallel()
	w, id, to := manyAlike(t, 2, 3)
	l := &looks{}
	found := func(tx *store.Tx, p cvd.Participant) bool {
		t.Helper()
		yes, err := w.suspicious(tx, p, cvd.Notice{Case: id, Party: p.Party, Kind: cvd.KindStage, Stage: cvd.Scope}, l)
		if err != nil {
			t.Error(err)
		}
		return yes
	}
	acme := to[slices.IndexFunc(to, func(p cvd.Participant) bool { return p.Party == "acme" })]
	w.view(func(tx *store.Tx) error {
		if !found(tx, acme) {
			t.Error("what globex wrote was not found")
		}
		return nil
	})
	if len(l.compared) != 1 {
		t.Fatalf("%d texts were compared", len(l.compared))
	}
	var e *examined
	for _, e = range l.compared {
	}
	before := len(e.known.runs)
	taken := errors.New("taken back")
	err := w.Store.Update(func(tx *store.Tx) error {
		raw := strings.ReplaceAll("From: a@b.example\nSubject: x\n\n"+sameAgain(3, "globex", 0), "\n", "\r\n")
		m, err := w.keepOwn(tx, []byte(raw), store.Message{Scope: caseScope(id), Direction: "out", Case: string(id), Party: "acme"})
		if err != nil {
			return err
		}
		if runs, err := w.runsIn(tx, e, uint32(m.ID)); err != nil || len(runs) == 0 {
			t.Errorf("of what was just filed stands in it %v, %v", runs, err)
		}
		return taken
	})
	if !errors.Is(err, taken) || before == 0 || len(e.known.runs) != before {
		t.Errorf("%v; of %d messages it remembers the runs, before of %d", err, len(e.known.runs), before)
	}
	for k := range e.known.runs { // as if all stood in each
		e.known.runs[k] = []run{{0, len(e.words.text)}}
	}
	w.update(func(tx *store.Tx) error {
		if found(tx, acme) {
			t.Error("the transaction compared again")
		}
		return nil
	})
}

// A gateway that stops while it compares holds nothing and lets nothing go: the
// notice stays planned, and leaves after the next start.
func TestV6_StopWhileComparing(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.material(id, cvd.Scope, "the component is the frame decoder of libfoo before its version four point two")
	w.answers("acme", id, true, "ACK "+string(id)+"\n")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	n := w.notice(id, "acme", cvd.Scope)
	row := dueNotice{dueRow{Case: id, Party: n.Party, Notice: n.ID}, slices.Concat(store.Instant(n.Row), store.Seq(n.ID))}
	before := w.serial()
	if err := w.sched.Outbox.Release(t.Context(), row, w.clock.Now(), &looks{until: ctx}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if now := w.notice(id, "acme", cvd.Scope); n.ID == 0 || now.State != n.State || w.serial() != before {
		t.Errorf("notice %d is %s, was %s; commit %d, was %d", n.ID, now.State, n.State, w.serial(), before)
	}
	w.after(2 * cvd.Day)
	w.told("acme", "Heads-up", "Scope")
}

// Who stopped waiting is told nothing: a comparison that was cut short is no
// answer.
func TestV6_CutShortIsNoAnswer(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	ctx, stop := context.WithCancel(t.Context())
	var e *examined
	w.view(func(tx *store.Tx) (err error) {
		e, err = w.examine(tx, question{outgoing: outgoing{text: "they say " + globexWords}, id: id, until: ctx})
		return err
	})
	stop()
	w.view(func(tx *store.Tx) error {
		who, err := ParticipantByID(tx, id, "acme")
		if err != nil {
			return err
		}
		if found, err := w.crossings(tx, e, who, who.Reached); !errors.Is(err, context.Canceled) {
			t.Errorf("found %v, %v", found, err)
		}
		if _, err := w.examine(tx, question{outgoing: outgoing{text: "they say " + globexWords}, id: id, until: ctx}); !errors.Is(err, context.Canceled) {
			t.Errorf("examined: %v", err)
		}
		return nil
	})
}

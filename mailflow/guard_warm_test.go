package mailflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// fileMany files n mails of somebody outside, each with so many characters that
// nobody else quotes.
func (w *world) fileMany(tx *store.Tx, r *rand.Rand, n, characters int) (texts []string) {
	w.t.Helper()
	for range n {
		text := lettersFrom(r, latin, characters)
		raw := "From: a@b.example\r\nSubject: x\r\n\r\n" + text + "\r\n"
		if _, err := w.keepOwn(tx, []byte(raw), store.Message{Scope: DeskScope, Direction: "in"}); err != nil {
			w.t.Error(err)
		}
		texts = append(texts, text)
	}
	return texts
}

// cold forgets what the guard knows, and makes it too much to be read within a
// transaction.
func (w *world) cold() {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		w.fileMany(tx, rand.New(rand.NewPCG(1, 2)), 3*guardBehind, 300)
		return nil
	})
	w.Guard = new(Guard)
}

// comparesCold lets fn compare with a cold guard.
func (w *world) comparesCold(fn func()) {
	w.t.Helper()
	w.cold()
	fn()
	if w.Guard.last.Load() < 3*guardBehind {
		w.t.Errorf("the guard looked at %d messages", w.Guard.last.Load())
	}
}

// Right after a start a letter, a command and a stage are compared with all that
// parties ever wrote, as later.
func TestV6_RightAfterAStart(t *testing.T) {
	t.Parallel()
	t.Run("letter", func(t *testing.T) {
		t.Parallel()
		w, id := crossing(t)
		ctx, cancel := context.WithCancel(context.Background())
		w.comparesCold(func() {
			done := make(chan error)
			go func() { done <- w.KeepGuard(ctx) }() // as a letter comes in while it reads
			if err := w.trySubmit("ana", w.deskTo("acme", id), false, "builds", "they say "+globexWords+"\n"); err != nil {
				t.Error(err)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		w.settle()
		w.keptBack("characters that globex wrote on 1 Dec")
	})
	t.Run("command", func(t *testing.T) {
		t.Parallel()
		w, _ := crossing(t)
		w.reported(w.person("fin", "fin@finder.example"), "Overflow", "it overflows")
		w.comparesCold(func() {
			w.refuses(anaSigned, "that globex wrote", `report 1 decline "`+globexWords+`"`)
		})
	})
	t.Run("stage", func(t *testing.T) {
		t.Parallel()
		w, id := crossing(t)
		w.material(id, cvd.Scope, "they say "+globexWords)
		w.comparesCold(func() {
			err := w.Store.Update(func(tx *store.Tx) error {
				p, err := ParticipantByID(tx, id, "acme")
				if err != nil {
					return err
				}
				found, err := w.suspicious(tx, p, cvd.Notice{Case: id, Party: "acme", Kind: cvd.KindStage, Stage: cvd.Scope}, &looks{within: tx})
				if err == nil && !found {
					t.Error("nothing was found in the stage")
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	})
}

// No write transaction reads the store into the guard: it gives up, others write
// while that is done, and it begins anew.
func TestV6_WarmingHoldsNoWriter(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.cold()
	tries, others := 0, 0
	err := w.Store.Update(func(tx *store.Tx) error {
		tries++
		before := w.Guard.last.Load()
		e, err := w.examine(tx, question{outgoing: outgoing{text: globexWords}, id: id})
		if after := w.Guard.last.Load(); after != before || err != nil && w.Guard.used > 0 {
			t.Errorf("within a write transaction the guard read from message %d to %d", before, after)
		}
		var first *store.First
		if errors.As(err, &first) {
			return &store.First{Do: func() error {
				others++
				w.update(func(tx *store.Tx) error { w.fileMany(tx, rand.New(rand.NewPCG(3, 4)), 1, 300); return nil })
				return first.Do()
			}}
		}
		if err == nil && len(e.shared) == 0 {
			t.Error("what globex wrote was not found")
		}
		return err
	})
	if err != nil || tries != 2 || others != 1 {
		t.Errorf("%d tries, %d others wrote, %v", tries, others, err)
	}
}

// What an update wrote itself is compared in it, however much that is; what of it
// is never committed stands in nobody's thread.
func TestV6_OwnWritesOfAnUpdate(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.cold()
	if err := w.warmGuard(context.Background()); err != nil {
		t.Fatal(err)
	}
	back, lied := errors.New("taken back"), uint64(0)
	for _, ends := range []error{back, nil} {
		err := w.Store.Update(func(tx *store.Tx) error {
			texts := w.fileMany(tx, rand.New(rand.NewPCG(7, 7)), 2*guardBehind, 300)
			raw := "From: a@b.example\r\nSubject: x\r\n\r\n" + lettersFrom(rand.New(rand.NewPCG(8, 8)), latin, 300) + "\r\n"
			m, err := w.keepOwn(tx, []byte(raw), store.Message{Scope: caseScope(id), Direction: "out", Case: string(id), Party: map[bool]string{true: "globex", false: "acme"}[ends == nil]})
			if err != nil {
				return err
			}
			lied = m.ID
			e, err := w.examine(tx, question{outgoing: outgoing{text: texts[5]}, id: id})
			if err == nil && len(e.shared) == 0 {
				t.Error("what this very update filed was not found")
			}
			return errors.Join(err, ends)
		})
		if !errors.Is(err, ends) {
			t.Fatal(err)
		}
	}
	w.view(func(tx *store.Tx) error {
		for party, want := range map[cvd.PartyID]bool{"acme": false, "globex": true} {
			p, err := ParticipantByID(tx, id, party)
			if err != nil {
				return err
			}
			if err := w.Guard.catchUp(context.Background(), tx, w.Base); err != nil {
				return err
			}
			ids, err := known(tx, w.Guard, p)
			if err != nil {
				return err
			}
			has := false
			for _, k := range ids {
				has = has || uint64(k) == lied
			}
			if has != want {
				t.Errorf("message %d is known to %s: %t", lied, party, has)
			}
		}
		return nil
	})
}

// While mail comes in, the guard keeps in step: what it knows in the end is what a
// new one would read.
func TestV6_InStepWithWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := rand.New(rand.NewPCG(5, 5))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	w.cold()
	go func() { done <- w.KeepGuard(ctx) }()
	if err := w.warmGuard(ctx); err != nil { // somebody compared, so that it is kept from now on
		t.Fatal(err)
	}
	var texts []string
	for range 20 {
		var these []string
		w.update(func(tx *store.Tx) error {
			these = w.fileMany(tx, r, 15, 300)
			tx.Changed(store.Change{Topic: store.TopicMailbox}) // as filing does
			return nil
		})
		texts = append(texts, these...)
	}
	for end := time.Now().Add(time.Minute); w.Guard.serial.Load() < w.Store.Serial(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it knows commit %d of %d", w.Guard.serial.Load(), w.Store.Serial())
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	fresh := new(Guard)
	w.view(func(tx *store.Tx) error { return fresh.catchUp(context.Background(), tx, w.Base) })
	for i, text := range texts {
		s := spelledText(text).text
		if a, b := shares(w.Guard, s), shares(fresh, s); len(b) == 0 || a != b {
			t.Errorf("text %d: in %q, a new guard says %q", i, a, b)
		}
	}
}

// shares names the messages that hold all of a text.
func shares(g *Guard, text []rune) string {
	out, all := "", 0
	g.hash.chosen(text, func(int, uint32) { all++ })
	suspects := g.sharing(text)
	for _, id := range slices.Sorted(maps.Keys(suspects.in)) {
		if len(suspects.places(id)) == all {
			out += fmt.Sprint(id, " ")
		}
	}
	return out
}

// Threads that were renamed are listed anew, without reading anything twice.
func TestV6_RenamedThreads(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	other := w.started("umbrella")
	w.view(func(tx *store.Tx) error { return w.Guard.catchUp(context.Background(), tx, w.Base) })
	there := w.Guard.thread(threadOf{id, "globex"})
	used := w.Guard.used
	w.update(func(tx *store.Tx) error {
		for _, m := range there {
			if err := tx.MoveMessage(uint64(m), caseScope(other), func(m *store.Message) { m.Case = string(other) }); err != nil {
				return err
			}
		}
		return threadsRenamed(tx)
	})
	w.update(func(tx *store.Tx) error {
		_, err := w.examine(tx, question{outgoing: outgoing{text: "nothing"}, id: id})
		return err
	})
	if old, now := w.Guard.thread(threadOf{id, "globex"}), w.Guard.thread(threadOf{other, "globex"}); len(old) != 0 || fmt.Sprint(now) != fmt.Sprint(there) || len(now) == 0 {
		t.Errorf("listed under the old name %v, under the new one %v, want %v", old, now, there)
	}
	if w.Guard.used != used {
		t.Errorf("%d grams, were %d", w.Guard.used, used)
	}
}

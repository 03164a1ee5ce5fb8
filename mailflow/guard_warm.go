package mailflow

import (
	"context"
	"errors"
	"math"
	"time"

	"parley/mailflow/store"
)

const (
	// guardBatch is how many messages are looked at in one snapshot.
	guardBatch = 256
	// guardBehind is how many committed messages an update looks at itself: some
	// milliseconds. More are looked at before it, while others write.
	guardBehind = 32
	// guardPause is how long the guard rests before it looks what came.
	guardPause = time.Second
)

// renamings holds in which commit messages last got other threads, so that the
// guard does not go by the old ones.
var renamings = store.Versioned[uint64]("guardrenamings")

func renamingKey(tx *store.Tx) []byte { return tx.Name("guard", "renamings") }

func lastRenaming(tx *store.Tx) (uint64, error) {
	n, err := renamings.Get(tx, renamingKey(tx))
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return n, err
}

// threadsRenamed lets the guard list the threads anew once this is committed.
// Whoever compares before goes by the old ones, and holds no less (see inThread).
func threadsRenamed(tx *store.Tx) error {
	return renamings.Put(tx, DeskScope, renamingKey(tx), tx.Serial())
}

// KeepGuard reads what comes into the guard, so that whoever compares need not
// wait for it. It returns when ctx ends. A gateway where nobody writes has no
// use for the guard, and does not spend memory on it: whoever compares first
// after a start waits until it has read what is stored.
func (b *Base) KeepGuard(ctx context.Context) error {
	filed := b.Store.Subscribe(store.TopicMailbox)
	defer filed.Close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-filed.C:
			filed.Take()
		}
		if b.guard().begun() {
			if err := b.warmGuard(ctx); err != nil && ctx.Err() == nil {
				b.Log.Error("read messages into the guard", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-b.Clock.After(guardPause):
		}
	}
}

// warmGuard looks at all that is committed, in short snapshots. It is not for
// within a transaction.
func (b *Base) warmGuard(ctx context.Context) error {
	g := b.guard()
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		whole := false
		err := b.Store.View(func(tx *store.Tx) (err error) {
			whole, err = g.readOn(ctx, tx, b, guardBatch)
			return err
		})
		if err != nil || whole {
			return err
		}
	}
}

// catchUp looks at what the transaction sees and the guard does not know. An
// update holds up all other writers: where it would have to look at many
// committed messages, its error is a store.First, which looks at them before it.
func (g *Guard) catchUp(ctx context.Context, tx *store.Tx, b *Base) error {
	if !tx.Writable() || b.Guard != g {
		_, err := g.readOn(ctx, tx, b, math.MaxInt)
		return err
	}
	cold, err := g.cold(tx)
	if err != nil {
		return err
	}
	if cold {
		return &store.First{Do: func() error { return b.warmGuard(ctx) }}
	}
	g.begin()
	// What is seen here may never be committed: it is looked at again.
	for m, err := range tx.MessagesFrom(g.last.Load() + 1) {
		if err := g.look(tx, b, m, err); err != nil {
			return err
		}
	}
	return nil
}

// cold says whether an update must not go on before the guard knows more of what
// is committed. What the update wrote itself does not count: it would never end.
func (g *Guard) cold(tx *store.Tx) (bool, error) {
	if g.serial.Load() >= tx.Serial()-1 {
		return false, nil
	}
	n, err := lastRenaming(tx)
	if err != nil || n != g.renamed.Load() && n != tx.Serial() {
		return true, err
	}
	for range tx.MessagesFrom(g.last.Load() + 1 + guardBehind) {
		return true, nil
	}
	return false, nil
}

// readOn looks at the next messages of a snapshot, at most so many, and says
// whether there are no more.
func (g *Guard) readOn(ctx context.Context, tx *store.Tx, b *Base, most int) (whole bool, err error) {
	g.begin()
	g.reading.Lock()
	defer g.reading.Unlock()
	if err := g.rename(tx); err != nil {
		return false, err
	}
	for m, err := range tx.MessagesFrom(g.last.Load() + 1) {
		if most--; most < 0 {
			return false, nil
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err := g.look(tx, b, m, err); err != nil {
			return false, err
		}
		g.last.Store(m.ID)
	}
	g.serial.Store(max(g.serial.Load(), tx.Serial()))
	return true, nil
}

// rename lists the threads of what was looked at anew, where messages have other
// threads since.
func (g *Guard) rename(tx *store.Tx) error {
	n, err := lastRenaming(tx)
	if err != nil || n <= g.renamed.Load() {
		return err
	}
	fresh := newThreads()
	for m, err := range tx.MessagesFrom(1) {
		if m.ID > g.last.Load() {
			break
		}
		if unreadableMessage(err) || m.ID > math.MaxUint32 {
			continue
		}
		if err != nil {
			return err
		}
		astray, err := astray(tx, m)
		if err != nil {
			return err
		}
		if !astray {
			fresh.add(threadOfMessage(m), uint32(m.ID))
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.threads = fresh
	g.renamed.Store(n)
	return nil
}

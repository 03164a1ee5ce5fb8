package store

import (
	"context"
	"sync"
	"testing"
)

// A store that others write to meanwhile is not called damaged.
func TestT9_VerifyBesideWriters(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	table := Versioned[[]byte]("beside")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := uint64(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			err := s.Update(func(tx *Tx) error {
				if i%5 == 4 {
					return table.Delete(tx, Seq(i%7))
				}
				return table.Put(tx, "desk", Seq(i%7), make([]byte, 3000))
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 20 {
		r, err := s.Verify(context.Background())
		if err != nil || len(r.Problems) > 0 {
			t.Errorf("%v, %q", err, r.Problems)
			break
		}
	}
	close(stop)
	wg.Wait()
}

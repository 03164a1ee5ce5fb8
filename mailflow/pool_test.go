package mailflow

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// Each thing is done once, never more at a time than allowed, and its error
// stands where it stood.
func TestDoEach(t *testing.T) {
	t.Parallel()
	odd := errors.New("odd")
	var now, most, done atomic.Int64
	things := make([]int, 50)
	for i := range things {
		things[i] = i
	}
	errs := doEach(things, 4, func(n int) error {
		for at := now.Add(1); at > most.Load(); {
			most.CompareAndSwap(most.Load(), at)
		}
		time.Sleep(time.Millisecond)
		now.Add(-1)
		done.Add(1)
		if n%2 == 1 {
			return odd
		}
		return nil
	})
	if done.Load() != 50 || most.Load() > 4 || most.Load() < 2 {
		t.Errorf("%d done, at most %d at a time", done.Load(), most.Load())
	}
	for i, err := range errs {
		if (i%2 == 1) != errors.Is(err, odd) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if got := doEach(nil, 4, func(int) error { return odd }); !slices.Equal(got, nil) {
		t.Errorf("nothing to do: %v", got)
	}
}

package store

import (
	"slices"
	"testing"
	"time"
)

// Rows come in the order in which they fall due, and next says when to ask again.
func TestTable_Due(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error {
		if err := tx.NewScope("gone"); err != nil {
			return err
		}
		must(t, once.Put(tx, "gone", append(Instant(noon.Add(-3*time.Hour)), Seq(9)...), thing{"gone", 9}))
		for i, at := range []time.Duration{0, -time.Hour, time.Nanosecond, 48 * time.Hour} {
			must(t, once.Put(tx, "desk", append(Instant(noon.Add(at)), Seq(uint64(i))...), thing{at.String(), i}))
		}
		return nil
	}))
	must(t, s.Shred("gone", testKey))
	for _, row := range []struct {
		now  time.Duration
		most int
		want []int
		next time.Duration // after noon
	}{
		{-2 * time.Hour, 9, nil, -time.Hour},
		{-time.Hour, 9, []int{1}, 0},
		{0, 9, []int{1, 0}, time.Nanosecond},
		{0, 1, []int{1}, -time.Hour},
		{47 * time.Hour, 9, []int{1, 0, 2}, 48 * time.Hour},
	} {
		got, next := due(t, s, noon.Add(row.now), row.most)
		if !slices.Equal(got, row.want) || !next.Equal(noon.Add(row.next)) {
			t.Errorf("at %s: %v, next %s; want %v, %s", row.now, got, next.Sub(noon), row.want, row.next)
		}
	}
	if got, next := due(t, s, noon.Add(49*time.Hour), 9); len(got) != 4 || !next.IsZero() {
		t.Errorf("after all: %v, next %s", got, next)
	}
	whole(t, s)
}

func due(t *testing.T, s *Store, now time.Time, most int) (out []int, next time.Time) {
	t.Helper()
	must(t, s.View(func(tx *Tx) error {
		for row, err := range once.Due(tx, now, &next) {
			if err != nil {
				return err
			}
			if out = append(out, row.Value.N); len(out) == most {
				break
			}
		}
		return nil
	}))
	return out, next
}

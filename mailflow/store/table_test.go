package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"
	"time"
)

func TestTable_WriteOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error {
		must(t, once.Put(tx, "desk", Seq(1), thing{"first", 1}))
		wantErr(t, once.Put(tx, "desk", Seq(1), thing{"second", 2}), ErrExists)
		return nil
	}))
	wantErr(t, s.Update(func(tx *Tx) error { return once.Put(tx, "desk", Seq(1), thing{"third", 3}) }), ErrExists)
	must(t, s.View(func(tx *Tx) error {
		v, err := once.Get(tx, Seq(1))
		if v.N != 1 {
			t.Errorf("got %v", v)
		}
		return err
	}))
}

func TestTable_PutRefuses(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error {
		wantErr(t, things.Put(tx, "nobody", Seq(1), thing{}), ErrNotFound)
		for _, key := range [][]byte{nil, {}, make([]byte, 40_000)} {
			if things.Put(tx, "desk", key, thing{}) == nil {
				t.Errorf("takes a key of %d bytes", len(key))
			}
		}
		if Versioned[func()]("functions").Put(tx, "desk", Seq(1), func() {}) == nil {
			t.Error("takes what JSON does not")
		}
		for _, name := range []Scope{"", Scope(make([]byte, maxScope+1))} {
			if tx.NewScope(name) == nil {
				t.Errorf("makes a scope of %d bytes", len(name))
			}
		}
		return nil
	}))
	whole(t, s)
}

type counter uint64

func (c counter) MarshalBinary() ([]byte, error) {
	if c == 13 {
		return nil, errors.New("no")
	}
	return binary.BigEndian.AppendUint64(nil, uint64(c)), nil
}

func (c *counter) UnmarshalBinary(b []byte) error {
	if len(b) != 8 {
		return errors.New("no counter")
	}
	*c = counter(binary.BigEndian.Uint64(b))
	return nil
}

func TestTable_Forms(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	counters := Versioned[counter]("counters")
	pointers := Versioned[*thing]("things")
	must(t, s.Update(func(tx *Tx) error {
		must(t, counters.Put(tx, "desk", Seq(1), 7))
		if counters.Put(tx, "desk", Seq(2), 13) == nil {
			t.Error("a value that has no form was put")
		}
		must(t, lines.Put(tx, "desk", Seq(1), []byte{}))
		must(t, pointers.Put(tx, "desk", Seq(1), &thing{"p", 1}))
		return lines.Put(tx, "desk", Seq(2), []byte("line"))
	}))
	must(t, s.View(func(tx *Tx) error {
		if c, err := counters.Get(tx, Seq(1)); err != nil || c != 7 {
			t.Errorf("counter %d, %v", c, err)
		}
		if p, err := pointers.Get(tx, Seq(1)); err != nil || *p != (thing{"p", 1}) {
			t.Errorf("pointer %v, %v", p, err)
		}
		empty, err := lines.Get(tx, Seq(1))
		must(t, err)
		line, err := lines.Get(tx, Seq(2))
		must(t, err)
		if len(empty) != 0 || string(line) != "line" {
			t.Errorf("lines %q, %q", empty, line)
		}
		if _, err = Versioned[thing]("lines").Get(tx, Seq(2)); err == nil || bytes.Contains([]byte(err.Error()), []byte("line\"")) {
			t.Errorf("a line as a thing: %v", err)
		}
		return nil
	}))
	whole(t, s)
}

// All goes on after the key it was at, whatever the loop does to the table.
func TestAll_WhileWriting(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(tx *Tx, n uint64) error
		want []uint64
		left int
	}{
		"delete it":     {func(tx *Tx, n uint64) error { return things.Delete(tx, Seq(n)) }, even(0, 400), 0},
		"put it again":  {func(tx *Tx, n uint64) error { return putThing(n)(tx) }, even(0, 400), 200},
		"put behind":    {func(tx *Tx, n uint64) error { return putThing(n + 1000)(tx) }, nil, 0},
		"put next":      {func(tx *Tx, n uint64) error { return putNext(tx, n) }, nil, 0},
		"delete next":   {func(tx *Tx, n uint64) error { return things.Delete(tx, Seq(n+2)) }, evenBy(0, 400, 4), 100},
		"delete before": {func(tx *Tx, n uint64) error { return things.Delete(tx, Seq(n-2)) }, even(0, 400), 1},
		"another table": {func(tx *Tx, n uint64) error { return once.Put(tx, "desk", Seq(n), thing{}) }, even(0, 400), 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			must(t, s.Update(func(tx *Tx) error {
				for _, n := range even(0, 400) {
					must(t, putThing(n)(tx))
				}
				return nil
			}))
			must(t, s.Update(func(tx *Tx) error {
				var got []uint64
				for row, err := range things.All(tx, nil) {
					must(t, err)
					n := binary.BigEndian.Uint64(row.Key)
					if n >= 1000 || len(got) > 1000 {
						break
					}
					got = append(got, n)
					must(t, c.do(tx, n))
				}
				switch name {
				case "put behind":
					c.want, c.left = even(0, 400), 400
				case "put next":
					c.want, c.left = evenBy(0, 400, 1), 400
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("walked %v", got)
				}
				if n := things.Count(tx, nil); n != c.left {
					t.Errorf("%d are left, want %d", n, c.left)
				}
				return nil
			}))
			whole(t, s)
		})
	}
}

func putNext(tx *Tx, n uint64) error {
	if n%2 == 1 {
		return nil
	}
	return putThing(n + 1)(tx)
}

func even(from, to uint64) []uint64 { return evenBy(from, to, 2) }

func evenBy(from, to, step uint64) (list []uint64) {
	for n := from; n < to; n += step {
		list = append(list, n)
	}
	return list
}

func TestNext(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	failed := errors.New("failed")
	wantErr(t, s.Update(func(tx *Tx) error { _, err := tx.Next("a"); must(t, err); return failed }), failed)
	for want := uint64(1); want < 4; want++ {
		must(t, s.Update(func(tx *Tx) error {
			n, err := tx.Next("a")
			if n != want {
				t.Errorf("got %d, want %d", n, want)
			}
			return err
		}))
	}
	must(t, s.Update(func(tx *Tx) error {
		if n, err := tx.Next("b"); err != nil || n != 1 {
			t.Errorf("another sequence begins with %d, %v", n, err)
		}
		return nil
	}))
	wantErr(t, s.View(func(tx *Tx) error { _, err := tx.Next("a"); return err }), errReadOnly)
}

func TestKeys_Sort(t *testing.T) {
	t.Parallel()
	instants := []time.Time{
		{}, time.Unix(0, math.MinInt64), time.Unix(-1, 0), time.Unix(0, 0), time.Unix(0, 1), testNow,
		testNow.Add(1), time.Unix(0, math.MaxInt64), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for i := range instants[1:] {
		a, b := Instant(instants[i]), Instant(instants[i+1])
		if len(a) != 8 || bytes.Compare(a, b) > 0 {
			t.Errorf("%v does not sort before %v", instants[i], instants[i+1])
		}
	}
	if bytes.Compare(Seq(1, 255), Seq(1, 256)) >= 0 || len(Seq(1, 2, 3)) != 24 {
		t.Error("sequences do not sort")
	}
}

func TestTx_Now(t *testing.T) {
	t.Parallel()
	calls := 0
	s := newStore(t)
	s.now = func() time.Time {
		calls++
		return testNow.Add(time.Duration(calls) * time.Hour).In(time.FixedZone("x", 3600))
	}
	must(t, s.Update(func(tx *Tx) error {
		if tx.Now.Location() != time.UTC || !tx.Now.Equal(testNow.Add(time.Hour)) || calls != 1 {
			t.Errorf("now is %v after %d calls", tx.Now, calls)
		}
		return nil
	}))
}

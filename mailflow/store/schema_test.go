package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// newestSchema is the one that this program knows.
var newestSchema = 1 + len(migrations)

// openWith opens a store as a program that knows these migrations.
func openWith(t *testing.T, dir string, m []migration) (*Store, error) {
	t.Helper()
	return open(Options{Dir: dir, Unlock: testKey}, m)
}

func TestSchema_Migrations(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(putThing(1)))
	must(t, s.Close())
	ran := 0
	step := func(tx *Tx) error {
		ran++
		v, err := things.Get(tx, Seq(1))
		if err != nil {
			return err
		}
		v.N *= 10
		return things.Put(tx, "desk", Seq(1), v)
	}
	failing := func(*Tx) error { return errors.New("cannot") }
	next := func(m ...migration) []migration { return slices.Concat(migrations, m) }
	last := fmt.Sprintf("schema %d", newestSchema+2)

	// One that fails leaves the store as it was.
	_, err := openWith(t, s.dir, next(step, failing))
	if err == nil || !strings.Contains(err.Error(), last) {
		t.Fatalf("got %v", err)
	}
	for _, m := range [][]migration{next(step), next(failing, step), next(failing, failing)} {
		s, err = openWith(t, s.dir, m)
		must(t, err)
		whole(t, s)
		must(t, s.Close())
	}
	if ran != 3 {
		t.Errorf("ran %d steps", ran)
	}
	// A program that knows less refuses the store.
	_, err = Open(Options{Dir: s.dir, Unlock: testKey})
	if err == nil || !strings.Contains(err.Error(), last) {
		t.Errorf("got %v", err)
	}
	s, err = openWith(t, s.dir, next(failing, failing))
	must(t, err)
	defer func() { must(t, s.Close()) }()
	must(t, s.View(func(tx *Tx) error {
		v, err := things.Get(tx, Seq(1))
		if v.N != 100 {
			t.Errorf("got %v", v)
		}
		return err
	}))
}

func TestVerify_StrangeBucket(t *testing.T) {
	t.Parallel()
	s := behind(t, newStore(t), func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("strange"))
		return err
	})
	unwhole(t, s)
}

func TestVerify_Stops(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ctx, stop := context.WithCancel(context.Background())
	stop()
	_, err := s.Verify(ctx)
	wantErr(t, err, context.Canceled)
}

func TestVerify_BoundsItsList(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error {
		for n := range uint64(200) {
			must(t, putThing(n)(tx))
		}
		return nil
	}))
	s = behind(t, s, func(tx *bbolt.Tx) error {
		for n := range uint64(200) {
			must(t, rawPut(tx, "t/things", Seq(n), []byte("x")))
		}
		return nil
	})
	r, err := s.Verify(context.Background())
	must(t, err)
	if n := len(r.Problems); n != problemLimit+1 || r.Problems[problemLimit] != "and 101 more" {
		t.Errorf("%d problems, the last %q", n, r.Problems[n-1])
	}
}

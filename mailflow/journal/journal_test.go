package journal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/journal"
	"parley/mailflow/store"
)

var (
	key = store.UnlockKey(make([]byte, 32))
	now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Dir: dir, Unlock: key})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// newStore has the scopes desk and par-1.
func newStore(t *testing.T) (s *store.Store, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "store")
	must(t, store.Create(dir, key))
	s = open(t, dir)
	must(t, s.Update(func(tx *store.Tx) error {
		return errors.Join(tx.NewScope("desk"), tx.NewScope("par-1"))
	}))
	return s, dir
}

func add(t *testing.T, s *store.Store, scope string, kinds ...string) {
	t.Helper()
	must(t, s.Update(func(tx *store.Tx) error {
		for _, kind := range kinds {
			if err := journal.Append(tx, scope, journal.Record{At: now, Kind: kind}); err != nil {
				return err
			}
		}
		return nil
	}))
}

func verify(t *testing.T, s *store.Store, head string) error {
	t.Helper()
	var found error
	must(t, s.View(func(tx *store.Tx) error {
		found = journal.Verify(tx, head)
		return nil
	}))
	return found
}

func head(t *testing.T, s *store.Store) (seq uint64, link string) {
	t.Helper()
	must(t, s.View(func(tx *store.Tx) (err error) {
		seq, link, err = journal.Head(tx)
		return err
	}))
	return seq, link
}

func TestAppend(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	if seq, link := head(t, s); seq != 0 || link != "" {
		t.Errorf("an empty journal has the head %d %q", seq, link)
	}
	must(t, verify(t, s, ""))
	all := journal.Record{
		At: now.In(time.FixedZone("x", 7200)), Case: "par-1", Party: "acme", Actor: "ana",
		Kind: "notice.sent", Ref: "3", Detail: "scope",
	}
	must(t, s.Update(func(tx *store.Tx) error { return journal.Append(tx, "par-1", all) }))
	add(t, s, "desk", "command")
	must(t, s.View(func(tx *store.Tx) error {
		var got []string
		must(t, journal.Each(tx, func(seq uint64, r journal.Record) error {
			got = append(got, fmt.Sprint(seq, r.Kind))
			if all.At = now; seq == 1 && r != all {
				t.Errorf("got %+v", r)
			}
			return nil
		}))
		if !slices.Equal(got, []string{"1notice.sent", "2command"}) {
			t.Errorf("got %q", got)
		}
		stop := errors.New("stop")
		if err := journal.Each(tx, func(uint64, journal.Record) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("got %v", err)
		}
		return nil
	}))
	if seq, link := head(t, s); seq != 2 || len(link) != 64 {
		t.Errorf("head %d %q", seq, link)
	}
}

func TestAppend_Refuses(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	for _, c := range []struct {
		scope string
		r     journal.Record
	}{
		{"desk", journal.Record{At: now}},
		{"desk", journal.Record{At: now, Kind: journal.Shredded}},
		{"desk", journal.Record{Kind: "command"}},
		{"nobody", journal.Record{At: now, Kind: "command"}},
	} {
		if s.Update(func(tx *store.Tx) error { return journal.Append(tx, c.scope, c.r) }) == nil {
			t.Errorf("took %+v under %q", c.r, c.scope)
		}
	}
	if seq, _ := head(t, s); seq != 0 {
		t.Errorf("%d records", seq)
	}
}

func TestT9_EveryHeadStaysInTheChain(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	var heads []string
	for range 4 {
		add(t, s, "desk", "command")
		_, link := head(t, s)
		heads = append(heads, link)
	}
	for _, h := range heads {
		must(t, verify(t, s, h))
		must(t, verify(t, s, strings.ToUpper(h)))
	}
	if err := verify(t, s, strings.Repeat("0", 64)); !errors.Is(err, journal.ErrBroken) {
		t.Errorf("got %v", err)
	}
	for _, bad := range []string{"x", "00", heads[0] + "00"} {
		if err := verify(t, s, bad); err == nil || errors.Is(err, journal.ErrBroken) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
	r, err := s.Verify(t.Context())
	must(t, err)
	if r.Head != heads[3] || r.Journal != 4 {
		t.Errorf("the store says %+v", r)
	}
}

func TestT9_StorePutBack(t *testing.T) {
	t.Parallel()
	s, dir := newStore(t)
	add(t, s, "desk", "one")
	must(t, s.Close())
	db := filepath.Join(dir, "parley.db")
	old, err := os.ReadFile(db)
	must(t, err)
	s = open(t, dir)
	add(t, s, "desk", "two")
	_, noted := head(t, s)
	must(t, s.Close())
	must(t, os.WriteFile(db, old, 0o600))
	s = open(t, dir)
	must(t, verify(t, s, ""))
	if err := verify(t, s, noted); !errors.Is(err, journal.ErrBroken) {
		t.Errorf("a store that was put back passes: %v", err)
	}
	add(t, s, "desk", "another two")
	if err := verify(t, s, noted); !errors.Is(err, journal.ErrBroken) {
		t.Errorf("a store that was put back and went on passes: %v", err)
	}
}

func TestT9_SurvivesShred(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	add(t, s, "desk", "one")
	add(t, s, "par-1", "two")
	add(t, s, "desk", "three")
	_, link := head(t, s)
	must(t, s.Shred("par-1", key))
	must(t, verify(t, s, link))
	var kinds []string
	must(t, s.View(func(tx *store.Tx) error {
		return journal.Each(tx, func(_ uint64, r journal.Record) error {
			if r.Kind == journal.Shredded && r != (journal.Record{Kind: journal.Shredded}) {
				t.Errorf("a shredded record holds %+v", r)
			}
			kinds = append(kinds, r.Kind)
			return nil
		})
	}))
	if !slices.Equal(kinds, []string{"one", journal.Shredded, "three"}) {
		t.Errorf("got %q", kinds)
	}
}

// spoiled is a ledger whose walk is changed on the way.
type spoiled struct {
	journal.Ledger
	change func(seq uint64, link, sealed []byte) (uint64, bool)
}

func (s spoiled) Links(fn func(seq uint64, link, sealed []byte) error) error {
	return s.Ledger.Links(func(seq uint64, link, sealed []byte) error {
		link, sealed = slices.Clone(link), slices.Clone(sealed)
		seq, keep := s.change(seq, link, sealed)
		if !keep {
			return nil
		}
		return fn(seq, link, sealed)
	})
}

func TestT9_BrokenLink(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	add(t, s, "desk", "a", "b", "c", "d")
	at := func(n uint64, do func(link, sealed []byte)) func(uint64, []byte, []byte) (uint64, bool) {
		return func(seq uint64, link, sealed []byte) (uint64, bool) {
			if seq == n {
				do(link, sealed)
			}
			return seq, true
		}
	}
	for name, c := range map[string]struct {
		change func(seq uint64, link, sealed []byte) (uint64, bool)
		says   string
	}{
		"nothing":  {at(0, nil), ""},
		"link":     {at(2, func(link, _ []byte) { link[0] ^= 1 }), "at 2"},
		"record":   {at(3, func(_, sealed []byte) { sealed[40] ^= 1 }), "at 3"},
		"first":    {at(1, func(_, sealed []byte) { sealed[0] ^= 1 }), "at 1"},
		"left out": {func(seq uint64, _, _ []byte) (uint64, bool) { return seq, seq != 2 }, "at 2"},
		"renumbered": {func(seq uint64, _, _ []byte) (uint64, bool) {
			if seq > 2 {
				return seq - 1, true
			}
			return seq, seq != 2
		}, "at 2"},
		"cut short": {func(seq uint64, _, _ []byte) (uint64, bool) { return seq, seq != 4 }, "ends at 3, not 4"},
		"emptied":   {func(seq uint64, _, _ []byte) (uint64, bool) { return seq, false }, "ends at 0, not 4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			must(t, s.View(func(tx *store.Tx) error {
				err := journal.Verify(spoiled{tx, c.change}, "")
				switch {
				case c.says == "":
					must(t, err)
				case !errors.Is(err, journal.ErrBroken) || !strings.Contains(err.Error(), c.says):
					t.Errorf("got %v, want %q", err, c.says)
				}
				return nil
			}))
		})
	}
}

package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// childDir, in the environment, makes this program the child of TestT2_Kill, which writes to the store there until it is killed.
// With childEarly it acknowledges before it writes; with childRotates it changes keys meanwhile.
const (
	childDir     = "PARLEY_STORE_TEST_CHILD"
	childEarly   = "PARLEY_STORE_TEST_EARLY"
	childRotates = "PARLEY_STORE_TEST_ROTATES"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, killedWriter(dir, os.Stdout, os.Getenv(childEarly) != ""))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

const (
	killRounds  = 12
	killWriters = 4
)

var (
	lefts  = Versioned[holder]("left")
	rights = WriteOnce[holder]("right")
	// comers are what was appended, one for each update.
	comers = WriteOnce[holder]("comers")
)

// killedWriter writes from several goroutines and names each update on acks after it returned, or too early.
func killedWriter(dir string, acks io.Writer, early bool) error {
	s, err := Open(Options{Dir: dir, Unlock: testKey})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	fail := make(chan error)
	if os.Getenv(childRotates) != "" {
		go func() {
			for {
				if err := rotateAll(s); err != nil {
					fail <- err
					return
				}
			}
		}()
	}
	for w := range uint64(killWriters) {
		ack := func(n uint64) {
			mu.Lock()
			defer mu.Unlock()
			_, _ = fmt.Fprintf(acks, "%d %d\n", w, n)
		}
		before, after := func(uint64) {}, ack
		if early {
			before, after = after, before
		}
		go func() {
			for {
				if err := killedUpdate(s, w, before, after); err != nil {
					fail <- err
					return
				}
			}
		}()
	}
	return <-fail
}

// rotateAll gives the desk a new key, under which the journal stands, and all of it a new master key.
func rotateAll(s *Store) error {
	if err := s.Update(func(tx *Tx) error { return tx.FreshKey("desk") }); err != nil {
		return err
	}
	if err := s.Rekey(context.Background(), []Scope{"desk"}, testKey, nil); err != nil {
		return err
	}
	return s.Rotate(testKey, nil)
}

func killedSize(w, n uint64) int { return int((w*31 + n*7919) % (3 * chunkBytes)) }

// killedAppend keeps a small body, and brings some of them into the tree.
func killedAppend(s *Store, w, n uint64) error {
	d, err := s.SealBytes(pattern(killedSize(w, n) % smallBody))
	if err != nil {
		return err
	}
	defer d.Drop()
	err = comers.Append(s, "desk", d, "", func(b Body, _ time.Time) holder { return holder{fmt.Sprint(w, n), []part{{b}}} })
	if err == nil && n%4 == w {
		err = s.Absorb()
	}
	return err
}

// killedUpdate touches everything an update can: a scope, a body, two tables that must agree, a sequence, the journal; and appends.
func killedUpdate(s *Store, w uint64, before, after func(n uint64)) error {
	var n uint64
	err := s.Update(func(tx *Tx) (err error) { n, err = tx.Next(fmt.Sprint("writer", w)); return err })
	if err != nil {
		return err
	}
	d, err := s.SealBytes(pattern(killedSize(w, n)))
	if err != nil {
		return err
	}
	before(n)
	err = s.Update(func(tx *Tx) error {
		scope := Scope(fmt.Sprint("case", w, n))
		b, err := tx.Keep(d)
		if err != nil {
			return err
		}
		h := holder{fmt.Sprint(w, n), []part{{b}}}
		_, _, linkErr := tx.AddLink("desk", []byte(h.Name))
		return errors.Join(
			tx.NewScope(scope),
			lefts.Put(tx, scope, Seq(w, n), h),
			rights.Put(tx, scope, Seq(w, n), h),
			lefts.Put(tx, "desk", Seq(w, 0), h),
			linkErr)
	})
	if err == nil {
		err = killedAppend(s, w, n)
	}
	if err == nil {
		after(n)
	}
	return err
}

// TestT2_Kill kills a writing process again and again: what it acknowledged is there, and nothing is there by half.
func TestT2_Kill(t *testing.T) {
	t.Parallel()
	dir, acked := killedStore(t), map[string]bool{}
	for range killRounds {
		for _, name := range runAndKill(t, dir) {
			acked[name] = true
		}
		if lost := afterKill(t, dir, acked); len(lost) > 0 {
			t.Errorf("acknowledged and lost: %q", lost)
		}
	}
	if len(acked) < killRounds {
		t.Errorf("only %d updates were acknowledged", len(acked))
	}
}

// TestT2_KillWhileRotating does the same while keys change: nothing of the desk is lost with its older key, the journal neither.
func TestT2_KillWhileRotating(t *testing.T) {
	t.Parallel()
	dir, acked := killedStore(t), map[string]bool{}
	for range killRounds / 2 {
		for _, name := range runAndKill(t, dir, childRotates+"=1") {
			acked[name] = true
		}
		if lost := afterKill(t, dir, acked); len(lost) > 0 {
			t.Errorf("acknowledged and lost: %q", lost)
		}
	}
	s := reopen(t, dir)
	before := len(acked)
	must(t, s.View(func(tx *Tx) error {
		if relinked.Count(tx, nil) == 0 {
			t.Error("no rotation came to its end")
		}
		return nil
	}))
	must(t, rotateAll(s))
	if r := whole(t, s); r.Shredded != 0 || r.Journal < uint64(before) {
		t.Errorf("%d rows do not open, and the journal has %d links for %d updates", r.Shredded, r.Journal, before)
	}
}

// TestT2_ControlAcknowledgedTooEarly shows that the kills above come at instants that matter.
func TestT2_ControlAcknowledgedTooEarly(t *testing.T) {
	t.Parallel()
	dir, acked := killedStore(t), map[string]bool{}
	for range 5 * killRounds {
		for _, name := range runAndKill(t, dir, childEarly+"=1") {
			acked[name] = true
		}
		if len(afterKill(t, dir, acked)) > 0 {
			return
		}
	}
	t.Error("nothing was lost")
}

func killedStore(t *testing.T) (dir string) {
	t.Helper()
	s := newStore(t)
	must(t, s.Close())
	return s.dir
}

// runAndKill lets a child acknowledge some updates, kills it, and returns all it acknowledged.
func runAndKill(t *testing.T, dir string, env ...string) (acked []string) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	child := exec.Command(self)
	child.Env = append(append(os.Environ(), childDir+"="+dir), env...)
	var problems bytes.Buffer
	child.Stderr = &problems
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	enough := 1 + rand.IntN(60)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		acked = append(acked, strings.TrimSpace(line))
		if len(acked) == enough {
			must(t, child.Process.Kill())
		}
	}
	if err := child.Wait(); err == nil || problems.Len() > 0 {
		t.Fatalf("the child ended by itself: %v %s", err, problems.String())
	}
	return acked
}

// afterKill checks that the store is whole, and returns which of the acknowledged updates are not in it.
func afterKill(t *testing.T, dir string, acked map[string]bool) (lost []string) {
	t.Helper()
	s := reopen(t, dir)
	defer func() { must(t, s.Close()) }()
	found, updates := map[string]bool{}, uint64(0)
	came := map[string]bool{}
	must(t, s.View(func(tx *Tx) error {
		for row, err := range comers.All(tx, nil) {
			must(t, err)
			var w, n uint64
			_, err = fmt.Sscan(row.Value.Name, &w, &n)
			must(t, err)
			got, err := tx.Bytes(row.Value.Parts[0].Raw)
			must(t, err)
			if came[row.Value.Name] || !bytes.Equal(got, pattern(killedSize(w, n)%smallBody)) {
				t.Errorf("what was appended by %s is another, or there twice", row.Value.Name)
			}
			came[row.Value.Name] = true
		}
		for row, err := range rights.All(tx, nil) {
			must(t, err)
			var w, n uint64
			_, err = fmt.Sscan(row.Value.Name, &w, &n)
			must(t, err)
			left, err := lefts.Get(tx, row.Key)
			must(t, err)
			if left.Name != row.Value.Name {
				t.Errorf("left and right differ at %s", row.Value.Name)
			}
			got, err := tx.Bytes(row.Value.Parts[0].Raw)
			must(t, err)
			if !bytes.Equal(got, pattern(killedSize(w, n))) {
				t.Errorf("the body of %s is another", row.Value.Name)
			}
			found[row.Value.Name] = came[row.Value.Name]
			updates++
		}
		for w := range uint64(killWriters) {
			if l, r := lefts.Count(tx, Seq(w)), rights.Count(tx, Seq(w)); r > 0 && l != r+1 {
				t.Errorf("writer %d has %d rows left and %d right", w, l, r)
			}
		}
		return nil
	}))
	for name := range acked {
		if !found[name] {
			lost = append(lost, name)
		}
	}
	if r := whole(t, s); r.Bodies != updates+uint64(len(came)) || r.Journal != updates {
		t.Errorf("%d updates, %d bodies, %d links", updates, r.Bodies, r.Journal)
	}
	return lost
}

package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// appendOne keeps a body of some bytes and its record.
func appendOne(t testing.TB, s *Store, data []byte) (id uint64) {
	t.Helper()
	d, err := s.SealBytes(data)
	must(t, err)
	defer d.Drop()
	must(t, comers.Append(s, "desk", d, "came", func(b Body, _ time.Time) holder {
		id = b.ID
		return holder{"x", []part{{b}}}
	}))
	return id
}

// absorbed are the records in the tree that were appended, each with its body.
func absorbed(t testing.TB, s *Store) (all map[uint64][]byte) {
	t.Helper()
	all = map[uint64][]byte{}
	must(t, s.View(func(tx *Tx) error {
		for row, err := range comers.All(tx, nil) {
			must(t, err)
			data, err := tx.Bytes(row.Value.Parts[0].Raw)
			must(t, err)
			all[keyNumber(row.Key)] = data
		}
		return nil
	}))
	return all
}

// killed is a copy of a store that is open, as a kill leaves it, and as one of before would be put back.
func killed(t testing.TB, s *Store) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "killed")
	must(t, os.CopyFS(dir, os.DirFS(s.dir)))
	for _, name := range []string{"", blobsDir} {
		must(t, os.Chmod(filepath.Join(dir, name), dirMode))
	}
	for _, name := range []string{dbName, keysName, spoolName} {
		must(t, os.Chmod(filepath.Join(dir, name), fileMode))
	}
	return dir
}

func TestAppend(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	sub := s.Subscribe("came")
	defer sub.Close()
	want := map[uint64][]byte{}
	for round := range 3 {
		for n := range 5 {
			data := pattern(1000*n + round)
			want[appendOne(t, s, data)] = data
		}
		if n := s.Appended(); n != 5 || len(absorbed(t, s)) != 5*round {
			t.Errorf("%d wait, %d are in the tree", n, len(absorbed(t, s)))
		}
		must(t, s.Absorb())
		if n := s.Appended(); n != 0 {
			t.Errorf("%d are left", n)
		}
		same(t, "what was appended", texts(want), texts(absorbed(t, s)))
	}
	if n := len(sub.Take()); n != 15 {
		t.Errorf("%d changes were told", n)
	}
	must(t, s.Absorb()) // nothing
	if r := whole(t, s); r.Bodies != 15 {
		t.Errorf("%+v", r)
	}
}

func texts(all map[uint64][]byte) map[string]string {
	out := map[string]string{}
	for id, data := range all {
		out[fmt.Sprint(id)] = string(data)
	}
	return out
}

// What cannot be appended is left to an Update, and its draft stays open for that.
func TestAppend_LeftToAnUpdate(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for name, row := range map[string]struct {
		table Table[Body]
		scope Scope
		size  int
	}{
		"a large body":      {WriteOnce[Body]("rows"), "desk", smallBody + 1},
		"no such scope":     {WriteOnce[Body]("rows"), "nobody's", 10},
		"a versioned table": {Versioned[Body]("rows2"), "desk", 10},
	} {
		d, err := s.SealBytes(pattern(row.size))
		must(t, err)
		err = row.table.Append(s, row.scope, d, "", func(b Body, _ time.Time) Body { return b })
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
		must(t, s.Update(func(tx *Tx) error {
			b, err := tx.Keep(d)
			must(t, err)
			return row.table.Put(tx, "desk", Seq(b.ID), b)
		}))
	}
	if n := s.Appended(); n != 0 {
		t.Errorf("%d wait", n)
	}
}

// A draft is appended once, and not kept besides.
func TestAppend_Once(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	d, err := s.SealBytes([]byte("x"))
	must(t, err)
	of := func(b Body, _ time.Time) holder { return holder{"x", []part{{b}}} }
	must(t, comers.Append(s, "desk", d, "", of))
	wantErr(t, comers.Append(s, "desk", d, "", of), ErrExists)
	d.Drop() // does nothing any more
	must(t, s.Close())
	wantErr(t, comers.Append(s, "desk", d, "", of), ErrExists)
	if n := len(absorbed(t, reopen(t, s.dir))); n != 1 {
		t.Errorf("%d are in the tree", n)
	}
}

// A kill between Append and Absorb loses nothing, and what was taken out of the tree since does not come back with the next one,
// nor what lies in the file from before.
func TestT2_AppendedAndKilled(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	taken := appendOne(t, s, pattern(3*frameAlign))
	for n := range 4 {
		appendOne(t, s, pattern(100*n))
	}
	again := reopen(t, killed(t, s))
	if n := len(absorbed(t, again)); n != 5 || again.Appended() != 0 {
		t.Fatalf("%d of 5 are there", n)
	}
	must(t, again.Update(func(tx *Tx) error { return comers.Delete(tx, Seq(taken)) }))
	for _, left := range []int{4, 5, 6} { // the first kill came without an Append since
		if left > 4 {
			appendOne(t, again, []byte("short"))
		}
		dir := killed(t, again)
		must(t, again.Absorb())
		after := reopen(t, dir)
		if n := len(absorbed(t, after)); n != left {
			t.Errorf("%d are there, not %d", n, left)
		}
		if _, there := absorbed(t, after)[taken]; there {
			t.Error("what was taken out came back")
		}
		whole(t, after)
	}
	id := appendOne(t, again, nil)
	if last := again.bodies.Load(); last != id {
		t.Errorf("body %d has number %d", last, id)
	}
}

// The next body of a store that was killed has a number of its own, even where what was appended does not go into the tree.
func TestT2_NumbersAfterAKill(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var last uint64
	for range 3 {
		last = appendOne(t, s, nil)
	}
	again := reopen(t, killed(t, s))
	if id := appendOne(t, again, nil); id <= last {
		t.Errorf("number %d was given to body %d", id, last)
	}
}

// Of a frame that was written by half nothing is there, and all before it is: wherever the kill came.
func TestT2_FrameCutShort(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	appendOne(t, s, pattern(100))
	appendOne(t, s, pattern(200))
	begin := s.spool.end.offset
	appendOne(t, s, pattern(2*frameAlign))
	end := s.spool.end.offset
	dir := killed(t, s)
	path := filepath.Join(dir, spoolName)
	file, err := os.ReadFile(path)
	must(t, err)
	db, err := os.ReadFile(filepath.Join(dir, dbName))
	must(t, err)
	for _, at := range []int64{begin, begin + 1, begin + int64(frameCoded), begin + int64(frameHeader), begin + frameAlign, end - frameAlign} {
		for name, rest := range map[string][]byte{
			"the file ends":  nil,
			"zeros":          make([]byte, len(file)-int(at)),
			"what was there": bytes.Repeat([]byte("an older frame  "), (len(file)-int(at))/16),
		} {
			must(t, os.WriteFile(path, slices.Concat(file[:at], rest), fileMode))
			must(t, os.WriteFile(filepath.Join(dir, dbName), db, fileMode))
			again, err := Open(Options{Dir: dir, Unlock: testKey})
			must(t, err)
			if n := len(absorbed(t, again)); n != 2 {
				t.Errorf("%s at %d: %d frames are there", name, at-begin, n)
			}
			appendOne(t, again, []byte("goes on"))
			must(t, again.Absorb())
			whole(t, again)
			must(t, again.Close())
		}
	}
}

// A frame that was answered and does not open is loud, for those behind it show that it was.
func TestH1_DamagedFrame(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for n := range 3 {
		appendOne(t, s, pattern(n))
	}
	file, err := os.ReadFile(filepath.Join(s.dir, spoolName))
	must(t, err)
	second := bytes.Index(file[1:], []byte(frameMagic)) + 1
	for name, damage := range map[string]func([]byte) []byte{
		"the first one":          func(b []byte) []byte { b[frameHeader+9] ^= 1; return b },
		"its length":             func(b []byte) []byte { binary.BigEndian.PutUint32(b[frameCoded-4:], 1<<31); return b },
		"the one in the middle":  func(b []byte) []byte { b[second] ^= 1; return b },
		"the code of the middle": func(b []byte) []byte { b[second+frameCoded] ^= 1; return b },
		"the first one is gone":  func(b []byte) []byte { return b[second:] },
		"twice":                  func(b []byte) []byte { copy(b[2*second:], b[second:2*second]); return b },
	} {
		dir := killed(t, s)
		must(t, os.WriteFile(filepath.Join(dir, spoolName), damage(bytes.Clone(file)), fileMode))
		before := contents(t, dir)
		_, err := Open(Options{Dir: dir, Unlock: testKey})
		wantErr(t, err, ErrTampered)
		same(t, name, before, contents(t, dir))
		read, err := Open(Options{Dir: dir, Unlock: testKey, ReadOnly: true})
		must(t, err)
		unwhole(t, read)
		must(t, read.Close())
	}
}

// A frame of before, or of another store, is not taken for one of today.
func TestH1_FramePutBack(t *testing.T) {
	t.Parallel()
	s, other := newStore(t), newStore(t)
	appendOne(t, other, []byte("of another store"))
	appendOne(t, s, []byte("of before"))
	old, err := os.ReadFile(filepath.Join(s.dir, spoolName))
	must(t, err)
	must(t, s.Absorb())
	must(t, s.Update(func(tx *Tx) error { return comers.Delete(tx, Seq(1)) }))
	foreign, err := os.ReadFile(filepath.Join(other.dir, spoolName))
	must(t, err)
	for name, file := range map[string][]byte{"of before": old, "of another store": foreign} {
		dir := killed(t, s)
		must(t, os.WriteFile(filepath.Join(dir, spoolName), file, fileMode))
		again := reopen(t, dir)
		if n := len(absorbed(t, again)); n != 0 {
			t.Errorf("%s: %d records came", name, n)
		}
	}
}

// The file does not grow for ever: what comes while nobody absorbs is absorbed when it is large.
func TestAppend_BoundsTheFile(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("writes more than the file may hold")
	}
	s := newStore(t)
	data, n := pattern(smallBody), 0
	for ; n < spoolLimit/smallBody+10; n++ {
		appendOne(t, s, data)
	}
	if waits := s.Appended(); waits >= n || waits == 0 {
		t.Errorf("%d of %d wait", waits, n)
	}
	info, err := os.Stat(filepath.Join(s.dir, spoolName))
	must(t, err)
	if info.Size() > spoolLimit+spoolAhead {
		t.Errorf("the file has %d bytes", info.Size())
	}
	if found := len(absorbed(t, reopen(t, killed(t, s)))); found != n {
		t.Errorf("%d of %d are there after a kill", found, n)
	}
}

// backedUp is a store that was restored from a backup of another.
func backedUp(t testing.TB, s *Store) (dir string) {
	t.Helper()
	type file struct {
		name string
		data []byte
	}
	var files []file
	_, err := s.Backup(context.Background(), func(name string, _ int64, content func(io.Writer) error) error {
		var b bytes.Buffer
		err := content(&b)
		files = append(files, file{name, b.Bytes()})
		return err
	})
	must(t, err)
	dir = filepath.Join(t.TempDir(), "restored")
	must(t, Restore(dir, testKey, func() (string, io.Reader, error) {
		if len(files) == 0 {
			return "", nil, io.EOF
		}
		f := files[0]
		files = files[1:]
		return f.name, bytes.NewReader(f.data), nil
	}))
	return dir
}

// A backup holds what was appended before it.
func TestH7_BackupHoldsWhatWasAppended(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	id := appendOne(t, s, []byte("just came"))
	if got := absorbed(t, reopen(t, backedUp(t, s)))[id]; string(got) != "just came" {
		t.Errorf("got %q", got)
	}
}

// A store without the file, restored from a backup or robbed of it, has absorbed frames all the same: those of the next file are
// not taken for them.
func TestT2_AFileAnew(t *testing.T) {
	t.Parallel()
	for name, without := range map[string]func(t *testing.T, s *Store) (dir string){
		"restored": func(t *testing.T, s *Store) string { return backedUp(t, s) },
		"removed": func(t *testing.T, s *Store) string {
			dir := killed(t, s)
			must(t, os.Remove(filepath.Join(dir, spoolName)))
			return dir
		},
	} {
		s := newStore(t)
		appendOne(t, s, []byte("before"))
		must(t, s.Absorb())
		again := reopen(t, without(t, s))
		id := appendOne(t, again, []byte("after"))
		if got := absorbed(t, reopen(t, killed(t, again))); string(got[id]) != "after" || len(got) != 2 {
			t.Errorf("%s: %q of %d is there", name, got[id], len(got))
		}
	}
}

// A key that the store never had is no key that was destroyed.
func TestH1_AppendedUnderAnUnknownKey(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	appendOne(t, s, nil)
	old := killed(t, s)
	must(t, s.Update(func(tx *Tx) error { return tx.NewScope("late") }))
	d, err := s.SealBytes([]byte("x"))
	must(t, err)
	must(t, comers.Append(s, "late", d, "", func(b Body, _ time.Time) holder { return holder{"x", []part{{b}}} }))
	file, err := os.ReadFile(filepath.Join(s.dir, spoolName))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(old, spoolName), file, fileMode))
	_, err = Open(Options{Dir: old, Unlock: testKey})
	wantErr(t, err, ErrTampered)
}

// A file that cannot be made breaks nothing, and the next one is made.
func TestAppend_NoFileYet(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	path := filepath.Join(s.dir, spoolName)
	must(t, os.Mkdir(path, dirMode))
	d, err := s.SealBytes([]byte("x"))
	must(t, err)
	err = comers.Append(s, "desk", d, "", func(b Body, _ time.Time) holder { return holder{"x", []part{{b}}} })
	if err == nil || errors.Is(err, ErrBroken) || errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
	must(t, os.Remove(path))
	appendOne(t, s, nil)
	must(t, s.Absorb())
	if n := len(absorbed(t, s)); n != 1 {
		t.Errorf("%d are there", n)
	}
}

// Keys change while mail comes in: what was appended under an older key is there afterwards, and nothing is under a key that
// is gone.
func TestH3_AppendedWhileKeysChange(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	before := appendOne(t, s, []byte("before"))
	must(t, s.Update(func(tx *Tx) error { return tx.FreshKey("desk") }))
	must(t, s.Absorb())
	must(t, s.View(func(tx *Tx) error {
		n, _ := scopeOf(tx.rows.get(comers.rows, Seq(before)))
		if newest := tx.keys.byName("desk").number; n != newest {
			t.Errorf("it is under key %d, and the newest is %d", n, newest)
		}
		return nil
	}))
	want := map[uint64][]byte{before: []byte("before")}
	var mu sync.Mutex
	var all sync.WaitGroup
	stop := make(chan struct{})
	for w := range 4 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				data := fmt.Appendf(nil, "%d %d", w, n)
				id := appendOne(t, s, data)
				mu.Lock()
				want[id] = data
				mu.Unlock()
			}
		})
	}
	for range 4 {
		must(t, rotateAll(s))
		must(t, s.ShredAll(nil, []Scope{"desk"}, testKey))
	}
	close(stop)
	all.Wait()
	must(t, s.Absorb())
	same(t, "while keys changed", texts(want), texts(absorbed(t, s)))
	if r := whole(t, s); r.Shredded != 0 {
		t.Errorf("%d rows do not open", r.Shredded)
	}
}

// stalled keeps what is appended waiting until it is let go, all of it at once.
func stalled(t testing.TB, s *Store, waits int, appends func()) (letGo func()) {
	t.Helper()
	q := &s.spool.queue
	q.mu.Lock()
	q.leading = true // somebody who takes long
	q.mu.Unlock()
	appends()
	for n := 0; n < waits; {
		runtime.Gosched()
		q.mu.Lock()
		n = len(q.waiting)
		q.mu.Unlock()
	}
	return func() { q.lead(q.take(), s.appendAll) }
}

// However much waits, no frame is much larger than what may be gathered in memory.
func TestAppend_BoundsFrames(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const many = 40
	var all sync.WaitGroup
	letGo := stalled(t, s, many, func() {
		for n := range many {
			all.Go(func() { appendOne(t, s, pattern(smallBody-n)) })
		}
	})
	letGo()
	all.Wait()
	if n := s.spool.end.frames; n < many*smallBody/frameBytes || n > many/2 {
		t.Errorf("%d went into %d frames", many, n)
	}
	if n := cap(s.spool.scratch); n > 2*frameBytes {
		t.Errorf("%d bytes are held", n)
	}
	must(t, s.Absorb())
	if n := len(absorbed(t, s)); n != many {
		t.Errorf("%d are there", n)
	}
}

// What waits to be appended while its key is replaced and destroyed is sealed again.
func TestH3_KeyChangesWhileOneWaits(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ended := make(chan uint64, 1)
	letGo := stalled(t, s, 1, func() { go func() { ended <- appendOne(t, s, []byte("waited")) }() })
	must(t, rotateAll(s))
	letGo()
	id := <-ended
	must(t, s.Absorb())
	if got := absorbed(t, s)[id]; string(got) != "waited" {
		t.Errorf("got %q", got)
	}
	if r := whole(t, s); r.Shredded != 0 {
		t.Errorf("%d rows do not open", r.Shredded)
	}
}

// What belongs to a scope that is destroyed goes with it, and holds nothing else up.
func TestH3_AppendedAndShredded(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error { return tx.NewScope("gone") }))
	d, err := s.SealBytes([]byte("x"))
	must(t, err)
	must(t, comers.Append(s, "gone", d, "", func(b Body, _ time.Time) holder { return holder{"x", []part{{b}}} }))
	dir := killed(t, s)
	must(t, s.Shred("gone", testKey))
	keys, err := os.ReadFile(filepath.Join(s.dir, keysName))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, keysName), keys, fileMode)) // the key was destroyed, and the kill came before the commit
	again := reopen(t, dir)
	if again.Appended() != 0 {
		t.Error("it waits")
	}
	appendOne(t, again, nil)
	must(t, again.Absorb())
	whole(t, again)
}

// A store that knows the file is refused by a program of before, which would leave lying what is in it.
func TestSchema_KnowsTheSpool(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	appendOne(t, s, nil)
	_, err := openWith(t, killed(t, s), nil)
	wantErr(t, err, ErrNewer)
}

// FuzzAppended reads the records of a frame: what it takes it writes again as it was.
func FuzzAppended(f *testing.F) {
	var sp spool
	one := appended{7, "w/spool", []byte("row"), []byte("body")}
	for _, records := range [][]appended{nil, {one}, {one, {8, "", nil, nil}}} {
		b := sp.frame(nil, position{}, records)
		f.Add(b[frameHeader : frameHeader+int(binary.BigEndian.Uint32(b[frameCoded-4:]))])
	}
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := parseAppended(b)
		if err != nil {
			wantErr(t, err, ErrTampered)
			return
		}
		frame := sp.frame(nil, position{}, records)
		if !bytes.Equal(frame[frameHeader:frameHeader+len(b)], b) {
			t.Errorf("%x became %x", b, frame[frameHeader:])
		}
	})
}

// A store that was closed is no broken one, whoever comes late to absorb.
func TestAbsorb_AfterClose(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	appendOne(t, s, nil)
	must(t, s.Close())
	wantErr(t, s.Absorb(), ErrClosed)
	select {
	case <-s.Broken():
		t.Error("it is broken")
	default:
	}
	if n := len(absorbed(t, reopen(t, s.dir))); n != 1 {
		t.Errorf("%d are there", n)
	}
}

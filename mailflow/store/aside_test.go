package store

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// contents reads every file below a directory.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all[path] = string(data)
		return err
	}))
	return all
}

// bytesIn adds up the sizes of all files, in whole pages.
func bytesIn(t *testing.T, dir string) (n int64) {
	t.Helper()
	page := int64(os.Getpagesize())
	for _, data := range contents(t, dir) {
		n += (int64(len(data)) + page - 1) / page * page
	}
	return n
}

func same(t *testing.T, what string, before, after map[string]string) {
	t.Helper()
	for path := range after {
		if _, ok := before[path]; !ok {
			t.Errorf("%s: %s is new", what, path)
		}
	}
	for path, data := range before {
		if after[path] != data {
			t.Errorf("%s: %s changed", what, path)
		}
	}
}

// firstSchema is a store of schema 1 as the first release wrote it, from testdata: it is never made anew.
func firstSchema(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "store")
	must(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "schema-1"))))
	packed, err := os.Open(filepath.Join(dir, dbName+".gz"))
	must(t, err)
	defer func() { must(t, packed.Close()) }()
	r, err := gzip.NewReader(packed)
	must(t, err)
	must(t, copyDurably(filepath.Join(dir, dbName), r))
	must(t, os.Remove(packed.Name()))
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(fileMode)
		if e.IsDir() {
			mode = dirMode
		}
		return os.Chmod(path, mode)
	}))
	return dir
}

// mostlyFreeStore has a row, and a file of which most is free.
func mostlyFreeStore(t *testing.T) *Store {
	t.Helper()
	s := newStore(t)
	must(t, s.Update(putThing(1)))
	var bodies []Body
	must(t, s.Update(func(tx *Tx) error {
		for range 2 * compactFrom / smallBody {
			d, err := s.SealBytes(pattern(smallBody))
			must(t, err)
			b, err := tx.Keep(d)
			must(t, err)
			bodies = append(bodies, b)
		}
		return nil
	}))
	must(t, s.Update(func(tx *Tx) error {
		for _, b := range bodies {
			must(t, tx.Forget(b))
		}
		return nil
	}))
	return s
}

func tenfold(tx *Tx) error {
	v, err := things.Get(tx, Seq(1))
	if err != nil {
		return err
	}
	v.N *= 10
	return things.Put(tx, "desk", Seq(1), v)
}

func nOf(t *testing.T, s *Store) (n int) {
	t.Helper()
	must(t, s.View(func(tx *Tx) error {
		v, err := things.Get(tx, Seq(1))
		n = v.N
		return err
	}))
	return n
}

// A store of the first schema is brought up to date, and a copy of it as it was lies beside it, which the program of before opens.
func TestSchema_MigratesWithACopyFirst(t *testing.T) {
	t.Parallel()
	dir := firstSchema(t)
	before := contents(t, dir)
	s, err := openWith(t, dir, []migration{tenfold})
	must(t, err)
	aside := s.SetAside()
	if n := nOf(t, s); n != 10 || aside == "" {
		t.Fatalf("n is %d, and the copy lies in %q", n, aside)
	}
	whole(t, s)
	found, err := s.Aside()
	must(t, err)
	must(t, s.Close())
	if len(found) != 1 || filepath.Join(dir, found[0]) != aside {
		t.Errorf("found %q", found)
	}
	copied := contents(t, aside)
	for path, data := range before {
		rel, err := filepath.Rel(dir, path)
		must(t, err)
		if rel != dbName && copied[filepath.Join(aside, rel)] != data { // bbolt writes its two meta pages alike
			t.Errorf("%s is not as it was", rel)
		}
	}
	was, err := openWith(t, aside, nil)
	must(t, err)
	if n := nOf(t, was); n != 1 || was.SetAside() != "" {
		t.Errorf("in the copy n is %d", n)
	}
	if r := whole(t, was); r.Bodies != 2 || r.Journal != 2 {
		t.Errorf("the copy holds %+v", r)
	}
	must(t, was.Close())

	// It happens once, and the copy stays.
	s, err = openWith(t, dir, []migration{tenfold})
	must(t, err)
	if n := nOf(t, s); n != 10 || s.SetAside() != "" {
		t.Errorf("again: n is %d, %q", n, s.SetAside())
	}
	must(t, s.Close())
}

// Where no copy can be made, or it does not open, nothing is migrated, and nothing of the store changes.
func TestSchema_NoCopyNoMigration(t *testing.T) {
	t.Parallel()
	dir := firstSchema(t)
	before := contents(t, dir)
	s, err := openWith(t, dir, nil)
	must(t, err)
	for name, fault := range map[string]func(engineTx) engineTx{
		"a full disk":        func(tx engineTx) engineTx { return copyFails{tx} },
		"a copy cut in half": func(tx engineTx) engineTx { return copyHalf{tx} },
	} {
		real := s.engine
		s.engine = faultyCopies{real, fault}
		err := s.migrate(testKey, []migration{tenfold})
		s.engine = real
		if err == nil || !strings.Contains(err.Error(), "was not brought to 2") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "a full disk" {
			wantErr(t, err, ErrFull)
		}
	}
	must(t, s.Close())
	same(t, "a failed copy", before, contents(t, dir))
}

// What a copy cut short left, of a kill, is in nobody's way.
func TestT2_CopyCutShort(t *testing.T) {
	t.Parallel()
	dir := firstSchema(t)
	s, err := openWith(t, dir, nil)
	must(t, err)
	part, err := s.copyAside(1, testKey, nil)
	must(t, err)
	must(t, s.Close())
	must(t, os.Rename(part, part+".part"))
	must(t, os.Truncate(filepath.Join(part+".part", dbName), 100))
	s, err = openWith(t, dir, []migration{tenfold})
	must(t, err)
	if nOf(t, s) != 10 || s.SetAside() != part {
		t.Errorf("it lies in %q", s.SetAside())
	}
	must(t, s.Close())
}

// copyFails is a disk that fills while the copy is made.
type copyFails struct{ engineTx }

func (copyFails) copyTo(w io.Writer) error {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = full.Close() }()
	_, err = full.Write([]byte("x"))
	return fmt.Errorf("copy: %w", err)
}

// copyHalf stops amid it, and does not say so.
type copyHalf struct{ engineTx }

func (tx copyHalf) copyTo(w io.Writer) error {
	var all bytes.Buffer
	if err := tx.engineTx.copyTo(&all); err != nil {
		return err
	}
	_, err := w.Write(all.Bytes()[:all.Len()/2])
	return err
}

type faultyCopies struct {
	engine
	fault func(engineTx) engineTx
}

func (e faultyCopies) begin(write bool) (engineTx, error) {
	tx, err := e.engine.begin(write)
	if err != nil {
		return nil, err
	}
	return e.fault(tx), nil
}

// A newer store is refused in one sentence, and not a byte of it changes: it is not compacted either.
func TestSchema_NewerIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	s := mostlyFreeStore(t)
	must(t, s.Update(func(tx *Tx) error { return tx.setSchema(uint64(newestSchema + 1)) }))
	must(t, s.Close())
	orphan := filepath.Join(s.dir, blobsDir, "00000000000000ff")
	must(t, os.WriteFile(orphan, []byte("of no commit"), fileMode))
	before := contents(t, s.dir)
	for _, readOnly := range []bool{false, true} {
		_, err := Open(Options{Dir: s.dir, Unlock: testKey, ReadOnly: readOnly})
		wantErr(t, err, ErrNewer)
		for _, want := range []string{fmt.Sprintf("schema %d", newestSchema+1), fmt.Sprintf("knows up to %d", newestSchema), "nothing was changed"} {
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q lacks %q", err, want)
			}
		}
		same(t, "refused", before, contents(t, s.dir))
	}
}

// A key file of another format is refused as it is.
func TestSchema_NewerKeyFile(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Close())
	path := filepath.Join(s.dir, keysName)
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, bytes.Replace(data, []byte(keyFormat), []byte("parley keys 2"), 1), fileMode))
	before := contents(t, s.dir)
	_, err = Open(Options{Dir: s.dir, Unlock: testKey})
	if err == nil || !strings.Contains(err.Error(), "does not know") {
		t.Errorf("got %v", err)
	}
	same(t, "refused", before, contents(t, s.dir))
}

// Who only reads changes nothing: neither compacts, nor clears away, nor writes, and keeps writers out no longer than it has to.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	s := mostlyFreeStore(t)
	must(t, s.Close())
	must(t, os.WriteFile(filepath.Join(s.dir, blobsDir, "00000000000000ff"), []byte("of no commit"), fileMode))
	before := contents(t, s.dir)
	r, err := Open(Options{Dir: s.dir, Unlock: testKey, ReadOnly: true})
	must(t, err)
	again, err := Open(Options{Dir: s.dir, Unlock: testKey, ReadOnly: true})
	must(t, err)
	must(t, again.Close())
	whole(t, r)
	getting(t, r, things, Seq(1), nil)
	wantErr(t, r.Update(putThing(2)), errReadOnly)
	_, err = Open(Options{Dir: s.dir, Unlock: testKey})
	wantErr(t, err, ErrInUse)
	must(t, r.Close())
	same(t, "read", before, contents(t, s.dir))
	w := reopen(t, s.dir) // the control: who writes does all of it
	must(t, w.Close())
	if after := contents(t, s.dir); len(after) != len(before)-1 || len(after[filepath.Join(s.dir, dbName)]) > len(before[filepath.Join(s.dir, dbName)])/4 {
		t.Error("the store was not in need of anything")
	}
}

func TestReadOnly_OlderSchema(t *testing.T) {
	t.Parallel()
	dir := firstSchema(t)
	before := contents(t, dir)
	_, err := open(Options{Dir: dir, Unlock: testKey, ReadOnly: true}, []migration{tenfold})
	if err == nil || !strings.Contains(err.Error(), "only read") || errors.Is(err, ErrNewer) {
		t.Errorf("got %v", err)
	}
	same(t, "read", before, contents(t, dir))
}

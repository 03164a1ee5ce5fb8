package mailflow

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"testing"

	"parley/mailflow/store"
)

// TestMain lets more garbage gather before it is looked for, which took a
// quarter of the time: each test makes worlds that are small and soon gone. A
// benchmark is measured as the program runs.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("GOGC") == "" && flag.Lookup("test.bench").Value.String() == "" {
		debug.SetGCPercent(400)
	}
	os.Exit(m.Run())
}

// toldOnce is the long story as it ended, with the files of its state.
var toldOnce struct {
	once  sync.Once
	story *longStory
	files []kept
}

// theLongStory is for tests that only look at how it ended: it is told once,
// and each of them opens a copy of its store. The mails that left are those of
// the one telling, so that nobody may send any.
func theLongStory(t testing.TB) *longStory {
	t.Helper()
	toldOnce.once.Do(func() {
		s := tellLongStory(t, newWorld(t))
		toldOnce.files = filesOf(t, s.dir)
		toldOnce.story = s
	})
	if toldOnce.story == nil {
		t.Fatal("the test that told the long story failed")
	}
	s, w := *toldOnce.story, *toldOnce.story.world
	s.world, w.t, w.dir = &w, t, filepath.Join(t.TempDir(), "state")
	for _, f := range toldOnce.files {
		if err := f.writeIn(w.dir); err != nil {
			t.Fatal(err)
		}
	}
	w.open()
	t.Cleanup(func() { _ = w.Store.Close() }) // read only
	return &s
}

// A kept is a file of a directory, or a directory in it.
type kept struct {
	path    string // within it
	dir     bool
	content []byte
}

func (k kept) writeIn(dir string) error {
	path := filepath.Join(dir, k.path)
	if k.dir {
		return os.MkdirAll(path, 0o700)
	}
	return os.WriteFile(path, k.content, 0o600)
}

// filesOf reads a directory with all below it, each before what it holds; of a
// state directory while nobody writes.
func filesOf(t testing.TB, dir string) (all []kept) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		k := kept{path: path}
		if err == nil && e.IsDir() {
			k.dir = true
		} else if err == nil {
			k.content, err = os.ReadFile(filepath.Join(dir, path))
		}
		all = append(all, k)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// serial is the number of the last commit.
func (w *world) serial() (n uint64) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		n = tx.Serial()
		return nil
	})
	return n
}

package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

func TestH2_Credentials(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{1}, keyBytes)
	phrase := []byte("correct horse battery staple")
	for name, c := range map[string]struct{ right, wrong Unlock }{
		"another key":              {UnlockKey(key), UnlockKey(bytes.Repeat([]byte{2}, keyBytes))},
		"another passphrase":       {UnlockPassphrase(phrase), UnlockPassphrase([]byte("Correct horse battery staple"))},
		"a passphrase for a key":   {UnlockKey(key), UnlockPassphrase(key)},
		"a key for a passphrase":   {UnlockPassphrase(phrase), UnlockKey(key)},
		"a key that is too short":  {UnlockKey(key), UnlockKey(key[1:])},
		"none":                     {UnlockKey(key), Unlock{}},
		"an empty passphrase":      {UnlockPassphrase(phrase), UnlockPassphrase(nil)},
		"a key and one byte of it": {UnlockKey(key), UnlockKey(append(bytes.Clone(key), 1))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "store")
			must(t, create(dir, c.right, 1<<10))
			_, err := Open(Options{Dir: dir, Unlock: c.wrong})
			wantErr(t, err, ErrUnlock)
			if text := err.Error(); strings.Contains(text, "\n") || strings.Contains(text, "horse") {
				t.Errorf("not one sentence: %q", text)
			}
			s, err := Open(Options{Dir: dir, Unlock: c.right})
			must(t, err)
			must(t, s.Close())
		})
	}
}

func TestH2_CreateRefuses(t *testing.T) {
	t.Parallel()
	for _, u := range []Unlock{{}, UnlockKey(nil), UnlockKey([]byte("short")), UnlockPassphrase(nil)} {
		dir := filepath.Join(t.TempDir(), "store")
		if Create(dir, u) == nil {
			t.Errorf("created with %v", u)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Error("left a directory")
		}
	}
	s := newStore(t)
	wantErr(t, Create(s.dir, testKey), ErrExists)
}

func TestH2_CostOfAPassphrase(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	u := UnlockPassphrase([]byte("correct horse battery staple"))
	must(t, Create(dir, u))
	f, _, err := readKeyFile(filepath.Join(dir, keysName))
	must(t, err)
	if f.Method != "scrypt" || f.Cost != 1<<17 || len(f.Salt) != 32 {
		t.Errorf("wrapped by %s with N = %d and %d bytes of salt", f.Method, f.Cost, len(f.Salt))
	}
	s, err := Open(Options{Dir: dir, Unlock: u})
	must(t, err)
	must(t, s.Close())
}

// The wrapping is bound to how it was made, and the cost in a file is not believed blindly.
func TestH2_ChangedKeyFile(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Close())
	path := filepath.Join(s.dir, keysName)
	data, err := os.ReadFile(path)
	must(t, err)
	for _, change := range []func() []byte{
		func() []byte { return nil },
		func() []byte { return data[:len(data)/2] },
		func() []byte { return bytes.Replace(data, []byte("hkdf-sha256"), []byte("hkdf-sha257"), 1) },
		func() []byte { return bytes.Replace(data, []byte("parley keys 1"), []byte("parley keys 2"), 1) },
		func() []byte {
			return bytes.Replace(data, []byte(`"hkdf-sha256"`), []byte(`"scrypt","cost":1073741824`), 1)
		},
		func() []byte { b := bytes.Clone(data); b[len(b)-20] ^= 1; return b },
	} {
		changed := change()
		must(t, os.WriteFile(path, changed, 0o600))
		if s, err := Open(Options{Dir: s.dir, Unlock: testKey}); err == nil {
			t.Errorf("opens with %q", changed)
			must(t, s.Close())
		}
	}
	must(t, os.WriteFile(path, data, 0o600))
	reopen(t, s.dir)
}

func TestH6_CredentialPrintsAsNothing(t *testing.T) {
	t.Parallel()
	u := UnlockPassphrase([]byte("canary"))
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "unlock", u)
	for _, text := range []string{fmt.Sprint(u), fmt.Sprintf("%v %+v %#v %s", u, u, u, u), log.String()} {
		if strings.Contains(text, "canary") || strings.Contains(text, "99 97") {
			t.Errorf("prints %q", text)
		}
	}
}

// spend makes scopes until no spare key is left.
func spend(t *testing.T, s *Store) {
	t.Helper()
	must(t, s.Update(func(tx *Tx) error {
		for n := 0; len(tx.keys.spare) > 0; n++ {
			must(t, tx.NewScope(Scope(fmt.Sprint("spent", n))))
		}
		return nil
	}))
}

func TestH3_KeyIsDurableBeforeTheCommit(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	spend(t, s)
	path := filepath.Join(s.dir, keysName)
	before, err := os.ReadFile(path)
	must(t, err)
	// A commit that fails after the key was written leaves keys too many, never one too few.
	s.engine = failingEngine{s.engine}
	wantErr(t, s.Update(func(tx *Tx) error {
		must(t, tx.NewScope("par-1"))
		return things.Put(tx, "par-1", Seq(1), thing{})
	}), ErrBroken)
	after, err := os.ReadFile(path)
	must(t, err)
	if bytes.Equal(before, after) {
		t.Error("the key file was not written before the commit")
	}
	must(t, s.Close())
	s = reopen(t, s.dir)
	must(t, s.Update(func(tx *Tx) error {
		if tx.HasScope("par-1") || !tx.HasScope("spent1") || len(tx.keys.spare) != spareKeys {
			t.Errorf("the wrong scopes are there, and %d spare keys", len(tx.keys.spare))
		}
		return tx.NewScope("par-1")
	}))
	whole(t, s)
}

// Scopes of updates that failed are gone, and their keys serve the next.
func TestH3_ScopesOfFailedUpdates(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	failed := errors.New("failed")
	for range 3 {
		wantErr(t, s.Update(func(tx *Tx) error {
			must(t, tx.NewScope("par-1"))
			must(t, tx.NewScope("par-2"))
			return failed
		}), failed)
	}
	must(t, s.Update(func(tx *Tx) error {
		must(t, tx.NewScope("par-3"))
		must(t, tx.NewScope("par-3"))
		must(t, tx.NewScope("par-2"))
		must(t, things.Put(tx, "par-3", Seq(3), thing{}))
		return things.Put(tx, "par-2", Seq(2), thing{})
	}))
	for range 2 {
		must(t, s.View(func(tx *Tx) error {
			if tx.HasScope("par-1") || !tx.HasScope("par-2") || !tx.HasScope("par-3") || tx.keys.next != 4 {
				t.Errorf("the wrong scopes are there: %d", tx.keys.next)
			}
			return nil
		}))
		whole(t, s)
		must(t, s.Close())
		s = reopen(t, s.dir)
	}
}

// A scope's row names its key: without it, or moved, the store does not open.
func TestH1_NamesOfScopes(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(tx *bbolt.Tx) error{
		"removed": func(tx *bbolt.Tx) error { return tx.Bucket([]byte(scopeBucket)).Delete(Seq(1)) },
		"last":    func(tx *bbolt.Tx) error { return tx.Bucket([]byte(scopeBucket)).Delete(Seq(2)) },
		"moved":   func(tx *bbolt.Tx) error { return rawPut(tx, scopeBucket, Seq(1), rawGet(tx, scopeBucket, Seq(2))) },
		"beyond":  func(tx *bbolt.Tx) error { return rawPut(tx, scopeBucket, Seq(9999), rawGet(tx, scopeBucket, Seq(2))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			must(t, s.Update(func(tx *Tx) error { return tx.NewScope("par-1") }))
			must(t, s.Close())
			rawUpdate(t, s, spoil)
			_, err := Open(Options{Dir: s.dir, Unlock: testKey})
			wantErr(t, err, ErrTampered)
		})
	}
}

type failingEngine struct{ engine }

func (e failingEngine) begin(write bool) (engineTx, error) {
	tx, err := e.engine.begin(write)
	return failingTx{tx}, err
}

type failingTx struct{ engineTx }

func (failingTx) commit() error { return os.ErrInvalid }

// The key file is replaced, not changed: a name that pointed at the old one still does.
func TestH3_KeyFileIsReplacedWhole(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	path := filepath.Join(s.dir, keysName)
	before, err := os.Stat(path)
	must(t, err)
	spend(t, s)
	must(t, s.Update(func(tx *Tx) error { return tx.NewScope("par-1") }))
	after, err := os.Stat(path)
	must(t, err)
	if os.SameFile(before, after) {
		t.Error("changed in place")
	}
	if _, err := os.Stat(path + ".new"); err == nil {
		t.Error("the new one is left beside it")
	}
	// One that a kill left half written is in nobody's way.
	must(t, os.WriteFile(path+".new", []byte("half"), 0o600))
	spend(t, s)
	must(t, s.Update(func(tx *Tx) error { return tx.NewScope("par-2") }))
}

func TestH3_Shred(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error {
		must(t, tx.NewScope("par-1"))
		must(t, things.Put(tx, "par-1", Seq(1), thing{"gone", 1}))
		must(t, things.Put(tx, "desk", Seq(2), thing{"stays", 2}))
		for _, scope := range []string{"desk", "par-1", "desk"} {
			if _, _, err := tx.AddLink(scope, []byte("x")); err != nil {
				return err
			}
		}
		return nil
	}))
	head := whole(t, s).Head
	path := filepath.Join(s.dir, keysName)
	was, _, err := readKeyFile(path)
	must(t, err)
	wantErr(t, s.Shred("par-1", UnlockKey(make([]byte, keyBytes))), ErrUnlock)
	wantErr(t, s.Shred("par-9", testKey), ErrNotFound)
	must(t, s.Shred("par-1", testKey))

	check := func(s *Store) {
		t.Helper()
		getting(t, s, things, Seq(1), ErrShredded)
		getting(t, s, things, Seq(2), nil)
		if r := whole(t, s); r.Shredded != 2 || r.Journal != 3 || r.Head != head {
			t.Errorf("%+v", r)
		}
		must(t, s.View(func(tx *Tx) error {
			if tx.HasScope("par-1") || !tx.HasScope("desk") {
				t.Error("the wrong scope is gone")
			}
			return nil
		}))
	}
	check(s)
	must(t, s.Close())
	s = reopen(t, s.dir)
	check(s)
	is, _, err := readKeyFile(path)
	must(t, err)
	if bytes.Equal(was.Master, is.Master) || bytes.Equal(was.Salt, is.Salt) {
		t.Error("the master key is the old one")
	}
	// The name may come again, with a new key; the old rows can go.
	must(t, s.Update(func(tx *Tx) error {
		must(t, tx.NewScope("par-1"))
		return things.Delete(tx, Seq(1))
	}))
	whole(t, s)
}

// A key file that is older than the store lacks keys, and says so.
func TestH3_OlderKeyFile(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	path := filepath.Join(s.dir, keysName)
	old, err := os.ReadFile(path)
	must(t, err)
	spend(t, s)
	must(t, s.Update(func(tx *Tx) error { return tx.NewScope("par-1") }))
	must(t, s.Close())
	must(t, os.WriteFile(path, old, 0o600))
	_, err = Open(Options{Dir: s.dir, Unlock: testKey})
	wantErr(t, err, ErrTampered)
}

// A kill between the key file and the commit of a shred leaves a row whose key is gone: it is as shredded as any.
func TestH3_ShredCutShort(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error {
		must(t, tx.NewScope("par-1"))
		return things.Put(tx, "par-1", Seq(1), thing{})
	}))
	s.engine = failingEngine{s.engine}
	wantErr(t, s.Shred("par-1", testKey), ErrBroken)
	must(t, s.Close())
	s = reopen(t, s.dir)
	getting(t, s, things, Seq(1), ErrShredded)
	must(t, s.Update(func(tx *Tx) error {
		if tx.HasScope("par-1") {
			t.Error("the scope is there")
		}
		return tx.NewScope("par-1")
	}))
	getting(t, s, things, Seq(1), ErrShredded)
	whole(t, s)
}

func TestT1_KeyFileFails(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	spend(t, s)
	must(t, os.MkdirAll(filepath.Join(s.dir, keysName+".new", "in the way"), 0o700))
	wantErr(t, s.Update(func(tx *Tx) error { return tx.NewScope("par-1") }), ErrBroken)
	wantErr(t, s.Update(putThing(1)), ErrBroken)
}

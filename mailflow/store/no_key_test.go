package store

import (
	"context"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"parley/mailflow/mailtest/canary"
)

// keysOf adds all keys that a store has now: the master key, its own, those of
// scopes, and those made ahead.
func keysOf(s *Store, all canary.Secrets) {
	add := func(what string, key []byte) { all[what+" "+hex.EncodeToString(key[:4])] = key }
	add("the master key", s.vault.master.key[:])
	set := s.keys.Load()
	add("the key of names", set.names)
	add("the key of the tally", set.tally)
	for n := range set.next {
		if k := set.numbered(n); k != nil {
			add("a key of "+string(k.name), k.key[:])
		}
	}
	for _, k := range set.spare[:min(len(set.spare), 8)] {
		add("a spare key", k)
	}
}

// keysIn says which keys stand in clear in a store's directory, in whatever form.
func keysIn(t *testing.T, dir string, keys canary.Secrets) (found []string) {
	t.Helper()
	look := canary.New(keys)
	for _, data := range contents(t, dir) {
		found = append(found, look.Plain([]byte(data))...)
	}
	return found
}

// No key of a store stands in clear in its directory, in whatever form: while it is
// used, rotated and shredded (rules H1 and H4).
func TestH4_NoKeyInClear(t *testing.T) {
	t.Parallel()
	secret := []byte("the unlock secret of this test!!")
	keys, s := canary.Secrets{"the credential": secret}, rotatable(t, 100)
	search := func(when string) {
		t.Helper()
		keysOf(s, keys)
		if found := keysIn(t, s.dir, keys); len(found) > 0 {
			t.Errorf("%s: %q", when, found)
		}
	}
	search("in use")
	must(t, s.Rekey(context.Background(), []Scope{"par-1", "desk"}, testKey, nil))
	search("rekeyed")
	must(t, s.Rotate(UnlockKey(secret), nil))
	search("rotated")
	must(t, s.Shred("par-2", UnlockKey(secret)))
	search("shredded")
	if len(keys) < 15 {
		t.Fatalf("only %d keys were looked for", len(keys))
	}
	must(t, os.WriteFile(filepath.Join(s.dir, "free page"), append(make([]byte, 5000), s.vault.master.key[:]...), fileMode))
	if len(keysIn(t, s.dir, keys)) == 0 {
		t.Error("control: a master key that lies there is not found")
	}
}

// Nor once the file was written anew.
func TestH4_NoKeyInClear_Compacted(t *testing.T) {
	t.Parallel()
	s := mostlyFreeStore(t)
	must(t, s.Close())
	before := bytesIn(t, s.dir)
	s = reopen(t, s.dir)
	if now := bytesIn(t, s.dir); now*2 > before {
		t.Fatalf("it was not compacted: %d bytes of %d", now, before)
	}
	keys := canary.Secrets{}
	keysOf(s, keys)
	if found := keysIn(t, s.dir, keys); len(found) > 0 {
		t.Errorf("%q", found)
	}
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"parley/mailflow/store"
)

// A restore that is killed after the store is there, and before that was told to send
// nothing, leaves no configuration that anybody could serve it with (rules H7, T2).
func TestH7_KilledRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	u, err := parseUnlock([]byte(newUnlockText()))
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "old")
	if err := store.Create(old, u); err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(store.Options{Dir: old, Unlock: u})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	var plain bytes.Buffer
	files := map[string][]byte{configName: []byte("domain = \"vdp.example.org\"\n")}
	if _, err := newArchiver(&plain, time.Now()).all(t.Context(), files, st); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "new")
	m := &maker{}
	if err := m.emptyDir(to); err != nil {
		t.Fatal(err)
	}
	if _, err := m.unpack(&plain, to, u); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(to, stateName, "keys")); err != nil {
		t.Fatalf("the store is not there yet: %v", err)
	}
	if _, err := loadSettings(filepath.Join(to, configName)); err == nil {
		t.Fatal("it can be served, and sends what waited")
	}
	if err := m.finish(to); err != nil {
		t.Fatal(err)
	}
	if _, err := loadSettings(filepath.Join(to, configName)); err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writes(t *testing.T, p *part, text string) {
	t.Helper()
	if _, err := p.file.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// Two backups to one name: the second is refused in a sentence, and harms neither the first nor what it has written so far.
func TestBackup_TwoAtOnce(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "parley.age")
	first, err := newPart(name)
	if err != nil {
		t.Fatal(err)
	}
	writes(t, first, "the first")
	if _, err := newPart(name); err == nil || !strings.Contains(err.Error(), "another backup") {
		t.Fatalf("the second: %v", err)
	}
	if err := first.keep(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != "the first" {
		t.Errorf("it holds %q, %v", got, err)
	}
	if _, err := newPart(name); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("the third: %v", err)
	}
	if all, _ := filepath.Glob(name + "*"); len(all) != 1 {
		t.Errorf("there are %q", all)
	}
}

// What a killed backup left under way is taken over, whatever it holds; what came under the name meanwhile is not written over.
func TestBackup_LeftOver(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "parley.age")
	if err := os.WriteFile(name+".part", []byte("longer than what comes"), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := newPart(name)
	if err != nil {
		t.Fatal(err)
	}
	writes(t, p, "short")
	if err := os.WriteFile(name, []byte("of somebody else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.keep(); err == nil {
		t.Error("it was written over")
	}
	if got, _ := os.ReadFile(name); string(got) != "of somebody else" {
		t.Errorf("it holds %q", got)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if p, err = newPart(name); err != nil {
		t.Fatal(err)
	}
	writes(t, p, "short")
	if err := p.keep(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil || info.Size() != 5 || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

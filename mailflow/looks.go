package mailflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"sync"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// wording is the newest version of what was written for a stage, with a digest
// that stands for its text and files. The zero one is nothing.
type wording struct {
	cvd.Material
	Digest string
}

// looks keeps what a run of notices is made of, so that the material which all
// vendors get is read and digested once and not for each. A version never
// changes; only its number is looked up again. What it keeps goes with the run.
type looks struct {
	within *store.Tx       // the update that the run belongs to, or nil
	sums   bool            // nobody reads the words: digests do, which are kept beside them
	until  context.Context // ends the comparing; nil is never

	mu   sync.Mutex
	kept map[string]wording // by the key of the version
	made map[string]publication

	comparing sync.Mutex           // held by the one that compares or reads names
	compared  map[string]*examined // by the key of the version: what the guard knows of it
	names     map[cvd.CaseID]*names

	large sync.Mutex // held while a large mail is sealed
}

// inside is what an update goes on with after the same was looked at in a
// snapshot: it compares nothing again that was compared there, while all other
// writers wait for it. What belongs to no version is read anew.
func (l *looks) inside(tx *store.Tx) *looks {
	l.comparing.Lock()
	defer l.comparing.Unlock()
	return &looks{within: tx, until: l.until, compared: maps.Clone(l.compared)}
}

// latest reads the newest version of what was written for a stage, or nothing.
func (l *looks) latest(tx *store.Tx, c cvd.CaseID, s cvd.Stage, party cvd.PartyID) (wording, error) {
	version := lastVersion(tx, c, s, party)
	if version == 0 {
		return wording{}, nil
	}
	key := materialKey(tx, c, s, party, version)
	if w, ok := l.get(key); ok {
		return w, nil
	}
	if sum, err := materialSums.Get(tx, key); l.sums && err == nil {
		return wording{cvd.Material{Case: c, Stage: s, Party: party, Version: version}, sum}, nil
	}
	m, err := materials.Get(tx, key)
	if err != nil {
		return wording{}, fmt.Errorf("read material of %s: %w", s, err)
	}
	w := wording{Material: m}
	if w.Digest, err = digestOf(m.Text, m.Files); err != nil {
		return wording{}, err
	}
	if l.within == tx || !tx.Writable() { // what another update reads may never be committed
		l.put(key, w)
	}
	return w, nil
}

// forStage is latest; the advisory stands in for a public text that nobody
// wrote.
func (l *looks) forStage(tx *store.Tx, c cvd.CaseID, s cvd.Stage, party cvd.PartyID) (wording, error) {
	w, err := l.latest(tx, c, s, party)
	if err == nil && w.Version == 0 && s == cvd.Public {
		return l.latest(tx, c, cvd.Advisory, party)
	}
	return w, err
}

func (l *looks) get(key []byte) (wording, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w, ok := l.kept[string(key)]
	return w, ok
}

func (l *looks) put(key []byte, w wording) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept == nil {
		l.kept = map[string]wording{}
	}
	l.kept[string(key)] = w
}

// digestOf is SHA-256 over values as JSON.
func digestOf(what ...any) (string, error) {
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(what); err != nil {
		return "", fmt.Errorf("digest: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// lastVersion is the number of the newest version, 0 for none.
func lastVersion(tx *store.Tx, c cvd.CaseID, s cvd.Stage, p cvd.PartyID) int {
	return materials.Count(tx, materialPrefix(tx, c, s, p))
}

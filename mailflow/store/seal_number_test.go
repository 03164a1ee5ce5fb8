package store

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
)

// A key opens what names it, and nothing that names another, though it had the same bytes:
// not even where nothing else binds the number.
func TestH1_KeyOpensOnlyWhatNamesIt(t *testing.T) {
	t.Parallel()
	bytesOfBoth := newKey()
	one, err := newScopeKey(1, "par-1", bytesOfBoth)
	must(t, err)
	two, err := newScopeKey(2, "par-2", bytesOfBoth)
	must(t, err)
	row := place{"t/things", Seq(1), 1}
	for name, bound := range map[string][]byte{"a row": row.bind(nil, 1), "bound to no number": []byte("words"), "bound to nothing": nil} {
		sealed := one.seal(bound, []byte("plain"))
		plain, err := one.open(nil, bound, sealed)
		must(t, err)
		if string(plain) != "plain" {
			t.Errorf("%s: opens as %q", name, plain)
		}
		plain, err = two.open(nil, bound, sealed)
		wantErr(t, err, ErrTampered)
		if plain != nil {
			t.Errorf("%s: another key opens it as %q", name, plain)
		}
		for i := range scopeBytes {
			other := bytes.Clone(sealed)
			other[i] ^= 1
			_, err := one.open(nil, bound, other)
			wantErr(t, err, ErrTampered)
		}
	}
}

// The numbers that stand before the sealed master key and before the sealed list of keys are
// nothing but zero, whoever writes the file.
func TestH1_NumbersInTheKeyFile(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Close())
	path := filepath.Join(s.dir, keysName)
	v, keys, err := openVault(path, testKey)
	must(t, err)
	_, sealed, err := readKeyFile(path)
	must(t, err)
	for i := range scopeBytes {
		other := *v // the list goes with what its head says
		other.head.Master = bytes.Clone(v.head.Master)
		other.head.Master[i] ^= 1
		must(t, other.write(keys))
		_, err := Open(Options{Dir: s.dir, Unlock: testKey})
		wantErr(t, err, ErrUnlock)

		list := slices.Clone(sealed)
		list[i] ^= 1
		must(t, writeKeyFile(v, list))
		_, err = Open(Options{Dir: s.dir, Unlock: testKey})
		wantErr(t, err, ErrTampered)
	}
	must(t, writeKeyFile(v, sealed))
	reopen(t, s.dir)
}

// writeKeyFile puts a sealed list behind the head of a key file.
func writeKeyFile(v *keyVault, sealed []byte) error {
	line, err := json.Marshal(v.head)
	if err != nil {
		return err
	}
	return replaceFile(v.path, slices.Concat(line, []byte("\n"), sealed))
}

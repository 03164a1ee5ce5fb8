package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// sealedScene are values of two scopes as they lie on the disk.
type sealedScene struct {
	keys   *keySet
	places []place
	plain  [][]byte
	sealed [][]byte
}

func newSealedScene(t testing.TB) *sealedScene {
	ks, err := newKeySet(newKey(), newKey(), newKey())
	must(t, err)
	ks = ks.stocked()
	for _, name := range []Scope{"desk", "PAR-2026-0001", "PAR-2026-0002"} {
		ks, err = ks.with(name)
		must(t, err)
	}
	z := &sealedScene{keys: ks.without(ks.numbered(3))}
	for i, p := range []place{{"t/things", Seq(1), 1}, {"t/things", Seq(1), 2}, {"t/things", Seq(2), 1}, {"w/once", Seq(1), 0}, {"body", Seq(7), 0}} {
		for n := uint32(0); n < 4; n++ {
			plain := []byte{byte(i), byte(n), 'p', 'l', 'a', 'i', 'n'}
			k := ks.numbered(n)
			z.places, z.plain = append(z.places, p), append(z.plain, plain)
			z.sealed = append(z.sealed, k.seal(p.bind(nil, n), plain))
		}
	}
	return z
}

// FuzzSealed changes values on the disk: bytes of one at a place where another may
// stand. Only what was sealed for that very place opens there, and as what it was;
// everything else is an error, and what a destroyed key sealed is gone.
func FuzzSealed(f *testing.F) {
	z := newSealedScene(f)
	for i := range z.sealed {
		f.Add(uint8(i), uint8(i), uint16(0), []byte(nil))
		f.Add(uint8(i), uint8(i+1), uint16(0), []byte(nil))
		f.Add(uint8(i), uint8(i), uint16(3*i), []byte{1})
	}
	f.Add(uint8(0), uint8(0), uint16(0), []byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, from, to uint8, at uint16, flip []byte) {
		i, j := int(from)%len(z.sealed), int(to)%len(z.places)
		sealed := bytes.Clone(z.sealed[i])
		for n, b := range flip {
			if pos := int(at) + n; pos < len(sealed) {
				sealed[pos] ^= b
			} else if pos == len(sealed) {
				sealed = append(sealed, b)
			}
		}
		same := z.places[i].bucket == z.places[j].bucket && bytes.Equal(z.places[i].key, z.places[j].key) && z.places[i].version == z.places[j].version &&
			bytes.Equal(sealed, z.sealed[i])
		plain, err := z.keys.open(nil, new([]byte), z.places[j], sealed)
		number, _ := scopeOf(sealed)
		switch {
		case err == nil && (!same || !bytes.Equal(plain, z.plain[i]) || number == 3):
			t.Fatalf("%x opens at %+v as %x", sealed, z.places[j], plain)
		case err != nil && (plain != nil || !errors.Is(err, ErrTampered) && !errors.Is(err, ErrShredded)):
			t.Fatalf("%v beside %x", err, plain)
		case err != nil && same && number != 3:
			t.Fatalf("%x does not open where it stands: %v", sealed, err)
		case errors.Is(err, ErrShredded) != (number == 3 && len(sealed) >= sealOverhead):
			t.Fatalf("scope %d: %v", number, err)
		}
	})
}

// readerAt is a sealed body as a blob holds it.
type readerAt struct{ *bytes.Reader }

func (readerAt) Close() error { return nil }

// FuzzBody changes the sealed chunks of a body, and what its record says of its size.
// Read at once or in pieces, it opens as it was or not at all.
func FuzzBody(f *testing.F) {
	key, plain := newKey(), bytes.Repeat([]byte("body "), chunkBytes/4) // two chunks
	sealed, err := sealAll(nil, key, 5, plain)
	must(f, err)
	n := int64(len(plain))
	for _, c := range []struct {
		size int64
		at   uint32
		flip []byte
	}{{n, 0, nil}, {n, 7, []byte{1}}, {0, 0, nil}, {-1, 0, nil}, {1 << 62, 0, nil}, {-1 << 63, 0, nil}, {chunkBytes, 0, nil}, {n - 1, 0, nil}, {n, uint32(len(sealed) - 1), []byte{1, 2}}} {
		f.Add(c.size, c.at, c.flip, uint32(len(sealed)), uint16(1000))
	}
	f.Add(n, uint32(0), []byte(nil), uint32(sealedChunk), uint16(1))
	f.Fuzz(func(t *testing.T, size int64, at uint32, flip []byte, cut uint32, seek uint16) {
		changed := bytes.Clone(sealed[:min(int(cut), len(sealed))])
		for i, b := range flip {
			if pos := int(at) + i; pos < len(changed) {
				changed[pos] ^= b
			}
		}
		b := Body{ID: 5, Key: key, Size: size}
		whole := size == n && bytes.Equal(changed, sealed)
		got, err := openAll(nil, b, changed)
		if whole != (err == nil) || err == nil && !bytes.Equal(got, plain) || err != nil && !errors.Is(err, ErrTampered) {
			t.Fatalf("size %d, %d octets: opened %d octets, %v", size, len(changed), len(got), err)
		}
		if size < 0 || size > 1<<30 {
			return // openBlob compares with the file first
		}
		r, err := newBodyReader(b, readerAt{bytes.NewReader(changed)}, readerAt{})
		must(t, err)
		from := min(int64(seek), size)
		_, err = r.Seek(from, io.SeekStart)
		must(t, err)
		got, err = io.ReadAll(r)
		if from > n || !bytes.HasPrefix(plain[from:], got) || whole && (err != nil || len(got) != len(plain)-int(from)) || err == nil && size != n && size > from {
			t.Fatalf("size %d from %d: read %d octets, %v", size, from, len(got), err)
		}
	})
}

// FuzzForms reads the stored forms of records from any bytes, as a version that wrote
// them wrongly could have left them. What is read can be written, and is then the same.
func FuzzForms(f *testing.F) {
	entry, _ := Entry{Message: 3, At: time.Unix(1_800_000_000, 0), Size: 9, Served: Body{ID: 4, Key: newKey()}, Envelope: []byte("(NIL)")}.MarshalBinary()
	head, _ := Head{Header: []byte("A: b\r\n\r\n"), Words: []Span{{7, 9, Base64}, {9, 12, Identity}}, Parse: true}.MarshalBinary()
	marks, _ := marksBlock{3: MarkSeen, 200: MarkDraft}.MarshalBinary()
	ks, err := newKeySet(newKey(), newKey(), newKey())
	must(f, err)
	keys := append(append(ks.marshal(), keyDestroyed), ks.stocked().marshal()[3*keyBytes:]...)
	for _, b := range [][]byte{nil, entry, head, marks, keys[:4*keyBytes+2], (&state{serial: 1, chain: 2}).marshal(), blobRow{12, 13}.marshal(), {1}, {0xff}, bytes.Repeat([]byte{0xff}, 40), {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := bytes.Clone(b)
		formIsStable[Entry](t, b)
		formIsStable[marksBlock](t, b)
		h := formIsStable[Head](t, b)
		if len(h.Words) > len(b) || len(h.Header) > len(b) {
			t.Errorf("%d spans and %d octets of header in %d", len(h.Words), len(h.Header), len(b))
		}
		var s state
		if err := s.unmarshal(b); err == nil && !bytes.Equal(s.marshal(), b) || (err == nil) != (len(b) == stateBytes) {
			t.Errorf("state of %x: %v", b, err)
		}
		var row blobRow
		if err := row.unmarshal(b); err == nil && !bytes.Equal(row.marshal(), b) {
			t.Errorf("blob row of %x", b)
		}
		ks, keys, err := parseKeys(b)
		if err == nil {
			again := ks.marshal()
			for _, k := range keys {
				if k == nil {
					again = append(again, keyDestroyed)
				} else {
					again = append(append(again, keyThere), k...)
				}
			}
			if !bytes.Equal(again, b) {
				t.Errorf("keys of %x are %x", b, again)
			}
		}
		if v, err := readVersion(b); (err == nil) != (len(b) == 8) || err == nil && !bytes.Equal(Seq(v), b) {
			t.Errorf("version of %x: %d, %v", b, v, err)
		}
		if !bytes.Equal(b, whole) {
			t.Error("the row was changed")
		}
	})
}

// formIsStable reads a V; what is read is written and read again.
func formIsStable[V any](t *testing.T, b []byte) V {
	t.Helper()
	v, err := decode[V](b)
	if err != nil {
		return v
	}
	once, err := encode(v)
	must(t, err)
	again, err := decode[V](once)
	must(t, err)
	twice, err := encode(again)
	must(t, err)
	if !bytes.Equal(once, twice) {
		t.Errorf("%x is read as %+v, and that as %+v", b, v, again)
	}
	return v
}

// FuzzKeyFile opens stores whose key file is any bytes: an error, and no keys.
func FuzzKeyFile(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, keysName)
	good, err := os.ReadFile("testdata/keys") // of testKey; the same in every process of a run
	must(f, err)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(bytes.Replace(good, []byte("keys 1"), []byte("keys 2"), 1))
	f.Add(bytes.Replace(good, []byte(wrapKey), []byte(wrapPassphrase), 1))
	f.Add(bytes.Replace(good, []byte(`"method"`), []byte(`"cost":131072,"method"`), 1))
	for _, s := range []string{"", "\n", "{}\n", "null\n", `{"format":"parley keys 1","method":"hkdf-sha256","master":"AAAA"}` + "\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		must(t, os.WriteFile(path, data, 0o600))
		_, keys, err := openVault(path, testKey)
		if (err == nil) != sameKeyFile(good, data) || err != nil && keys != nil {
			t.Fatalf("%q opens: %d octets of keys, %v", data, len(keys), err)
		}
	})
}

// sameKeyFile: JSON may be written in several ways, its sealed contents in one.
func sameKeyFile(good, data []byte) bool {
	line, sealed, _ := bytes.Cut(good, []byte("\n"))
	other, sealed2, _ := bytes.Cut(data, []byte("\n"))
	var a, b keyHead
	if json.Unmarshal(line, &a) != nil || json.Unmarshal(other, &b) != nil {
		return false
	}
	return bytes.Equal(sealed, sealed2) && bytes.Equal(a.bindKeys(), b.bindKeys()) && bytes.Equal(a.bind(), b.bind())
}

// FuzzRestore makes a store of any files with names of a store's. It is an error or a
// store that opens, and nothing lies outside of its directory.
func FuzzRestore(f *testing.F) {
	src := newStore(f)
	must(f, src.Update(putThing(1)))
	files := map[string][]byte{}
	_, err := src.Backup(context.Background(), func(name string, size int64, content func(io.Writer) error) error {
		var b bytes.Buffer
		err := content(&b)
		files[name] = b.Bytes()
		return err
	})
	must(f, err)
	for _, name := range []string{dbName, blobName(3), "../x", blobsDir + "/../../x", "blobs/3", "/etc/x", keysName, "", "."} {
		f.Add(name, files[keysName], []byte("body"), true)
	}
	f.Add(blobName(1), []byte("no keys"), files[dbName][:100], false)
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, name string, keys, body []byte, withDB bool) {
		dir := filepath.Join(root, "a", "store")
		must(t, os.RemoveAll(filepath.Join(root, "a")))
		must(t, os.Mkdir(filepath.Join(root, "a"), 0o700))
		given := []rawRow{{keysName, nil, keys}, {name, nil, body}}
		if withDB {
			given = append(given, rawRow{dbName, nil, files[dbName]})
		}
		err := Restore(dir, testKey, func() (string, io.Reader, error) {
			if len(given) == 0 {
				return "", nil, io.EOF
			}
			now := given[0]
			given = given[1:]
			return now.bucket, bytes.NewReader(now.value), nil
		})
		for _, d := range []string{root, filepath.Join(root, "a")} {
			if all, _ := os.ReadDir(d); len(all) > 1 {
				t.Fatalf("%q left %v beside the store", name, all)
			}
		}
		if err != nil {
			if _, there := os.Stat(filepath.Join(dir, keysName)); there == nil {
				t.Fatalf("a key file is left behind %v", err)
			}
		}
	})
}

package canary

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// compressors write what streams read.
var compressors = map[string]func(io.Writer) (io.WriteCloser, error){
	"gzip":    func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
	"zlib":    func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil },
	"zstd":    func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
	"deflate": func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) },
}

// plants are a secret in every form that the scanner knows, among other bytes.
func plants(t *testing.T, secret string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, f := range forms {
		for i, text := range f.of([]byte(secret)) {
			all[f.name+strings.Repeat("'", i)] = text
		}
	}
	for shift, before := range []string{"", "a", "ab"} {
		text := base64.StdEncoding.EncodeToString([]byte(before + secret + " and more behind it"))
		all["whole base64"+strings.Repeat("'", shift)] = []byte(text)
		all["base64 of two lines"+strings.Repeat("'", shift)] = []byte(text[:8] + "\r\n" + text[8:])
	}
	all["a soft line break"] = []byte(secret[:5] + "=\r\n" + secret[5:])
	for name, make := range compressors {
		var b bytes.Buffer
		w, err := make(&b)
		if err == nil {
			_, err = io.WriteString(w, strings.Repeat("some text before it, ", 9)+secret+" and behind")
		}
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		all[name] = b.Bytes()
	}
	return all
}

// A search finds a secret in each form in a file of the state directory,
// in the log and among the free pages of the store: else it could find nothing.
func TestScanner_FindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	const secret = "xqplanted7k2m"
	look := New(Secrets{"planted": []byte(secret)})
	page := make([]byte, 8<<10) // as bbolt leaves one
	for i := range page {
		page[i] = byte(i*i>>3 ^ i)
	}
	if found := look.Scan(page); len(found) > 0 {
		t.Fatalf("it finds what is not there: %q", found)
	}
	for name, text := range plants(t, secret) {
		dir := t.TempDir()
		for _, file := range []string{"state/parley.db", "gateway.log", "tmp/deep/er"} {
			path := filepath.Join(dir, file)
			in := bytes.Join([][]byte{page[:5<<10+77], text, page[5<<10+77:]}, nil)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, in, 0o600)); err != nil {
				t.Fatal(err)
			}
			found, _, err := look.Files(dir)
			if err := errors.Join(err, os.Remove(path)); err != nil {
				t.Fatal(err)
			}
			if len(found) == 0 {
				t.Errorf("%s in %s is not found", name, file)
			}
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, secret), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if found, _, err := look.Files(dir); err != nil || len(found) == 0 {
		t.Errorf("the name of a file: %q, %v", found, err)
	}
}

// Package canary looks for secrets in what a program leaves behind: as they are, in
// base64, hex and other forms, and in compressed streams.
package canary

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
)

// Secrets are looked for, by what each is of.
type Secrets map[string][]byte

// form is a way to write a secret down, so that a search for its letters misses it.
type form struct {
	name string
	of   func([]byte) [][]byte // what stands there then
}

// forms are those that are looked for in the bytes of a file, and in the streams that
// it holds.
var forms = []form{
	{"as it is", func(b []byte) [][]byte {
		return [][]byte{b, bytes.ToUpper(b), bytes.ToLower(b)}
	}},
	{"base64", base64Forms},
	{"hex", func(b []byte) [][]byte {
		return [][]byte{[]byte(hex.EncodeToString(b)), []byte(strings.ToUpper(hex.EncodeToString(b)))}
	}},
	{"quoted-printable", func(b []byte) [][]byte { return [][]byte{escaped(b, "=%02X"), escaped(b, "=%02x")} }},
	{"percent", func(b []byte) [][]byte { return [][]byte{escaped(b, "%%%02X"), escaped(b, "%%%02x")} }},
	{"UTF-16", func(b []byte) [][]byte {
		var little, big []byte
		for _, u := range utf16.Encode([]rune(string(b))) {
			little, big = append(little, byte(u), byte(u>>8)), append(big, byte(u>>8), byte(u))
		}
		return [][]byte{little, big}
	}},
}

// base64Forms are what stays the same of a secret in base64, wherever it begins in a
// group of three octets (RFC 4648 section 4), in both alphabets.
func base64Forms(b []byte) (out [][]byte) {
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString(append(make([]byte, shift), b...))
		first, last := (8*shift+5)/6, (8*(shift+len(b)))/6 // characters that hold bits of others are left out
		std := text[first:last]
		out = append(out, []byte(std))
		if url := strings.NewReplacer("+", "-", "/", "_").Replace(std); url != std {
			out = append(out, []byte(url))
		}
	}
	return out
}

func escaped(b []byte, format string) (out []byte) {
	for _, c := range b {
		out = fmt.Appendf(out, format, c)
	}
	return out
}

// streams are forms of compression: how a stream begins, and how it is read.
var streams = []struct {
	name string
	with [][]byte
	open func(io.Reader) (io.Reader, error)
}{
	{"gzip", [][]byte{{0x1f, 0x8b, 8}}, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
	{"zlib", [][]byte{{0x78, 0x01}, {0x78, 0x5e}, {0x78, 0x9c}, {0x78, 0xda}}, func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) }},
	{"zstd", [][]byte{{0x28, 0xb5, 0x2f, 0xfd}}, func(r io.Reader) (io.Reader, error) {
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(64<<20))
	}},
}

// maxStream bounds what is read of a stream, in bytes.
const maxStream = 1 << 20

// Raw deflate (RFC 1951) has no beginning to look for, so each octet may be one. A
// stream that cannot be is over after few of them, but for large files that adds up:
// there only multiples of deflateStep are tried.
const (
	deflateAll  = 256 << 10
	deflateStep = 256
	deflateMost = 8 << 10 // what is read of it
)

// Scanner looks for secrets. It serves one goroutine at a time.
type Scanner struct {
	needles []needle
	inflate io.ReadCloser
}

type needle struct {
	secret, form string
	text         []byte
}

// New makes a scanner for all of them.
func New(all Secrets) *Scanner {
	s := &Scanner{inflate: flate.NewReader(bytes.NewReader(nil))}
	for secret, text := range all {
		for _, f := range forms {
			for _, t := range f.of(text) {
				s.needles = append(s.needles, needle{secret, f.name, t})
			}
		}
	}
	return s
}

// Scan says what it finds in data, once for each secret and form.
func (s *Scanner) Scan(data []byte) (found []string) {
	found = s.plain(data, "")
	for _, k := range streams {
		for _, magic := range k.with {
			for i := 0; ; i++ {
				next := bytes.Index(data[i:], magic)
				if next < 0 {
					break
				}
				i += next
				if r, err := k.open(bytes.NewReader(data[i:])); err == nil {
					found = append(found, s.plain(firstOf(r, maxStream), " in "+k.name)...)
				}
			}
		}
	}
	step := 1
	if len(data) > deflateAll {
		step = deflateStep
	}
	for i := 0; i < len(data); i += step {
		if len(bytes.Trim(data[i:min(i+16, len(data))], "\x00")) == 0 {
			continue // a stored block of nothing, all through an empty page
		}
		if err := s.inflate.(flate.Resetter).Reset(bufio.NewReaderSize(bytes.NewReader(data[i:]), 512), nil); err == nil {
			if text := firstOf(s.inflate, deflateMost); len(text) > 8 {
				found = append(found, s.plain(text, " in deflate")...)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// firstOf is what can be read, up to most bytes.
func firstOf(r io.Reader, most int64) []byte {
	text, _ := io.ReadAll(io.LimitReader(r, most)) // it ends where it is no stream any more
	return text
}

// Plain finds the forms of secrets in bytes, also where lines were broken within, and
// nothing that is compressed.
func (s *Scanner) Plain(data []byte) (found []string) { return s.plain(data, "") }

// plain is Plain that says where it looked.
func (s *Scanner) plain(data []byte, where string) (found []string) {
	texts := [][]byte{data}
	if bytes.IndexByte(data, '\n') >= 0 {
		joined := bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("=\r\n"), nil), []byte("=\n"), nil)
		texts = append(texts, bytes.ReplaceAll(bytes.ReplaceAll(joined, []byte("\r"), nil), []byte("\n"), nil))
	}
	for _, n := range s.needles {
		for _, t := range texts {
			if bytes.Contains(t, n.text) {
				found = append(found, n.secret+": "+n.form+where)
				break
			}
		}
	}
	return found
}

// Files scans every file below a directory, names included, but those that are told,
// and says how many there were.
func (s *Scanner) Files(dir string, but ...string) (found []string, files int, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || slices.Contains(but, path) {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		for _, f := range s.plain([]byte(name), "") {
			found = append(found, "the name of a file: "+f)
		}
		if !e.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		files++
		for _, f := range s.Scan(data) {
			found = append(found, name+": "+f)
		}
		return err
	})
	return found, files, err
}

package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse holds rule P7 and what the rest of the program relies on: no input
// makes anything here panic, parts lie inside each other, what is computed can
// be stored, and what is parsed can be served and is then a message again.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(golden, "*.eml"))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	for _, raw := range [][]byte{nil, nested(3), wide(3), longHeader(100), []byte("Content-Type: multipart/mixed; boundary=b\n\n--b\n--b"),
		[]byte("From: =?utf-8?Q?x?= <a@b>, (c) d@e\nDate: 1 Dec 26 08:03 EST\nContent-Type: message/rfc822\n\nX: y\n\n"),
		[]byte("Content-Disposition: a; filename*0*=utf-8''%C3; filename*1=x\nContent-Transfer-Encoding: base64\n\nAA=A\n")} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		checkMessage(t, raw)
		if !bytes.Equal(raw, before) {
			t.Error("the bytes received were changed")
		}
	})
}

func checkMessage(t *testing.T, raw []byte) {
	p, err := Parse(raw, Limits{})
	if err != nil {
		var limit *LimitError
		if p != nil || !errors.Is(err, ErrMalformed) && !errors.As(err, &limit) {
			t.Fatalf("%v with %v", err, p)
		}
		if _, err := PresentOpaque(raw, nil, "note"); err != nil {
			t.Errorf("serve what cannot be parsed: %v", err)
		}
		return
	}
	if p.start != 0 || p.end != len(raw) {
		t.Fatalf("the message is [%d,%d) of %d", p.start, p.end, len(raw))
	}
	checkTree(t, p)
	if _, err := json.Marshal(p.Structure()); err != nil {
		t.Errorf("structure: %v", err)
	}
	p.Automatic("a@x")
	p.FirstText()
	for _, name := range []string{"From", "To"} {
		list, _ := p.Header.Addresses(name)
		for _, a := range list {
			if back, err := ParseAddressList(a.Addr()); err != nil || len(back) != 1 || back[0].Addr() != a.Addr() {
				t.Errorf("address %+v is read back as %v, %v", a, back, err)
			}
		}
	}
	if err := CheckHeaderValue(Title(p.Header.Get("Subject"))); err != nil {
		t.Error(err)
	}
	checkServed(t, p)
}

func checkTree(t *testing.T, p *Part) {
	if p.start > p.body || p.body > p.end {
		t.Fatalf("offsets %d, %d, %d", p.start, p.body, p.end)
	}
	_, _ = p.Body()
	if s, err := p.Text(); err != nil || bytes.ContainsRune([]byte(s), '\r') {
		t.Errorf("text %q, %v", s, err)
	}
	_, _ = p.Unflowed()
	if err := CheckHeaderValue(p.Filename); err != nil {
		t.Errorf("file name: %v", err)
	}
	pos := p.body
	for _, c := range p.Children {
		if c.start < pos || c.end > p.end {
			t.Fatalf("part [%d,%d) is outside [%d,%d)", c.start, c.end, pos, p.end)
		}
		pos = c.end
		checkTree(t, c)
	}
}

func checkServed(t *testing.T, p *Part) {
	fields := []Field{{"Parley-Signature", "none"}, {"Subject", p.Header.Text("Subject")}}
	b, err := Present(p, fields, "the note", nil)
	if err != nil {
		t.Fatalf("present: %v", err)
	}
	s, err := Parse(b, Limits{Depth: 22, Parts: 1010, HeaderBytes: 1 << 20, Size: 1 << 30})
	if err != nil {
		t.Fatalf("parse what is served: %v", err)
	}
	if v := s.Header.Values("Parley-Signature"); len(v) != 1 || v[0] != "none" {
		t.Errorf("Parley-Signature is served as %q", v)
	}
	text := s.FirstText()
	if text == nil {
		t.Fatalf("served without the note:\n%q", b)
	}
	if words, _ := text.Text(); !bytes.HasPrefix([]byte(words), []byte("the note")) {
		t.Errorf("the letter begins with %q in\n%q", words[:min(20, len(words))], b)
	}
}

// FuzzFormatFields: what may stand in a field comes back from it as it was.
func FuzzFormatFields(f *testing.F) {
	for _, s := range []string{"plain", "Jürgen 日本語", "a  b", "=?utf-8?Q?x?=", "x =?", "word word word word word word word word word word word word word word word"} {
		f.Add("Subject", s)
		f.Add("To", s+" <a@b.example>")
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		b, err := FormatFields([]Field{{name, value}, {"X-Next", "next"}})
		if err != nil {
			return
		}
		checkLines(t, b)
		h := Header{b}
		fields := h.Fields()
		if len(fields) != 2 || fields[0].Name != name || fields[1].Name != "X-Next" {
			t.Fatalf("%q: %q gives %q", name, value, b)
		}
		want, back := strings.Trim(value, " "), decodeWords(fields[0].Value)
		if kindOf(name) == freeText && back != want {
			t.Errorf("%q came back as %q from %q", value, back, b)
		}
	})
}

func checkLines(t *testing.T, b []byte) {
	for line := range strings.SplitSeq(string(b), "\r\n") {
		if strings.ContainsAny(line, "\r\n\x00") || !isASCII(line) || len(line) > lineLimit {
			t.Fatalf("line %q", line)
		}
		if line != "" && strings.TrimSpace(line) == "" {
			t.Fatalf("a line of white space in %q", b)
		}
	}
}

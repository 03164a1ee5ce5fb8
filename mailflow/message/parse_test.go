package message

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// crlf writes a message of test text as it comes by SMTP.
func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

func parse(t testing.TB, raw []byte) *Part {
	t.Helper()
	p, err := Parse(raw, Limits{})
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	return p
}

// nested is a message with so many multiparts around one text.
func nested(depth int) []byte {
	var b strings.Builder
	b.WriteString("From: a@b.example\r\n")
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	b.WriteString("\r\ndeep\r\n")
	for i := depth - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "--b%d--\r\n", i)
	}
	return []byte(b.String())
}

// wide is a message with so many parts beside each other.
func wide(parts int) []byte {
	return []byte("From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		strings.Repeat("--b\r\n\r\nx\r\n", parts) + "--b--\r\n")
}

func longHeader(octets int) []byte {
	const frame = "From: a@b.example\r\nX: \r\n"
	return []byte("From: a@b.example\r\nX: " + strings.Repeat("y", octets-len(frame)) + "\r\n\r\nbody\r\n")
}

func received(n int) []byte {
	return []byte(strings.Repeat("Received: by x\r\n", n) + "From: a@b.example\r\n\r\nbody\r\n")
}

func TestP3_LimitsAtTheEdge(t *testing.T) {
	t.Parallel()
	l := DefaultLimits()
	if l != (Limits{50 << 20, 20, 1000, 256 << 10, 100}) {
		t.Fatalf("default limits are %+v", l)
	}
	size := func(n int) []byte {
		return append([]byte("From: a@b.example\r\n\r\n"), make([]byte, n-21)...)
	}
	inner := func(octets int) []byte {
		h := longHeader(octets)
		return append([]byte("From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"), h...)
	}
	embedded := func(n int) []byte {
		return []byte("From: a@b.example\r\n" + strings.Repeat("Content-Type: message/rfc822\r\n\r\n", n) + "\r\ndeep")
	}
	tests := []struct {
		name  string
		at    []byte
		over  []byte
		limit int64
	}{
		{"size", size(50 << 20), size(50<<20 + 1), 50 << 20},
		{"depth", nested(20), nested(21), 20},
		{"embedded messages", embedded(20), embedded(21), 20},
		{"parts", wide(1000), wide(1001), 1000},
		{"header", longHeader(256 << 10), longHeader(256<<10 + 1), 256 << 10},
		{"header of a part", inner(256 << 10), inner(256<<10 + 1), 256 << 10},
		{"header without end", []byte(strings.TrimSuffix(string(longHeader(256<<10)), "\r\n\r\nbody\r\n") + "\r\n"),
			[]byte("From: " + strings.Repeat("y", 256<<10)), 256 << 10},
		{"Received", received(100), received(101), 100},
	}
	for _, tt := range tests {
		if _, err := Parse(tt.at, l); err != nil {
			t.Errorf("%s: at the limit: %v", tt.name, err)
		}
		p, err := Parse(tt.over, l)
		var limit *LimitError
		if !errors.As(err, &limit) || limit.Limit != tt.limit || p != nil {
			t.Errorf("%s: one over the limit: %v, want a LimitError of %d", tt.name, err, tt.limit)
		}
	}
}

func TestP3_LimitsAreConfigurable(t *testing.T) {
	t.Parallel()
	small := Limits{Size: 200, Depth: 2, Parts: 3, HeaderBytes: 80, Received: 1}
	for name, raw := range map[string][]byte{
		"octets":             append([]byte("From: a@b\r\n\r\n"), make([]byte, 200)...),
		"levels of nesting":  []byte(strings.ReplaceAll(string(nested(3)), "multipart/mixed", "multipart/x")),
		"parts":              wide(4),
		"octets in a header": longHeader(90),
		"Received fields":    received(2),
	} {
		l := small
		if name == "levels of nesting" {
			l.Size = 1000
		}
		_, err := Parse(raw, l)
		var limit *LimitError
		if !errors.As(err, &limit) || limit.What != name || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A structure parser without limits took half a minute and gigabytes for this.
func TestP3_DeepNestingCostsNothing(t *testing.T) {
	raw := nested(15000)
	allocs := testing.AllocsPerRun(1, func() {
		if _, err := Parse(raw, Limits{}); err == nil {
			t.Error("15,000 levels were accepted")
		}
	})
	if allocs > 1000 {
		t.Errorf("%v allocations before the limit was noticed", allocs)
	}
}

func TestParseMalformed(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "hello", "hello world\r\nthis is no mail\r\n\r\nbody", "\x00\x01\x02\xff", ": no name\r\n\r\n",
		"From somebody Mon Jan  1 00:00:00 2026\r\n\r\nbody", "  folded: nothing\r\n\r\n"} {
		if p, err := Parse([]byte(raw), Limits{}); !errors.Is(err, ErrMalformed) || p != nil {
			t.Errorf("%q: %v, %v", raw, p, err)
		}
	}
}

// With the usual parsers one line that is no field loses the whole message.
func TestParseToleratesBrokenHeaderLines(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"this line is no field", "Na me: x", "\x80\x81: x", "nocolon", "From nobody Thu Jan 1",
		">From x y", ":", " : x", "X\x00Y: z"} {
		for _, raw := range []string{
			broken + "\nFrom: ana@x.example\nSubject: kept\n\nbody\n",
			"From: ana@x.example\n" + broken + "\n continued: still broken\nSubject: kept\n\nbody\n",
			"From: ana@x.example\nSubject: kept\n" + broken + "\n\nbody\n",
		} {
			for _, eol := range []string{"\n", "\r\n"} {
				p := parse(t, []byte(strings.ReplaceAll(raw, "\n", eol)))
				text, _ := p.Text()
				if !strings.HasPrefix(p.Header.Get("Subject"), "kept") || text != "body\n" {
					t.Errorf("%q: subject %q, body %q", raw, p.Header.Get("Subject"), text)
				}
				if from, err := p.Header.Addresses("From"); err == nil && from[0].Addr() != "ana@x.example" {
					t.Errorf("%q: from %v", raw, from)
				}
				if p.Header.Has("continued") {
					t.Errorf("%q: the continuation of a broken line is no field", raw)
				}
			}
		}
	}
}

func TestParseStructure(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, raw, want string }{
		{"plain", "From: a@b\n\nhello\n", "text/plain(hello|)"},
		{"no body", "From: a@b\n", "text/plain()"},
		{"no header but a blank line", "\nhello\n", "text/plain(hello|)"},
		{"two parts", "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\none\n--b\nContent-Type: text/html\n\ntwo\n\n--b--\nepilogue\n",
			"multipart/mixed[text/plain(one) text/html(two|)]"},
		{"boundary with space behind", "Content-Type: multipart/mixed; boundary=b\n\n--b \t\n\none\n--b-- \n", "multipart/mixed[text/plain(one)]"},
		{"quoted boundary", "Content-Type: multipart/mixed; boundary=\"a b:c\"\n\n--a b:c\n\none\n--a b:c--", "multipart/mixed[text/plain(one)]"},
		{"longer line is no boundary", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--bb\n--b-\n--b---\n--b--", "multipart/mixed[text/plain(--bb|--b-|--b---)]"},
		{"no boundary parameter", "Content-Type: multipart/mixed\n\n--b\n\none\n--b--\n", "multipart/mixed(--b||one|--b--|)"},
		{"boundary never used", "Content-Type: multipart/mixed; boundary=b\n\nnothing\n", "multipart/mixed(nothing|)"},
		{"not closed", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n", "multipart/mixed[text/plain(one) text/plain(two|)]"},
		{"after the close", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n--b\n\ntwo\n", "multipart/mixed[text/plain(one)]"},
		{"outer ends inner", "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/alternative; boundary=i\n\n--i\n\none\n--o\n\ntwo\n--o--\n",
			"multipart/mixed[multipart/alternative[text/plain(one)] text/plain(two)]"},
		{"same boundary twice", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n--b\n\ntwo\n--b--\n",
			"multipart/mixed[multipart/mixed[text/plain(one)] text/plain(two)]"},
		{"part without blank line", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n--b\ntext from its first line\nsecond\n--b--\n",
			"multipart/mixed[text/html() text/plain(text from its first line|second)]"},
		{"empty parts", "Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n\n--b--\n", "multipart/mixed[text/plain() text/plain()]"},
		{"boundary at the very end", "Content-Type: multipart/mixed; boundary=b\n\n--b", "multipart/mixed[text/plain()]"},
		{"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\none\n--b--\n", "multipart/digest[message/rfc822[text/plain(one)]]"},
		{"embedded", "Content-Type: message/rfc822\n\nSubject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n",
			"message/rfc822[multipart/mixed[text/plain(one)]]"},
		{"embedded, encoded", "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeA==\n", "message/rfc822(U3ViamVjdDogeA==|)"},
		{"empty embedded", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n--b--\n", "multipart/mixed[message/rfc822[text/plain()]]"},
		{"bad types", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text\n\n1\n--b\nContent-Type: te xt/plain\n\n2\n--b\nContent-Type:\n\n3\n--b\nContent-Type: /\n\n4\n--b--\n",
			"multipart/mixed[text/plain(1) text/plain(2) text/plain(3) text/plain(4)]"},
		{"two types, the first counts", "Content-Type: text/html\nContent-Type: multipart/mixed; boundary=b\n\n--b\n", "text/html(--b|)"},
	}
	for _, tt := range tests {
		for eol, raw := range map[string][]byte{"LF": []byte(tt.raw), "CRLF": crlf(tt.raw)} {
			if got := shape(parse(t, raw)); got != tt.want {
				t.Errorf("%s with %s:\n got %s\nwant %s", tt.name, eol, got, tt.want)
			}
		}
	}
}

// shape writes a tree on one line, line breaks in bodies as "|".
func shape(p *Part) string {
	if len(p.Children) == 0 {
		return p.MediaType + "(" + strings.NewReplacer("\r\n", "|", "\n", "|").Replace(string(p.RawBody())) + ")"
	}
	var parts []string
	for _, c := range p.Children {
		parts = append(parts, shape(c))
	}
	return p.MediaType + "[" + strings.Join(parts, " ") + "]"
}

// What is signed is the part exactly, without the line break that belongs to
// the boundary. Parsers that rebuild a part do so only for CRLF.
func TestRawIsExact(t *testing.T) {
	t.Parallel()
	signed := "content-TYPE:  text/plain ;\n  charset=\"utf-8\"\nX-Odd:\tx  \n\nHello \n\n\n"
	raw := "From: a@b\nContent-Type: multipart/signed; boundary=b\n\n--b\n" + signed + "\n--b\nContent-Type: application/pgp-signature\n\nsig\n--b--\n"
	for eol, text := range map[string]string{"LF": "\n", "CRLF": "\r\n"} {
		p := parse(t, []byte(strings.ReplaceAll(raw, "\n", text)))
		want := strings.ReplaceAll(signed, "\n", text)
		if got := string(p.Children[0].Raw()); got != want {
			t.Errorf("%s: signed part is %q, want %q", eol, got, want)
		}
		if got := string(p.RawHeader()) + string(p.RawBody()); got != string(p.Raw()) || len(got) != len(p.raw) {
			t.Errorf("%s: header and body do not make the message", eol)
		}
		if got := string(p.Children[1].RawBody()); got != "sig" {
			t.Errorf("%s: signature body %q", eol, got)
		}
	}
}

// The slices handed out cannot be appended into the message behind them.
func TestP6_RawCannotBeGrownInto(t *testing.T) {
	t.Parallel()
	p := parse(t, crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n"))
	before := string(p.raw)
	c := p.Children[0]
	_ = append(append(append(c.Raw(), '!'), c.RawHeader()...), '!')
	_ = append(c.RawHeader(), '!')
	_ = append(c.RawBody(), '!')
	if string(p.raw) != before {
		t.Error("the bytes received were changed")
	}
}

func TestP8_PartialAndExternalAreJustParts(t *testing.T) {
	t.Parallel()
	raw := crlf("From: a@b\nContent-Type: multipart/mixed; boundary=b\n\n" +
		"--b\nContent-Type: message/partial; id=\"1@x\"; number=1; total=2\n\nFrom: x@y\nContent-Type: text/plain\n\nfirst half\n" +
		"--b\nContent-Type: message/partial; id=\"1@x\"; number=2; total=2\n\nsecond half\n" +
		"--b\nContent-Type: message/external-body; access-type=URL; URL=\"http://127.0.0.1:1/x\"\n\nContent-Type: text/plain\n\n" +
		"--b--\n")
	p := parse(t, raw)
	for _, c := range p.Children {
		if len(c.Children) != 0 || !c.IsAttachment() {
			t.Errorf("%s was opened", c.MediaType)
		}
	}
	if text := p.FirstText(); text != nil {
		t.Errorf("text was found in %q", text.Raw())
	}
}

func TestFirstTextAndAttachments(t *testing.T) {
	t.Parallel()
	part := func(fields, body string) string { return "--b\n" + fields + "\n" + body + "\n" }
	tests := []struct{ name, parts, want string }{
		{"plain before file", part("", "letter") + part("Content-Disposition: attachment\n", "file"), "letter"},
		{"file before plain", part("Content-Disposition: attachment\n", "file") + part("", "letter"), "letter"},
		{"inline file", part("Content-Disposition: inline; filename=a.txt\n", "file") + part("Content-Disposition: inline\n", "letter"), "letter"},
		{"name only", part("Content-Type: text/plain; name=a.txt\n", "file") + part("", "letter"), "letter"},
		{"unknown disposition", part("Content-Disposition: strange\n", "file") + part("", "letter"), "letter"},
		{"HTML only", part("Content-Type: text/html\n", "<p>x</p>"), ""},
		{"text of a forwarded mail", part("Content-Type: message/rfc822\n", "Subject: x\n\nsomeone else's") + part("", "letter"), "letter"},
		{"only a forwarded mail", part("Content-Type: message/rfc822\n", "Subject: x\n\nsomeone else's"), ""},
		{"signature that calls itself text", "", ""},
	}
	for _, tt := range tests {
		p := parse(t, crlf("Content-Type: multipart/mixed; boundary=b\n\n"+tt.parts+"--b--\n"))
		got := ""
		if text := p.FirstText(); text != nil {
			got, _ = text.Text()
		}
		if got != tt.want {
			t.Errorf("%s: letter is %q, want %q", tt.name, got, tt.want)
		}
	}
	signed := parse(t, crlf("Content-Type: multipart/signed; boundary=b\n\n"+
		part("Content-Type: application/pdf\n", "%PDF")+part("Content-Type: text/plain; name=signature.asc\n", "sig")+"--b--\n"))
	if signed.FirstText() != nil || signed.Children[1].IsAttachment() || !signed.Children[0].IsAttachment() {
		t.Error("the signature is neither letter nor file, and what it signs is a file")
	}
}

package pgpmime

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"mime"
	"slices"
	"strings"
)

// smallest is the size class of everything short, in bytes.
const smallest = 4 << 10

// sizeClass is the padded size of an entity of n bytes: the next power of two up
// to 64 KiB, above that a multiple of a sixteenth of the power of two below, so
// that padding never adds more than about 6 % to what is large.
func sizeClass(n int64) int64 {
	if n <= smallest {
		return smallest
	}
	top := int64(1) << (bits.Len64(uint64(n-1)) - 1)
	step := top
	if top >= 64<<10 {
		step = top / 16
	}
	return (n + step - 1) / step * step
}

// entity is a MIME entity on its way into the encryption: as it was given, or put
// into a multipart, and behind it padding to exactly the size of a class. RFC
// 2046, section 5.1.1: what stands behind the closing boundary no program looks
// at.
type entity struct {
	head, foot []byte // what stands before and behind the body
	body       bodyReader
	size       int64 // with padding
}

// maxEntityHeader bounds the header of an entity.
const maxEntityHeader = 256 << 10

// newEntity reads the header of an entity of size bytes. One that is not a
// multipart is put into one; its header fields stay at the root, where header
// protection wants them.
func newEntity(r io.Reader, size int64) (*entity, error) {
	src := bufio.NewReaderSize(r, 16<<10)
	head, err := readHeader(src)
	if err != nil {
		return nil, err
	}
	h, err := splitHeader(head)
	if err != nil {
		return nil, err
	}
	kind, params, err := mime.ParseMediaType(h.get("Content-Type"))
	if err != nil && h.get("Content-Type") != "" {
		return nil, fmt.Errorf("entity has a bad Content-Type: %w", err)
	}
	e := &entity{head: head, body: bodyReader{r: src, left: size - int64(len(head))}}
	switch b := params["boundary"]; {
	case !strings.HasPrefix(kind, "multipart/"):
		if e.head, e.foot, err = wrap(h, kind, params); err != nil {
			return nil, err
		}
	case b == "":
		return nil, errNoEnd
	default:
		e.body.mark = []byte("--" + b + "--")
	}
	// At least one line of padding, and room for the end of the line in front.
	e.size = sizeClass(int64(len(e.head)) + e.body.left + int64(len(e.foot)) + 4)
	return e, nil
}

// readHeader reads up to and with the blank line.
func readHeader(src *bufio.Reader) ([]byte, error) {
	var head []byte
	for len(head) <= maxEntityHeader {
		line, err := src.ReadSlice('\n')
		head = append(head, line...)
		switch {
		case err == bufio.ErrBufferFull:
		case err == io.EOF:
			return nil, errors.New("entity has no end of header")
		case err != nil:
			return nil, err
		case string(line) == "\r\n":
			return head, checkLines(head)
		}
	}
	return nil, errors.New("entity has a header that is too large")
}

// reader gives all of the entity.
func (e *entity) reader() io.Reader {
	left := e.size - int64(len(e.head)) - e.body.left - int64(len(e.foot))
	body := io.MultiReader(&e.body, bytes.NewReader(e.foot))
	return io.MultiReader(bytes.NewReader(e.head), body, &padding{left: left, body: &e.body, foot: e.foot})
}

// padding is lines of spaces, in all so many octets, behind a line that it ends
// first if it has to.
type padding struct {
	left int64
	line []byte // what is left of the line under way
	body *bodyReader
	foot []byte
}

func (p *padding) Read(b []byte) (int, error) {
	if len(p.line) == 0 {
		p.line = p.next()
	}
	if len(p.line) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.line)
	p.line = p.line[n:]
	return n, nil
}

// fullLine is a line of padding.
const fullLine = "                                                                        \r\n"

// next is the next line. A line is two bytes at least, so no single one may be
// left behind it.
func (p *padding) next() []byte {
	if body := p.body; body != nil {
		p.body = nil
		if len(p.foot) == 0 && !body.endsLine() {
			p.left -= 2
			return []byte("\r\n")
		}
	}
	n := min(p.left, int64(len(fullLine)))
	if p.left-n == 1 {
		n--
	}
	p.left -= n
	return []byte(fullLine[int64(len(fullLine))-n:])
}

// header is the header of an entity: fields as they stand, folds included.
type header struct {
	fields []string
}

func splitHeader(entity []byte) (header, error) {
	var h header
	for !bytes.HasPrefix(entity, []byte("\r\n")) {
		n := fieldEnd(entity)
		if n == 0 {
			return h, errors.New("entity has no end of header")
		}
		if entity[0] == ' ' || entity[0] == '\t' {
			return h, errors.New("entity header starts with a folded line")
		}
		if name, _, ok := bytes.Cut(entity[:n], []byte(":")); !ok || !fieldName(string(name)) {
			return h, errors.New("entity header has a line without a name")
		}
		h.fields = append(h.fields, string(entity[:n]))
		entity = entity[n:]
	}
	return h, nil
}

// fieldEnd is the length of the first line with those that are folded below it; 0
// where the last of them does not end.
func fieldEnd(b []byte) int {
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("\r\n"))
		if i < 0 {
			return 0
		}
		at += i + 2
		if at == len(b) || b[at] != ' ' && b[at] != '\t' {
			return at
		}
	}
}

// get returns the unfolded value of a field; "" if there is none.
func (h header) get(name string) string {
	for _, f := range h.fields {
		if n, v, _ := strings.Cut(f, ":"); strings.EqualFold(n, name) {
			return strings.TrimSpace(strings.ReplaceAll(v, "\r\n", ""))
		}
	}
	return ""
}

// wrap puts an entity that is not a multipart into one: it returns what stands
// before and behind its body then. Its Content- fields go down with the body,
// except what marks the root as carrying protected fields.
func wrap(h header, kind string, params map[string]string) (head, foot []byte, err error) {
	if kind == "" {
		kind, params = "text/plain", map[string]string{"charset": "us-ascii"} // RFC 2045, section 5.2
	}
	b := boundary()
	root := map[string]string{"boundary": b}
	for _, name := range []string{"protected-headers", "hp"} {
		if v, ok := params[name]; ok {
			root[name] = v
			delete(params, name)
		}
	}
	var top, down []string
	for _, f := range h.fields {
		name, _, _ := strings.Cut(strings.ToLower(f), ":")
		switch {
		case name == "content-type" || name == "mime-version":
		case strings.HasPrefix(name, "content-"):
			down = append(down, f)
		default:
			top = append(top, f)
		}
	}
	if head, err = appendContentType([]byte(strings.Join(top, "")), "multipart/mixed", root); err != nil {
		return nil, nil, err
	}
	head = append(head, "\r\n--"+b+"\r\n"...)
	if head, err = appendContentType(head, kind, params); err != nil {
		return nil, nil, err
	}
	head = append(head, strings.Join(down, "")+"\r\n"...)
	return head, []byte("\r\n--" + b + "--\r\n"), nil
}

func appendContentType(dst []byte, kind string, params map[string]string) ([]byte, error) {
	names := make([]string, 0, len(params))
	for n := range params {
		names = append(names, n)
	}
	slices.Sort(names)
	dst = append(dst, "Content-Type: "+kind...)
	for _, n := range names {
		v := mime.FormatMediaType("a/b", map[string]string{n: params[n]})
		if v == "" {
			return nil, fmt.Errorf("entity has a bad Content-Type parameter %q", n)
		}
		dst = append(dst, ";\r\n "+strings.TrimPrefix(v, "a/b; ")...)
	}
	return append(dst, '\r', '\n'), nil
}

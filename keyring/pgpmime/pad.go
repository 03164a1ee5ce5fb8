package pgpmime

import (
	"bytes"
	"errors"
	"fmt"
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
func sizeClass(n int) int {
	if n <= smallest {
		return smallest
	}
	top := 1 << (bits.Len(uint(n-1)) - 1)
	step := top
	if top >= 64<<10 {
		step = top / 16
	}
	return (n + step - 1) / step * step
}

// pad makes an entity exactly as long as its size class says, with lines of
// spaces behind the closing boundary, where no program looks (RFC 2046, section
// 5.1.1). An entity that is not a multipart is put into one first; its header
// fields stay at the root, where header protection wants them.
func pad(inner []byte) ([]byte, error) {
	h, err := splitHeader(inner)
	if err != nil {
		return nil, err
	}
	kind, params, err := mime.ParseMediaType(h.get("Content-Type"))
	if err != nil && h.get("Content-Type") != "" {
		return nil, fmt.Errorf("entity has a bad Content-Type: %w", err)
	}
	out := inner
	if !strings.HasPrefix(kind, "multipart/") {
		if out, err = wrap(h, kind, params); err != nil {
			return nil, err
		}
	} else if b := params["boundary"]; b == "" || !bytes.Contains(h.body, []byte("--"+b+"--")) {
		return nil, errors.New("entity is a multipart without an end")
	}
	out = append(make([]byte, 0, sizeClass(len(out)+2)), out...)
	if !bytes.HasSuffix(out, []byte("\r\n")) {
		out = append(out, '\r', '\n')
	}
	size := sizeClass(len(out))
	if size-len(out) == 1 {
		size = sizeClass(size + 1) // a line is two bytes at least
	}
	return appendPadding(out, size-len(out)), nil
}

// appendPadding appends n bytes, n not being 1, in lines of at most 72 spaces.
func appendPadding(dst []byte, n int) []byte {
	const line = 74
	for n > 0 {
		take := min(n, line)
		if n-take == 1 {
			take-- // leave enough for one more line
		}
		dst = append(dst, strings.Repeat(" ", take-2)...)
		dst = append(dst, '\r', '\n')
		n -= take
	}
	return dst
}

// header is the header of an entity: fields as they stand, folds included.
type header struct {
	fields []string
	body   []byte
}

func splitHeader(entity []byte) (header, error) {
	var h header
	for {
		line, rest, ok := bytes.Cut(entity, []byte("\r\n"))
		if !ok {
			return h, errors.New("entity has no end of header")
		}
		entity = rest
		switch {
		case len(line) == 0:
			h.body = entity
			return h, nil
		case line[0] == ' ' || line[0] == '\t':
			if len(h.fields) == 0 {
				return h, errors.New("entity header starts with a folded line")
			}
			h.fields[len(h.fields)-1] += string(line) + "\r\n"
		default:
			if name, _, ok := bytes.Cut(line, []byte(":")); !ok || !fieldName(string(name)) {
				return h, errors.New("entity header has a line without a name")
			}
			h.fields = append(h.fields, string(line)+"\r\n")
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

// wrap puts an entity that is not a multipart into one. Its Content- fields go
// down with the body, except what marks the root as carrying protected fields.
func wrap(h header, kind string, params map[string]string) ([]byte, error) {
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
	out, err := appendContentType([]byte(strings.Join(top, "")), "multipart/mixed", root)
	if err != nil {
		return nil, err
	}
	out = append(out, "\r\n--"+b+"\r\n"...)
	if out, err = appendContentType(out, kind, params); err != nil {
		return nil, err
	}
	out = append(out, strings.Join(down, "")+"\r\n"...)
	out = append(out, h.body...)
	return append(out, "\r\n--"+b+"--\r\n"...), nil
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

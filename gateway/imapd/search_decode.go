package imapd

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"iter"
	"strings"

	"parley/mailflow/message"
	"parley/mailflow/store"
)

// fieldsOf yields the fields of a header with their continuation lines.
func fieldsOf(header []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(header) > 0 {
			n := fieldEnd(header)
			if !yield(header[:n]) {
				return
			}
			header = header[n:]
		}
	}
}

func unfolded(value []byte) []byte {
	if bytes.IndexByte(bytes.TrimRight(value, "\r\n"), '\n') < 0 {
		return bytes.Trim(value, " \t\r\n")
	}
	return bytes.Trim(bytes.ReplaceAll(bytes.ReplaceAll(value, []byte("\r"), nil), []byte("\n"), nil), " \t")
}

// encodedWord begins each (RFC 2047 section 2).
var encodedWord = []byte("=?")

// decoded is the value of a field that holds encoded words (RFC 2047), as
// people read it; nil for one that holds none.
func decoded(line []byte) []byte {
	if !bytes.Contains(line, encodedWord) {
		return nil
	}
	name, _, _ := bytes.Cut(line, []byte(":"))
	tree, err := message.Parse(line, message.Limits{Size: int64(len(line)) + 1, HeaderBytes: len(line) + 1})
	if err != nil {
		return nil
	}
	return []byte(tree.Header.Text(string(bytes.TrimRight(name, " \t"))))
}

// in says whether the words stand in a text that is in lower case.
func (n needle) in(text []byte) bool {
	if n.ascii {
		return bytes.Contains(text, []byte(n.text))
	}
	return strings.Contains(strings.ToLower(string(text)), n.text)
}

// lower turns US-ASCII letters into lower case, eight octets at a time: a
// search does that to every text of a folder.
func lower(b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		low := x &^ highs
		// The highest bit of an octet says whether it is at least A, or beyond Z.
		fromA, beyondZ := low+(0x80-'A')*ones, low+(0x7f-'Z')*ones
		letters := (fromA &^ beyondZ) & (highs &^ x)
		binary.LittleEndian.PutUint64(b, x|letters>>2)
	}
	for i, c := range b {
		if c-'A' < 26 {
			b[i] = c + 'a' - 'A'
		}
	}
}

// Eight octets in one number: 1 each, and the highest bit of each.
const (
	ones  uint64 = 0x0101010101010101
	highs        = 0x80 * ones
)

func appendLower(dst, text []byte) []byte {
	n := len(dst)
	dst = append(dst, text...)
	lower(dst[n:])
	return dst
}

// appendDecoded appends a text without its transfer encoding. What is broken
// is taken as it stands.
func appendDecoded(dst, raw []byte, e store.Encoding) []byte {
	switch e {
	case store.QuotedPrintable:
		return appendQuotedPrintable(dst, raw)
	case store.Base64:
		clean := bytes.Map(func(r rune) rune {
			if r <= ' ' || r == '=' {
				return -1
			}
			return r
		}, raw)
		out, err := base64.RawStdEncoding.AppendDecode(dst, clean)
		if err != nil {
			return append(dst, raw...)
		}
		return out
	}
	return append(dst, raw...)
}

// appendQuotedPrintable decodes RFC 2045 section 6.7; mime/quotedprintable
// takes ten times as long, and a search decodes every message.
func appendQuotedPrintable(dst, raw []byte) []byte {
	for {
		i := bytes.IndexByte(raw, '=')
		if i < 0 {
			return append(dst, raw...)
		}
		dst, raw = append(dst, raw[:i]...), raw[i+1:]
		switch {
		case bytes.HasPrefix(raw, []byte("\r\n")):
			raw = raw[2:]
		case bytes.HasPrefix(raw, []byte("\n")):
			raw = raw[1:]
		case len(raw) >= 2:
			var c [1]byte
			if _, err := hex.Decode(c[:], raw[:2]); err == nil {
				dst, raw = append(dst, c[0]), raw[2:]
			} else {
				dst = append(dst, '=')
			}
		default:
			dst = append(dst, '=')
		}
	}
}

package imapd

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"strings"
	"time"

	"parley/mailflow"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// subject is the message that a query is asked about. What it takes to answer
// is read when it is first needed.
type subject struct {
	seat  *mailflow.Seat
	tx    *store.Tx
	at    int
	entry *store.Entry
	err   error // why an answer is missing

	hasHead, hasHeader, hasWords bool
	head                         store.Head // this and what follows: in memory that each message uses again
	raw                          []byte     // what is served, where it is small
	header                       []byte     // as it stands
	plain                        []byte     // the header, and its encoded words decoded, in lower case
	words                        []byte     // the texts of the body, decoded, in lower case
}

// look turns to another message.
func (m *subject) look(tx *store.Tx, at int, e *store.Entry) {
	*m = subject{seat: m.seat, tx: tx, at: at, entry: e, head: m.head, raw: m.raw, words: m.words[:0], plain: m.plain[:0]}
}

func (m *subject) fail(err error) {
	if m.err == nil && err != nil {
		m.err = err
	}
}

// sent is the date in the header, which stands first in the envelope.
func (m *subject) sent() (time.Time, bool) {
	_, rest, _ := bytes.Cut(m.entry.Envelope, []byte(`("`))
	date, _, ok := bytes.Cut(rest, []byte{'"'})
	if !ok || !bytes.HasPrefix(m.entry.Envelope, []byte(`("`)) {
		return time.Time{}, false
	}
	t, err := time.Parse("Mon, 02 Jan 2006 15:04:05 -0700", string(date))
	return t, err == nil
}

func (m *subject) readHead() {
	if m.hasHead {
		return
	}
	m.hasHead = true
	m.fail(m.seat.HeadIn(&m.head, m.tx, m.entry))
}

func (m *subject) readHeader() {
	if m.hasHeader {
		return
	}
	m.hasHeader = true
	m.readHead()
	m.header = m.head.Header
	if m.header == nil && m.err == nil {
		full, err := m.seat.Message(m.tx, m.entry)
		m.fail(err)
		if err == nil {
			m.header = m.read(store.Span{From: full.Structure.HeaderStart, To: full.Structure.HeaderEnd})
		}
	}
}

// hasHeaders asks for header fields. An empty value asks whether the field is
// there (RFC 9051 section 6.4.4).
func (m *subject) hasHeaders(keys []headerKey) bool {
	for _, k := range keys {
		m.readHeader()
		if !m.fieldHas(k) {
			return false
		}
	}
	return true
}

func (m *subject) fieldHas(k headerKey) bool {
	for line := range fieldsOf(m.header) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !strings.EqualFold(string(bytes.TrimRight(name, " \t")), k.name) {
			continue
		}
		m.plain = appendLower(m.plain[:0], unfolded(value))
		if k.value.in(m.plain) || k.value.in(appendLower(m.plain[:0], decoded(line))) {
			return true
		}
	}
	return false
}

// headerHas asks whether any field holds the words, encoded or decoded.
func (m *subject) headerHas(n needle) bool {
	m.readHeader()
	m.plain = appendLower(m.plain[:0], m.header)
	if n.in(m.plain) {
		return true
	}
	if !bytes.Contains(m.header, encodedWord) {
		return false
	}
	for line := range fieldsOf(m.header) {
		if n.in(appendLower(m.plain[:0], decoded(line))) {
			return true
		}
	}
	return false
}

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

// bodyHas asks whether the texts of the message hold the words.
func (m *subject) bodyHas(n needle) bool {
	if !m.hasWords {
		m.hasWords = true
		m.readHead()
		if m.err == nil {
			m.readWords()
		}
	}
	return n.in(m.words)
}

func (m *subject) readWords() {
	if m.head.Parse {
		m.parseWords()
		return
	}
	var whole []byte
	if !m.entry.Served.Blob && len(m.head.Words) > 0 {
		whole = m.readWhole()
	}
	for _, w := range m.head.Words {
		var raw []byte
		switch {
		case m.err != nil:
			return
		case m.entry.Served.Blob:
			raw = m.read(w)
		case w.To <= int64(len(whole)):
			raw = whole[w.From:w.To]
		}
		m.words = append(appendDecoded(m.words, raw, w.Encoding), '\n')
	}
	lower(m.words)
}

// readWhole reads all of a message that does not lie in a file.
func (m *subject) readWhole() []byte {
	b, err := m.tx.BytesIn(m.raw, m.entry.Served)
	m.fail(err)
	if err == nil {
		m.raw = b
	}
	return b
}

// parseWords reads texts in a charset or encoding that only a parse knows.
func (m *subject) parseWords() {
	raw, err := m.tx.Bytes(m.entry.Served)
	m.fail(err)
	tree, err := message.Parse(raw, message.Limits{Size: int64(len(raw)) + 1})
	if err != nil {
		return
	}
	tree.Walk(func(p *message.Part) bool {
		if strings.HasPrefix(p.MediaType, "text/") {
			text, err := p.Text()
			if err == nil {
				m.words = append(append(m.words, text...), '\n')
			}
		}
		return true
	})
	lower(m.words)
}

// read reads a stretch of a body that lies in a file.
func (m *subject) read(w store.Span) []byte {
	if !m.entry.Served.Blob {
		b := m.readWhole()
		if w.To > int64(len(b)) {
			return nil
		}
		return b[w.From:w.To]
	}
	r, err := m.seat.Body(m.entry.Served) // a file: no transaction is opened for it
	if err != nil {
		m.fail(err)
		return nil
	}
	_, err = r.Seek(w.From, io.SeekStart)
	out := make([]byte, w.To-w.From)
	if err == nil {
		_, err = io.ReadFull(r, out)
	}
	m.fail(errors.Join(err, r.Close()))
	return out
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

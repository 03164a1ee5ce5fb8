package imapd

import (
	"bytes"
	"errors"
	"io"
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

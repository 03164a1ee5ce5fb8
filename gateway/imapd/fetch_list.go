package imapd

import (
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"parley/mailflow/store"
)

// isList says whether only that is asked for which a list of messages shows:
// everything that stands in the entry of a message, its structure, or a
// selection of its header. The library does not tell whether a section was asked for by an old
// name (RFC822.HEADER), but a selection of fields has no other.
func (f *fetch) isList() bool {
	o := f.options
	if o.BodyStructure != nil && !o.BodyStructure.Extended || len(o.BinarySection)+len(o.BinarySectionSize) > 0 {
		return false
	}
	for _, b := range o.BodySection {
		if len(b.Part) > 0 || len(b.HeaderFields)+len(b.HeaderFieldsNot) == 0 {
			return false
		}
	}
	return true
}

// listAtOnce is how many lines are made in one transaction, and then written.
const listAtOnce = 256

// list writes the lines of a list, each from what was stored for it when the
// message was filed. The library flushes each line; here they go out
// together.
func (f *fetch) list() error {
	l := &lister{fetch: f, more: make(chan []byte, 2), free: make(chan []byte, 4)}
	if o := f.options; !o.InternalDate && !o.RFC822Size && !o.Envelope && o.BodyStructure == nil && len(o.BodySection) == 0 {
		return l.fromWindow()
	}
	for _, b := range f.options.BodySection {
		l.sections = append(l.sections, sectionName(b))
	}
	stop := make(chan struct{})
	failed := make(chan error, 1)
	go func() {
		defer close(l.more)
		failed <- l.read(stop)
	}()
	var err error
	for lines := range l.more {
		if err != nil {
			continue
		}
		if _, err = f.wire.Write(lines); err != nil {
			close(stop)
		}
		l.free <- lines[:0]
	}
	if readErr := <-failed; err == nil {
		err = readErr
	}
	return err
}

// lister makes lines while those before are written: to open a row and to
// encrypt a line for the client cost about the same.
type lister struct {
	*fetch
	sections []string
	more     chan []byte
	free     chan []byte // memory of lines that were written
	head     store.Head  // of the message before, whose memory the next one uses
	date     []byte      // of the second below, as written
	second   int64
}

// fromWindow lists what the session knows without the store.
func (l *lister) fromWindow() error {
	buf := make([]byte, 0, gather)
	for _, at := range l.at {
		buf = l.begin(buf, at)
		buf = append(buf, ")\r\n"...)
		if len(buf) > gather-4096 {
			if _, err := l.wire.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	_, err := l.wire.Write(buf)
	return err
}

func (l *lister) read(stop <-chan struct{}) error {
	for at := l.at; len(at) > 0; {
		n := min(len(at), listAtOnce)
		buf := l.memory()
		err := l.window.Read(at[:n], func(tx *store.Tx, i int, e *store.Entry) (err error) {
			buf, err = l.line(buf, tx, i, e)
			return err
		})
		if err != nil {
			return err
		}
		select {
		case l.more <- buf:
		case <-stop:
			return nil
		}
		at = at[n:]
	}
	return nil
}

// memory is where the next lines are made. There are never more than four: one
// that is being written, two that wait for it, and one that is being made.
func (l *lister) memory() []byte {
	select {
	case b := <-l.free:
		return b
	default:
		return make([]byte, 0, 2*gather)
	}
}

// begin writes a line up to what needs the entry.
func (l *lister) begin(b []byte, at int) []byte {
	b = append(b, "* "...)
	b = strconv.AppendInt(b, int64(at+1), 10)
	b = append(b, " FETCH ("...)
	first := len(b)
	if l.options.UID {
		b = append(b, " UID "...)
		b = strconv.AppendUint(b, uint64(l.window.UID(at)), 10)
	}
	if l.options.Flags || l.seen[at] {
		b = append(b, " FLAGS "...)
		b = append(b, l.names.text(l.window.Marks(at))...)
	}
	return unspace(b, first)
}

// unspace removes the space before the first of several items.
func unspace(b []byte, first int) []byte {
	if len(b) == first || b[first] != ' ' {
		return b
	}
	return append(b[:first], b[first+1:]...)
}

func (l *lister) line(b []byte, tx *store.Tx, at int, e *store.Entry) ([]byte, error) {
	start := len(b)
	b = l.begin(b, at)
	rest := len(b)
	o := &l.options
	if o.InternalDate {
		b = append(append(append(b, ` INTERNALDATE "`...), l.dateOf(e.At)...), '"')
	}
	if o.RFC822Size {
		b = strconv.AppendInt(append(b, " RFC822.SIZE "...), e.Size, 10)
	}
	if o.Envelope {
		b = append(append(b, " ENVELOPE "...), e.Envelope...)
	}
	if o.BodyStructure != nil {
		var err error
		if b, err = l.seat.AppendStructure(append(b, " BODYSTRUCTURE "...), tx, e, l.utf8()); err != nil {
			return b[:start], err
		}
	}
	if len(l.sections) > 0 {
		header, err := l.header(tx, e)
		if err != nil {
			return b[:start], err
		}
		for i, sec := range o.BodySection {
			p := part{made: true, bytes: fields(nil, header, sec)}.slice(sec.Partial)
			b = append(append(b, ' '), l.sections[i]...)
			b = strconv.AppendInt(append(b, " {"...), p.size(), 10)
			b = append(append(b, "}\r\n"...), p.bytes...)
		}
	}
	if b[rest-1] == '(' {
		b = unspace(b, rest)
	}
	return append(b, ")\r\n"...), nil
}

// header is the header block of a message.
func (l *lister) header(tx *store.Tx, e *store.Entry) ([]byte, error) {
	if err := l.seat.HeadIn(&l.head, tx, e); err != nil || l.head.Header != nil {
		return l.head.Header, err
	}
	m, err := l.seat.Message(tx, e)
	if err != nil {
		return nil, err
	}
	raw, err := tx.Bytes(m.Served)
	if err != nil {
		return nil, err
	}
	return raw[m.Structure.HeaderStart:m.Structure.HeaderEnd], nil
}

// internalDate is the form of INTERNALDATE (RFC 9051 section 9, date-time).
const internalDate = "_2-Jan-2006 15:04:05 -0700"

func (l *lister) dateOf(t time.Time) []byte {
	if u := t.Unix(); l.date == nil || u != l.second {
		l.date, l.second = t.AppendFormat(l.date[:0], internalDate), u
	}
	return l.date
}

// sectionName writes a selection of header fields as the client asked for it.
func sectionName(sec *imap.FetchItemBodySection) string {
	var b strings.Builder
	names := sec.HeaderFields
	b.WriteString("BODY[HEADER.FIELDS")
	if len(names) == 0 {
		names = sec.HeaderFieldsNot
		b.WriteString(".NOT")
	}
	b.WriteString(" (")
	for i, n := range names {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(fieldName(n))
	}
	b.WriteString(")]")
	if sec.Partial != nil {
		b.WriteString("<" + strconv.FormatInt(sec.Partial.Offset, 10) + ">")
	}
	return b.String()
}

// fieldName writes a name as an atom, or quoted where it is none.
func fieldName(n string) string {
	for _, c := range []byte(n) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "", "\n", "").Replace(n) + `"`
		}
	}
	if n == "" {
		return `""`
	}
	return n
}

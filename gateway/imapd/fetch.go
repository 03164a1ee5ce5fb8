package imapd

import (
	"bytes"
	"errors"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"parley/mailflow/store"
)

// Fetch answers FETCH. Lists of messages, which are the bulk of what clients
// ask for, are written without the library's encoder; see fetch_list.go.
func (s *session) Fetch(w *imapserver.FetchWriter, numSet imap.NumSet, options *imap.FetchOptions) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tellAfter(tellLater, &err)
	if err := s.window.Refresh(); err != nil {
		return s.answer(err)
	}
	names, err := s.flagNames()
	if err != nil {
		return s.answer(err)
	}
	f := &fetch{session: s, options: *options, names: names, at: s.positions(numSet)}
	if err := f.see(); err != nil {
		return s.answer(err)
	}
	if f.isList() && !(f.options.BodyStructure != nil && s.wire.gate.body) {
		return s.answer(f.list())
	}
	return s.answer(f.items(w))
}

// fetch is one FETCH command.
type fetch struct {
	*session
	options imap.FetchOptions
	names   *flagNames
	at      []int        // positions of the messages, ascending
	seen    map[int]bool // those that this command marks as seen
}

// see sets \Seen where the client reads a body without PEEK (RFC 9051 section
// 6.4.5). The new flags then stand in the response.
func (f *fetch) see() error {
	reads := false
	for _, b := range f.options.BodySection {
		reads = reads || !b.Peek
	}
	for _, b := range f.options.BinarySection {
		reads = reads || !b.Peek
	}
	if !reads || f.readOnly {
		return nil
	}
	var fresh []int
	f.seen = map[int]bool{}
	for _, i := range f.at {
		if f.window.Marks(i)&store.MarkSeen == 0 && !f.window.Lost(i) {
			fresh = append(fresh, i)
			f.seen[i] = true
		}
	}
	return f.window.Mark(fresh, 0, store.MarkSeen)
}

// item is what is needed of one message, read in a transaction.
type item struct {
	at    int
	entry store.Entry
	mail  store.Message
}

// itemsAtOnce is how many messages are read in one transaction. None is open
// while the client is written to.
const itemsAtOnce = 64

// items answers with the library's encoder.
func (f *fetch) items(w *imapserver.FetchWriter) error {
	for at := f.at; len(at) > 0; {
		n := min(len(at), itemsAtOnce)
		var read []item
		err := f.window.Read(at[:n], func(tx *store.Tx, i int, e *store.Entry) error {
			it := item{at: i, entry: *e}
			it.entry.Envelope = nil
			it.entry.Served.Key = bytes.Clone(e.Served.Key)
			if f.needsMail() {
				var err error
				if it.mail, err = f.seat.Message(tx, e); err != nil {
					return err
				}
			}
			read = append(read, it)
			return nil
		})
		if err != nil {
			return err
		}
		for _, it := range read {
			if err := f.item(w, it); err != nil {
				return err
			}
		}
		at = at[n:]
	}
	return nil
}

// needsMail says whether more is needed than the entry: all but the message as
// a whole.
func (f *fetch) needsMail() bool {
	o := f.options
	for _, b := range o.BodySection {
		if !whole(b) {
			return true
		}
	}
	return o.Envelope || o.BodyStructure != nil || len(o.BinarySection)+len(o.BinarySectionSize) > 0
}

func whole(b *imap.FetchItemBodySection) bool {
	return len(b.Part) == 0 && b.Specifier == imap.PartSpecifierNone
}

// item writes one response. What could fail is done before its first octet,
// except that the bytes of a large message are read as they are written.
func (f *fetch) item(w *imapserver.FetchWriter, it item) error {
	b := &bodyOf{session: f.session, item: it}
	defer b.close()
	var binaries []part
	for _, sec := range f.options.BinarySection {
		p, err := b.binary(sec.Part)
		if errors.Is(err, store.ErrNotFound) {
			return nil // dropped since the mailbox was looked at
		}
		if err != nil {
			return err
		}
		binaries = append(binaries, p.slice(sec.Partial))
	}
	var sizes []uint32
	for _, sec := range f.options.BinarySectionSize {
		p, err := b.binary(sec.Part)
		if err != nil {
			return err
		}
		sizes = append(sizes, uint32(p.size()))
	}
	var sections []part
	for _, sec := range f.options.BodySection {
		p, err := b.section(sec)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		sections = append(sections, p.slice(sec.Partial))
	}
	m := w.CreateMessage(uint32(it.at + 1))
	err := f.write(m, b, sections, binaries, sizes)
	// Closed in any case: the library waits for ever for one that is not.
	return errors.Join(err, m.Close())
}

func (f *fetch) write(m *imapserver.FetchResponseWriter, b *bodyOf, sections, binaries []part, sizes []uint32) error {
	f.facts(m, b.item)
	for i, sec := range f.options.BodySection {
		if err := b.write(m.WriteBodySection(sec, sections[i].size()), sections[i]); err != nil {
			return err
		}
	}
	for i, sec := range f.options.BinarySection {
		if err := b.write(m.WriteBinarySection(sec, binaries[i].size()), binaries[i]); err != nil {
			return err
		}
	}
	for i, sec := range f.options.BinarySectionSize {
		m.WriteBinarySectionSize(sec, sizes[i])
	}
	return nil
}

// facts writes what is known without the body.
func (f *fetch) facts(m *imapserver.FetchResponseWriter, it item) {
	o := f.options
	if o.UID {
		m.WriteUID(imap.UID(it.entry.UID))
	}
	if o.Flags || f.seen[it.at] {
		m.WriteFlags(f.names.list(f.window.Marks(it.at)))
	}
	if o.InternalDate {
		m.WriteInternalDate(it.entry.At)
	}
	if o.RFC822Size {
		m.WriteRFC822Size(it.entry.Size)
	}
	if o.Envelope {
		m.WriteEnvelope(envelope(&it.mail.Envelope))
	}
	if o.BodyStructure != nil {
		m.WriteBodyStructure(f.structure(it.mail.Structure))
	}
}

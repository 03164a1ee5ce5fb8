package imapd

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"parley/mailflow"
	"parley/mailflow/store"
)

// Search answers SEARCH. There is no index: what is asked of bodies is looked
// for in the bodies, unsealed one after the other, and nothing of it touches
// the disk (rule H4).
func (s *session) Search(kind imapserver.NumKind, criteria *imap.SearchCriteria, options *imap.SearchOptions) (_ *imap.SearchData, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if options.ReturnSave {
		s.saved = nil // RFC 5182 section 2.1: a search that fails leaves none
	}
	if err := s.window.Refresh(); err != nil {
		return nil, s.answer(err)
	}
	names, err := s.flagNames()
	if err != nil {
		return nil, s.answer(err)
	}
	q := s.compile(criteria, names)
	at := s.all()
	if kind == imapserver.NumKindUID { // which tells what left; numbers stand until then
		defer s.tellAfter(tellKnown, &err)
		at = slices.DeleteFunc(at, s.window.Lost)
	}
	if q.deep() {
		s.wire.Flush()
		at, err = s.searchDeep(q, at)
	} else {
		at = slices.DeleteFunc(at, func(i int) bool { return !q.quick(s.window, i) })
	}
	if err != nil {
		return nil, s.answer(err)
	}
	return s.found(kind, at, options), nil
}

// found makes the answer. All is never nil: the library panics over that.
func (s *session) found(kind imapserver.NumKind, at []int, options *imap.SearchOptions) *imap.SearchData {
	uids := make([]uint32, len(at))
	for i, p := range at {
		uids[i] = s.window.UID(p)
	}
	if options.ReturnSave {
		s.saved = uids
		if (options.ReturnMin || options.ReturnMax) && !options.ReturnAll && !options.ReturnCount {
			s.saved = ofEnds(uids, options.ReturnMin, options.ReturnMax)
		}
	}
	d := &imap.SearchData{All: seqSet(at), Count: uint32(len(at))}
	if len(at) > 0 {
		d.Min, d.Max = uint32(at[0]+1), uint32(at[len(at)-1]+1)
	}
	if kind == imapserver.NumKindUID {
		d.All = uidSet(uids)
		if len(at) > 0 {
			d.Min, d.Max = uids[0], uids[len(uids)-1]
		}
	}
	return d
}

// ofEnds are the first and last of a result, as far as they were asked for.
func ofEnds(uids []uint32, first, last bool) []uint32 {
	var out []uint32
	if len(uids) > 0 && first {
		out = append(out, uids[0])
	}
	if len(uids) > 0 && last {
		out = append(out, uids[len(uids)-1])
	}
	return slices.Compact(out)
}

// searchAtOnce is how many messages one transaction looks at.
const searchAtOnce = 128

// searchDeep looks into messages, as many at a time as there are processors.
func (s *session) searchDeep(q *query, at []int) ([]int, error) {
	chunks := slices.Collect(slices.Chunk(at, searchAtOnce))
	results := make([][]int, len(chunks))
	var (
		mu     sync.Mutex
		next   int
		failed error
		wg     sync.WaitGroup
	)
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if failed != nil || next == len(chunks) {
			return 0, false
		}
		next++
		return next - 1, true
	}
	for range min(runtime.GOMAXPROCS(0), len(chunks)) {
		wg.Go(func() {
			for i, ok := take(); ok; i, ok = take() {
				got, err := s.searchChunk(q, chunks[i])
				if results[i] = got; err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return slices.Concat(results...), failed
}

func (s *session) searchChunk(q *query, at []int) (found []int, err error) {
	m := &subject{seat: s.seat}
	read := s.window.Filed
	if q.reads() {
		read = s.window.Read
	}
	err = read(at, func(tx *store.Tx, i int, e *store.Entry) error {
		m.look(tx, i, e)
		if q.matches(s.window, m) {
			found = append(found, i)
		}
		return m.err
	})
	return found, err
}

// query is a search key, ready to be asked.
type query struct {
	sets              [][]bool // by position
	has, lacks        store.Marks
	never             bool // asks for a flag that nobody has
	since, before     time.Time
	sentSince, sentBy time.Time
	larger, smaller   int64
	headers           []headerKey
	body, text        []needle
	not               []*query
	or                [][2]*query
}

type headerKey struct {
	name  string
	value needle
}

func (s *session) compile(c *imap.SearchCriteria, names *flagNames) *query {
	q := &query{since: c.Since, before: c.Before, sentSince: c.SentSince, sentBy: c.SentBefore, larger: c.Larger, smaller: c.Smaller}
	for _, set := range c.SeqNum {
		q.sets = append(q.sets, s.setOf(set))
	}
	for _, set := range c.UID {
		q.sets = append(q.sets, s.setOf(set))
	}
	for _, f := range c.Flag {
		m := names.mark(f)
		q.has |= m
		q.never = q.never || m == 0
	}
	for _, f := range c.NotFlag {
		q.lacks |= names.mark(f)
	}
	for _, h := range c.Header {
		q.headers = append(q.headers, headerKey{h.Key, newNeedle(h.Value)})
	}
	for _, b := range c.Body {
		q.body = append(q.body, newNeedle(b))
	}
	for _, t := range c.Text {
		q.text = append(q.text, newNeedle(t))
	}
	for i := range c.Not {
		q.not = append(q.not, s.compile(&c.Not[i], names))
	}
	for i := range c.Or {
		q.or = append(q.or, [2]*query{s.compile(&c.Or[i][0], names), s.compile(&c.Or[i][1], names)})
	}
	return q
}

func (s *session) setOf(numSet imap.NumSet) []bool {
	set := make([]bool, s.window.Len())
	for _, i := range s.positions(numSet) {
		set[i] = true
	}
	return set
}

// deep says whether the answer needs more than the window.
func (q *query) deep() bool {
	deep := !q.since.IsZero() || !q.before.IsZero() || q.reads()
	for _, n := range q.not {
		deep = deep || n.deep()
	}
	for _, o := range q.or {
		deep = deep || o[0].deep() || o[1].deep()
	}
	return deep
}

// reads says whether the answer depends on what is served of a message.
func (q *query) reads() bool {
	reads := !q.sentSince.IsZero() || !q.sentBy.IsZero() || q.larger > 0 || q.smaller > 0 || len(q.headers)+len(q.body)+len(q.text) > 0
	for _, n := range q.not {
		reads = reads || n.reads()
	}
	for _, o := range q.or {
		reads = reads || o[0].reads() || o[1].reads()
	}
	return reads
}

// own asks what the window knows.
func (q *query) own(w *mailflow.Window, at int) bool {
	for _, set := range q.sets {
		if !set[at] {
			return false
		}
	}
	m := w.Marks(at)
	return !q.never && m&q.has == q.has && m&q.lacks == 0
}

// quick is matches for a query that is not deep.
func (q *query) quick(w *mailflow.Window, at int) bool {
	if !q.own(w, at) {
		return false
	}
	for _, n := range q.not {
		if n.quick(w, at) {
			return false
		}
	}
	for _, o := range q.or {
		if !o[0].quick(w, at) && !o[1].quick(w, at) {
			return false
		}
	}
	return true
}

// matches asks what is cheap first.
func (q *query) matches(w *mailflow.Window, m *subject) bool {
	if !q.own(w, m.at) || !q.dates(m) || !m.hasHeaders(q.headers) {
		return false
	}
	for _, n := range q.not {
		if n.matches(w, m) {
			return false
		}
	}
	for _, o := range q.or {
		if !o[0].matches(w, m) && !o[1].matches(w, m) {
			return false
		}
	}
	for _, n := range q.body {
		if !m.bodyHas(n) {
			return false
		}
	}
	for _, n := range q.text {
		if !m.headerHas(n) && !m.bodyHas(n) {
			return false
		}
	}
	return true
}

// dates compares days, whatever the time or zone (RFC 9051 section 6.4.4), and
// sizes.
func (q *query) dates(m *subject) bool {
	e := m.entry
	switch {
	case q.larger > 0 && e.Size <= q.larger, q.smaller > 0 && e.Size >= q.smaller,
		!q.since.IsZero() && day(e.At) < day(q.since), !q.before.IsZero() && day(e.At) >= day(q.before):
		return false
	case q.sentSince.IsZero() && q.sentBy.IsZero():
		return true
	}
	sent, ok := m.sent()
	return ok && (q.sentSince.IsZero() || day(sent) >= day(q.sentSince)) && (q.sentBy.IsZero() || day(sent) < day(q.sentBy))
}

func day(t time.Time) int {
	y, m, d := t.Date()
	return (y*16+int(m))*32 + d
}

// needle is what a search looks for.
type needle struct {
	text  string // in lower case
	ascii bool
}

func newNeedle(s string) needle {
	s = strings.ToLower(strings.NewReplacer("\r", "", "\n", "").Replace(s))
	n := needle{text: s, ascii: true}
	for _, c := range []byte(s) {
		n.ascii = n.ascii && c < 0x80
	}
	return n
}

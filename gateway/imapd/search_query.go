package imapd

import (
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"parley/mailflow"
	"parley/mailflow/store"
)

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

package imapd

import (
	"slices"
	"sync"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"parley/mailflow/cores"
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
	for range min(cores.Count(), len(chunks)) {
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

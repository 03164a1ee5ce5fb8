package imapd

import (
	"slices"

	"github.com/emersion/go-imap/v2"
)

// all lists the positions of all messages.
func (s *session) all() []int {
	at := make([]int, s.window.Len())
	for i := range at {
		at[i] = i
	}
	return at
}

// positions finds the messages of a set, in ascending order. Numbers of
// messages that do not exist are left out.
func (s *session) positions(set imap.NumSet) []int {
	n := s.window.Len()
	if n == 0 {
		return nil
	}
	var at []int
	add := func(from, to int) { // positions, to excluded
		for i := max(from, 0); i < min(to, n); i++ {
			at = append(at, i)
		}
	}
	switch set := set.(type) {
	case imap.SeqSet:
		for _, r := range set {
			from, to := ends(uint64(r.Start), uint64(r.Stop), uint64(n))
			add(int(min(from, 1<<32))-1, int(min(to, 1<<32)))
		}
	case imap.UIDSet:
		if imap.IsSearchRes(set) {
			return s.savedPositions()
		}
		for _, r := range set {
			from, to := ends(uint64(r.Start), uint64(r.Stop), uint64(s.window.UID(n-1)))
			i := s.window.Find(uint32(from))
			j := s.window.Find(uint32(to))
			if j < n && uint64(s.window.UID(j)) == to {
				j++
			}
			add(i, j)
		}
	}
	slices.Sort(at)
	return slices.Compact(at)
}

// ends orders a range in which 0 stands for "*", the highest number there is
// (RFC 9051 section 9, seq-range: 4:2 is 2:4).
func ends(start, stop, last uint64) (from, to uint64) {
	if start == 0 {
		start = last
	}
	if stop == 0 {
		stop = last
	}
	return min(start, stop), max(start, stop)
}

func (s *session) savedPositions() []int {
	var at []int
	for _, uid := range s.saved {
		if i := s.window.Find(uid); i < s.window.Len() && s.window.UID(i) == uid {
			at = append(at, i)
		}
	}
	return at
}

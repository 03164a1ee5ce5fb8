package mailflow

import "parley/mailflow/store"

// listing is messages of a folder by position from 0: their UIDs, which
// ascend, and their marks. Every session has one of the folder that it has
// open, so neighbours that are alike stand as one run: what comes, and is
// marked as what is beside it, takes no memory. At worst, where no two
// neighbours are alike, a message takes 16 bytes. Reading it changes nothing.
type listing struct {
	runs []stretch
	len  int
}

// stretch is a run: messages whose UIDs follow one another and whose marks are
// the same. It ends where the next one begins.
type stretch struct {
	at    uint32 // the position of the first
	uid   uint32 // of the first
	marks store.Marks
}

// put adds n messages alike after the last, the first with this UID.
func (l *listing) put(uid uint32, n int, marks store.Marks) {
	if at := len(l.runs) - 1; at < 0 || l.runs[at].marks != marks || l.uid(l.len-1)+1 != uid {
		l.runs = append(l.runs, stretch{uint32(l.len), uid, marks})
	}
	l.len += n
}

// end is the position after the last message of a run.
func (l *listing) end(i int) int {
	if i+1 < len(l.runs) {
		return int(l.runs[i+1].at)
	}
	return l.len
}

// of is the run in which a position is.
func (l *listing) of(at int) *stretch {
	if at >= l.len {
		panic("there is no message at this position")
	}
	from, to := 0, len(l.runs)
	for to-from > 1 {
		if middle := (from + to) / 2; int(l.runs[middle].at) <= at {
			from = middle
		} else {
			to = middle
		}
	}
	return &l.runs[from]
}

func (l *listing) uid(at int) uint32 {
	r := l.of(at)
	return r.uid + uint32(at) - r.at
}

func (l *listing) marks(at int) store.Marks { return l.of(at).marks }

// find gives the position of the first message whose UID is not below uid, and
// whether it is that one.
func (l *listing) find(uid uint32) (at int, ok bool) {
	from, to := 0, len(l.runs)
	for from < to {
		if middle := (from + to) / 2; l.runs[middle].uid <= uid {
			from = middle + 1
		} else {
			to = middle
		}
	}
	if from == 0 {
		return 0, false
	}
	r, end := l.runs[from-1], l.end(from-1)
	at = int(r.at) + int(uid-r.uid)
	return min(at, end), at < end
}

// uids are those at the positions from one up to another.
func (l *listing) uids(from, to int) []uint32 {
	out := make([]uint32, 0, to-from)
	for at := from; at < to; at++ {
		out = append(out, l.uid(at))
	}
	return out
}

// changed is the listing with what put makes of the messages at these
// positions, which must ascend: it may put it into the new one or leave it out.
func (l *listing) changed(at []int, put func(out *listing, uid uint32, marks store.Marks)) listing {
	out := listing{runs: make([]stretch, 0, len(l.runs)+2)}
	for i, r := range l.runs {
		for pos, end := int(r.at), l.end(i); pos < end; {
			uid, until := r.uid+uint32(pos)-r.at, end
			if len(at) > 0 && at[0] == pos {
				put(&out, uid, r.marks)
				at, pos = at[1:], pos+1
				continue
			}
			if len(at) > 0 {
				until = min(end, at[0])
			}
			out.put(uid, until-pos, r.marks)
			pos = until
		}
	}
	return out
}

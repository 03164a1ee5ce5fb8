package mailflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"parley/mailflow/store"
)

// Reserve is room on the disk of the store that nothing from outside gets: below
// it mail is refused for the time being, and what was accepted is filed, and what
// became of sending recorded, all the same (rule T8). nil keeps none.
//
// Every look asks the file system anew. That takes a microsecond, and a mail waits
// for an fsync; an answer that is a second old would let a rush through.
type Reserve struct {
	Size int64                  // bytes
	Free func() (uint64, error) // bytes that we can still write; errors.ErrUnsupported where nobody can tell
	Log  *slog.Logger

	told atomic.Bool // that the disk is down to it
}

// errReserve is store.ErrFull ahead of time, and answered as that is.
var errReserve = fmt.Errorf("the disk is down to its reserve: %w", store.ErrFull)

const (
	reserveLook = time.Minute // how often the log looks by itself
	reserveStep = 1 << 20     // octets of one text between two looks
)

// Takes says whether so many octets from outside may come now: nil, or an error
// that is store.ErrFull. A disk that cannot be looked at has no room.
func (r *Reserve) Takes(octets int64) error {
	if r == nil {
		return nil
	}
	free, err := r.Look()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if free < uint64(r.Size)+uint64(max(octets, 0)) {
		return errReserve
	}
	return nil
}

// Look gives the bytes that are free, 0 with an error. The log is told once when they are fewer
// than the reserve, and once when a quarter more than it is free again, so that
// mails which come and are refused at the edge are not a line each.
func (r *Reserve) Look() (free uint64, err error) {
	free, err = r.Free()
	if errors.Is(err, errors.ErrUnsupported) {
		return 0, err
	}
	if err != nil {
		free = 0
	}
	about := []any{"free", free, "reserve", r.Size}
	if err != nil {
		about = append(about, "err", err)
	}
	size := uint64(r.Size)
	switch {
	case free < size && r.told.CompareAndSwap(false, true):
		r.Log.Error("the disk is down to its reserve: mail is refused until there is room", about...)
	case free >= size+size/4 && r.told.CompareAndSwap(true, false):
		r.Log.Info("the disk has room again: mail is taken", about...)
	}
	return free, err
}

// Run looks until ctx ends, so that the log tells people before a mail is refused.
func (r *Reserve) Run(ctx context.Context) error {
	tick := time.NewTicker(reserveLook)
	defer tick.Stop()
	for {
		_, _ = r.Look() // the log is told
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// CheckRoom answers MAIL for so many octets, 0 where the client did not say: nil,
// or the reply.
func (b *Base) CheckRoom(octets int64) error { return storeReply(b.Reserve.Takes(octets)) }

// watch gives a text as it comes, and errReserve in place of its end, or of what
// goes on, once there is no room for it: many large ones at once are seen while
// they come, for each lies on the disk by then.
func (r *Reserve) watch(text io.Reader) io.Reader {
	if r == nil {
		return text
	}
	return &watchedText{text: text, reserve: r}
}

type watchedText struct {
	text    io.Reader
	reserve *Reserve
	since   int64 // octets since the last look, which may lie in memory
	end     error // of every further Read
}

func (w *watchedText) Read(p []byte) (int, error) {
	if w.end != nil {
		return 0, w.end
	}
	n, err := w.text.Read(p)
	w.since += int64(n)
	if w.since >= reserveStep || errors.Is(err, io.EOF) {
		if full := w.reserve.Takes(w.since); full != nil {
			n, err = 0, full
		}
		w.since = 0
	}
	w.end = err
	return n, err
}

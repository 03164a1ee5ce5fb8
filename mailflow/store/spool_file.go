package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"parley/mailflow/broken"
)

const (
	// spoolLimit is how large the file becomes before appending waits until all of it is in the tree; only by a
	// single frame may it be larger.
	spoolLimit = 64 << 20
	// spoolAhead is how much of the file is filled with zeros at once. As with the tree (runway), a write over blocks that
	// the file has waits for the data alone.
	spoolAhead = 1 << 20
	// frameBytes is about how large a frame becomes, which is gathered in memory.
	frameBytes = 1 << 20
)

// A position is the end of a frame.
type position struct {
	epoch, frames uint64 // so many of the epoch lie before it
	offset        int64
	records       int // in these frames
}

// marshal leaves out what a scan of the file shows.
func (p position) marshal() []byte { return Seq(p.epoch, p.frames) }

// A spool is the file, of which one goroutine at a time writes a frame and one reads.
type spool struct {
	queue     queue[*entry]
	absorbing sync.Mutex // held by who brings frames into the tree

	mu       sync.Mutex // held while a frame is written, and over what follows
	path     string
	file     *os.File // nil until something is appended
	damage   error    // of the file of a store that is only read
	noSync   bool
	codes    []byte   // keys the codes of frames
	absorbed position // what lies before it is in the tree
	end      position // what lies before it is on the disk
	filled   int64    // the size of the file
	newest   uint64   // the highest number of a body that Open found in it
	scratch  []byte
}

// openSpool opens the file where there is one, and absorbs what it holds. On a full disk that stays there, and in a store that is
// only read, where Verify tells of damage.
func (s *Store) openSpool() error {
	sp := &s.spool
	sp.path, sp.codes = filepath.Join(s.dir, spoolName), s.keys.Load().names
	if err := sp.open(s.readOnly); err != nil {
		return err
	}
	err := s.View(sp.recover)
	if err != nil {
		err = fmt.Errorf("%s: %w", sp.path, err)
	}
	if s.readOnly && errors.Is(err, ErrTampered) {
		sp.damage = err
		return nil
	}
	if err == nil {
		err = s.Absorb()
	}
	if errors.Is(err, ErrFull) {
		return nil
	}
	return err
}

// open opens the file where there is one. A kill may have come between its making and the fsync of its name.
func (sp *spool) open(readOnly bool) error {
	mode := os.O_RDWR
	if readOnly {
		mode = os.O_RDONLY
	}
	file, err := os.OpenFile(sp.path, mode, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	sp.file = file
	info, err := file.Stat()
	if err != nil {
		return err
	}
	sp.filled = info.Size()
	if readOnly {
		return nil
	}
	return syncDir(filepath.Dir(sp.path))
}

// create makes the file, before the first frame that there ever is. Where it cannot be made nothing is broken; where its name is
// not on the disk, made says so.
func (sp *spool) create() (made bool, err error) {
	file, err := os.OpenFile(sp.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return false, full(err)
	}
	sp.file = file
	return true, syncDir(filepath.Dir(sp.path))
}

// close waits for who brings frames into the tree.
func (sp *spool) close() error {
	sp.absorbing.Lock()
	defer sp.absorbing.Unlock()
	if sp.file == nil {
		return nil
	}
	return sp.file.Close()
}

func (sp *spool) positions() (absorbed, end position) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	return sp.absorbed, sp.end
}

func (sp *spool) setAbsorbed(p position) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.absorbed = p
}

// hasRoom says whether a group can be appended without that the file grows too large.
func (sp *spool) hasRoom(group []*entry) bool {
	size := 0
	for _, e := range group {
		size += e.bytes()
	}
	absorbed, end := sp.positions()
	return absorbed == end || end.offset+int64(size) <= spoolLimit
}

// write appends a frame and waits until it is on the disk. It is for who holds mu.
func (sp *spool) write(records []appended) error {
	at := sp.end
	if at == sp.absorbed && at.frames > 0 {
		at = position{epoch: at.epoch + 1}
	}
	sp.scratch = sp.frame(sp.scratch[:0], at, records)
	err := sp.put(sp.scratch, at.offset)
	if broken.Is(broken.ForgetErrors) {
		err = nil
	}
	if err != nil {
		return err
	}
	if at.frames == 0 {
		sp.absorbed = at
	}
	sp.end = position{at.epoch, at.frames + 1, at.offset + int64(len(sp.scratch)), at.records + len(records)}
	return nil
}

// put tells a full disk from a failed one, as a commit does (boltTx).
func (sp *spool) put(frame []byte, at int64) error {
	sp.fill(at + int64(len(frame)))
	if _, err := sp.file.WriteAt(frame, at); err != nil {
		return full(err)
	}
	sp.filled = max(sp.filled, at+int64(len(frame)))
	if sp.noSync {
		return nil
	}
	return fdatasync(sp.file)
}

// fill lays zeros where the next frames come. Where it cannot, the write of the frame tells.
func (sp *spool) fill(to int64) {
	for sp.filled < to {
		n, err := sp.file.WriteAt(zeros[:spoolAhead], sp.filled)
		sp.filled += int64(n)
		if err != nil {
			return
		}
	}
}

// read gives the records of the next frames, at least one and together not much more than absorbBytes.
func (sp *spool) read(at, end position) (all []appended, next position, err error) {
	for next = at; next != end && next.offset-at.offset < absorbBytes; {
		h, ok, err := sp.headerAt(next.offset, end.offset)
		if err != nil {
			return nil, at, err
		}
		if !ok || h.epoch != next.epoch || h.number != next.frames {
			return nil, at, ErrTampered
		}
		records, err := sp.recordsAt(next.offset, h)
		if err != nil {
			return nil, at, err
		}
		all = append(all, records...)
		next = position{next.epoch, next.frames + 1, next.offset + h.size(), next.records + len(records)}
	}
	return all, next, nil
}

// recover finds the frames that are not in the tree. Where a later one is whole, one that is damaged or missing was answered
// all the same: ErrTampered.
func (sp *spool) recover(tx *Tx) error {
	known, err := sp.known(tx)
	if err != nil {
		return err
	}
	sp.absorbed, sp.end = known, known
	for at := int64(0); at < sp.filled; at += frameAlign {
		h, ok, err := sp.headerAt(at, sp.filled)
		if err != nil {
			return err
		}
		if !ok || h.epoch < known.epoch || h.epoch == known.epoch && h.number < known.frames {
			continue
		}
		records, err := sp.recordsAt(at, h)
		if errors.Is(err, ErrTampered) {
			continue
		}
		if err == nil {
			err = sp.found(known, at, h, records)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// known is how far the tree has absorbed the file.
func (sp *spool) known(tx *Tx) (p position, err error) {
	plain, err := tx.open(place{metaBucket, spoolKey, 0})
	if errors.Is(err, ErrNotFound) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	if len(plain) != 16 {
		return p, ErrTampered
	}
	p.epoch, p.frames = binary.BigEndian.Uint64(plain), binary.BigEndian.Uint64(plain[8:])
	return p, nil
}

// found takes a whole frame for the next one. The first one follows what is known, or begins the next epoch, which begins
// only when all of the one before is in the tree.
func (sp *spool) found(known position, at int64, h header, records []appended) error {
	if sp.end == known && h.epoch == known.epoch+1 && known.frames > 0 {
		sp.absorbed = position{epoch: h.epoch, offset: at}
		sp.end = sp.absorbed
	} else if sp.end == known {
		sp.absorbed.offset, sp.end.offset = at, at
	}
	if h.epoch != sp.end.epoch || h.number != sp.end.frames || at != sp.end.offset {
		return fmt.Errorf("what was appended before frame %d at %d is missing: %w", h.number, at, ErrTampered)
	}
	sp.end = position{h.epoch, h.number + 1, at + h.size(), sp.end.records + len(records)}
	for _, r := range records {
		sp.newest = max(sp.newest, r.id)
	}
	return nil
}

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"time"
)

// What comes in from outside is kept in two steps. Append writes it to the end of a file and waits for one fsync, which it
// shares with all that wait beside it: a fraction of what a commit of the tree takes, whose pages lie apart and whose fsyncs are
// two. Absorb brings what was appended into the tree, much of it in one Update; once all of it is there, the file is written
// again from its beginning. Open absorbs what a kill left.

// An entry is one Append that waits for its frame.
type entry struct {
	appended
	scope Scope
	topic string
	done  answered
}

// errRekeyed says that the scope got a new key since an entry was sealed.
var errRekeyed = errors.New("the scope has a new key")

// Append keeps a record and the small body that it names, under the number of the body, and tells subscribers of the topic. It
// returns nil only when both are on the disk (T1). They are read after the next Absorb. What cannot be appended is ErrNotFound
// and left to an Update: a body in a file of its own, or a scope that is not there yet. Of the draft of an Append that failed
// nothing is kept. The record is made of the body and the instant, which is what Tx.Now is to an Update.
func (t Table[V]) Append(s *Store, scope Scope, d *Draft, topic string, record func(Body, time.Time) V) error {
	if err := t.append(s, scope, d, topic, record); err != nil {
		return fmt.Errorf("append to %s: %w", t.rows, err)
	}
	return nil
}

func (t Table[V]) append(s *Store, scope Scope, d *Draft, topic string, record func(Body, time.Time) V) error {
	if t.versions != "" || d.body.Blob || s.readOnly {
		return ErrNotFound
	}
	if d.store != s || d.state.Load() != draftOpen {
		return fmt.Errorf("the draft is not open in this store: %w", ErrExists)
	}
	plain, err := encode(record(d.body, instant(s.now())))
	if err != nil {
		return err
	}
	p := place{t.rows, Seq(d.body.ID), 0}
	for {
		k := s.settled.Load().byName(scope)
		if k == nil {
			return ErrNotFound
		}
		row := k.seal(p.bind(nil, k.number), plain)
		e := &entry{appended{d.body.ID, t.rows, row, d.sealed}, scope, topic, newAnswered()}
		if err := s.spool.queue.join(e, s.appendAll); err != nil {
			return err
		}
		if err := <-e.done; !errors.Is(err, errRekeyed) {
			if err == nil {
				d.settle()
			}
			return err
		}
	}
}

// appendAll answers every entry of the group, also where the program fails.
func (s *Store) appendAll(group []*entry) {
	defer func() {
		if v := recover(); v != nil {
			s.breakDown()
			tellAll(group, fmt.Errorf("%w: %w", ErrBroken, &PanicError{v, debug.Stack()}))
		}
	}()
	for len(group) > 0 {
		n := frameful(group)
		err := s.makeRoom(group[:n])
		if err == nil {
			err = s.appendGroup(group[:n])
		}
		tellAll(group[:n], err)
		group = group[n:]
	}
}

func tellAll(group []*entry, err error) {
	for _, e := range group {
		e.done.tell(err)
	}
}

// frameful is how many of a group go into one frame, of about frameBytes: at least one. What it takes is memory, here and
// where it is absorbed.
func frameful(group []*entry) int {
	size := 0
	for i, e := range group {
		if size += e.bytes(); i > 0 && size > frameBytes {
			return i
		}
	}
	return len(group)
}

// makeRoom absorbs where the file has become large. Only who leads appends, so that there is room then.
func (s *Store) makeRoom(group []*entry) error {
	if s.spool.hasRoom(group) {
		return nil
	}
	return s.Absorb()
}

// appendGroup writes what is sealed under the newest key of its scope as one frame, and tells the rest to be sealed again. The
// key is looked at while the spool is held: whoever destroys an older one absorbs first, and then none is under it.
func (s *Store) appendGroup(group []*entry) error {
	s.spool.mu.Lock()
	defer s.spool.mu.Unlock()
	if s.isBroken() {
		return ErrBroken
	}
	keys := s.settled.Load()
	var frame []appended
	var changes []Change
	for _, e := range group {
		number, _ := scopeOf(e.row)
		if k := keys.byName(e.scope); k == nil || k.number != number {
			e.done.tell(errRekeyed)
			continue
		}
		frame, changes = append(frame, e.appended), append(changes, Change{Topic: e.topic})
	}
	if len(frame) == 0 {
		return nil
	}
	if s.spool.file == nil {
		if made, err := s.spool.create(); made && err != nil {
			return s.failed(err)
		} else if err != nil {
			return err
		}
	}
	if err := s.spool.write(frame); err != nil {
		return s.failed(err)
	}
	s.subscribers.publish(s.serial.Load(), changes)
	return nil
}

// Appended is how many records were appended and are not in the tree yet.
func (s *Store) Appended() int {
	s.spool.mu.Lock()
	defer s.spool.mu.Unlock()
	return s.spool.end.records - s.spool.absorbed.records
}

// absorbBytes is about how much one Update absorbs, so that others do not wait long for it.
const absorbBytes = 1 << 20

// Absorb brings all that was appended before it into the tree. Appends go on meanwhile. After ErrFull it stays where it is, and
// the next call goes on. It does nothing in a store that is only read.
func (s *Store) Absorb() error {
	if err := s.absorb(); err != nil {
		return fmt.Errorf("absorb what was appended: %w", err)
	}
	return nil
}

func (s *Store) absorb() error {
	if s.readOnly {
		return nil
	}
	s.spool.absorbing.Lock()
	defer s.spool.absorbing.Unlock()
	at, end := s.spool.positions()
	for at != end {
		records, next, err := s.spool.read(at, end)
		if errors.Is(err, fs.ErrClosed) {
			return ErrClosed
		}
		if err != nil {
			return s.failed(err)
		}
		if err := s.Update(func(tx *Tx) error { return tx.absorb(records, next) }); err != nil {
			return err
		}
		s.spool.setAbsorbed(next)
		at = next
	}
	return nil
}

// absorb keeps in the same commit how far it came: what was taken out of the tree since does not come back.
func (tx *Tx) absorb(records []appended, next position) error {
	for _, r := range records {
		if err := tx.absorbRecord(r); err != nil {
			return fmt.Errorf("%s %x: %w", r.bucket, Seq(r.id), err)
		}
	}
	return tx.seal(tx.keys.root(), place{metaBucket, spoolKey, 0}, next.marshal())
}

func (tx *Tx) absorbRecord(r appended) error {
	p := place{r.bucket, Seq(r.id), 0}
	number, _ := scopeOf(r.row)
	k := tx.keys.numbered(number)
	switch {
	case number >= tx.keys.next:
		return ErrTampered
	case k == nil:
		return nil // shredded
	}
	tx.state.body = max(tx.state.body, r.id)
	if err := tx.put(bodyBucket, p.key, r.body); err != nil {
		return err
	}
	newest := tx.keys.byName(k.name)
	if newest.number == number {
		return tx.put(p.bucket, p.key, r.row)
	}
	plain, err := tx.unseal(p, r.row)
	if err != nil {
		return err
	}
	return tx.seal(newest, p, plain)
}

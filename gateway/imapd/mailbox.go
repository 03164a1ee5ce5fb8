package imapd

import (
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"parley/mailflow"
	"parley/mailflow/store"
)

// Select answers SELECT and EXAMINE.
func (s *session) Select(mailbox string, options *imap.SelectOptions) (*imap.SelectData, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unselect()
	w, err := s.seat.Open(mailbox)
	if err != nil {
		return nil, s.answer(err)
	}
	names, err := s.flagNames()
	if err != nil {
		return nil, s.answer(err)
	}
	s.window, s.readOnly = w, options.ReadOnly
	d := &imap.SelectData{Flags: names.all(), PermanentFlags: []imap.Flag{}, NumMessages: uint32(w.Len()), UIDNext: imap.UID(w.UIDNext),
		UIDValidity: w.UIDValidity, FirstUnseenSeqNum: firstUnseen(w)}
	if !s.readOnly {
		d.PermanentFlags = append(names.all(), imap.FlagWildcard)
	}
	if s.conn.EnabledCaps().Has(imap.CapIMAP4rev2) {
		d.List = &imap.ListData{Delim: delimiter, Mailbox: w.Shown}
	}
	return d, nil
}

func firstUnseen(w *mailflow.Window) uint32 {
	for at := range w.Len() {
		if w.Marks(at)&store.MarkSeen == 0 {
			return uint32(at + 1)
		}
	}
	return 0
}

// Unselect answers UNSELECT, and CLOSE after its Expunge.
func (s *session) Unselect() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unselect()
	return nil
}

func (s *session) unselect() {
	s.window, s.readOnly, s.saved = nil, false, nil
	s.seat.Shut()
}

// telling is how much of what happened a client is told after a command. One
// that asked which messages there are fetches them next, and those that left
// meanwhile must not disappear under it.
type telling uint8

const (
	tellAll   telling = iota
	tellKnown         // after SEARCH: of what left, what its answer left out
	tellLater         // after FETCH and STORE: nothing of what left
)

// maxUntold is how many messages that left are kept for a client that only ever
// fetches and stores. It is told of more all the same.
const maxUntold = 500

// tellAfter sets how much is told after a command. After one that failed nothing
// is, and the next tells all.
func (s *session) tellAfter(how telling, err *error) {
	if *err == nil {
		s.telling = how
	}
}

// Poll tells the client what happened since it was last told. Messages that
// are gone keep their numbers until allowExpunge; the library would allow that
// after UID FETCH and UID STORE, too (RFC 9051 section 7.5.1).
func (s *session) Poll(w *imapserver.UpdateWriter, allowExpunge bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	how := s.telling
	s.telling = tellAll
	if s.window == nil {
		if s.seat != nil {
			s.seat.Refresh()
		}
		return nil
	}
	if how != tellKnown {
		if err := s.window.Refresh(); err != nil {
			return s.answer(err)
		}
	}
	if allowExpunge && (how != tellLater || s.window.Untold() > maxUntold) {
		for _, at := range s.window.Gone() {
			if err := w.WriteExpunge(uint32(at + 1)); err != nil {
				return err
			}
		}
	}
	return s.tellMore(w)
}

// tellMore tells of new messages and of marks.
func (s *session) tellMore(w *imapserver.UpdateWriter) error {
	if n, grown := s.window.Grown(); grown {
		if err := w.WriteNumMessages(uint32(n)); err != nil {
			return err
		}
	}
	marked := s.window.Marked()
	if len(marked) == 0 {
		return nil
	}
	names, err := s.flagNames()
	if err != nil {
		return s.answer(err)
	}
	for _, at := range marked {
		if err := w.WriteMessageFlags(uint32(at+1), imap.UID(s.window.UID(at)), names.list(s.window.Marks(at))); err != nil {
			return err
		}
	}
	return nil
}

// loginCheck is how often an idle client's login is looked at.
const loginCheck = time.Minute

// Idle tells the client what happens while it waits. The seat has gathered
// changes since before the mailbox was read, so what came between the last
// command and this one is told first.
func (s *session) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	s.mu.Lock()
	changed := s.seat.Changed()
	s.mu.Unlock()
	tick := time.NewTicker(loginCheck)
	defer tick.Stop()
	for {
		if err := s.Poll(w, true); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-tick.C:
			if why := s.ended(); why != "" {
				s.wire.bye(why)
				return nil
			}
		case <-stop:
			return nil
		case <-s.closed:
			return nil
		}
	}
}

// Expunge answers EXPUNGE, UID EXPUNGE, and CLOSE with a writer that writes
// nothing. A mailbox that was opened by EXAMINE does not change: CLOSE is fine
// there, EXPUNGE is not.
func (s *session) Expunge(w *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readOnly {
		if *w == (imapserver.ExpungeWriter{}) {
			return nil
		}
		return readOnly()
	}
	at := s.all()
	if uids != nil {
		at = s.positions(*uids)
	}
	if err := s.window.Expunge(at); err != nil {
		return s.answer(err)
	}
	if err := s.window.Refresh(); err != nil {
		return s.answer(err)
	}
	for _, i := range s.window.Gone() {
		if err := w.WriteExpunge(uint32(i + 1)); err != nil {
			return err
		}
	}
	return nil
}

func readOnly() error {
	return no("READ-ONLY", "Nothing was changed: the folder was opened by EXAMINE, SELECT it first")
}

// Store answers STORE.
func (s *session) Store(w *imapserver.FetchWriter, numSet imap.NumSet, flags *imap.StoreFlags, _ *imap.StoreOptions) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tellAfter(tellLater, &err)
	if s.readOnly {
		return readOnly()
	}
	m, err := s.marks(flags.Flags, flags.Op != imap.StoreFlagsDel)
	if err == nil {
		err = s.window.Refresh()
	}
	if err != nil {
		return s.answer(err)
	}
	clear, set := store.Marks(0), m
	switch flags.Op {
	case imap.StoreFlagsSet:
		clear = ^store.MarkHidden
	case imap.StoreFlagsDel:
		clear, set = m, 0
	}
	at := s.positions(numSet)
	if err := s.window.Mark(at, clear, set); err != nil {
		return s.answer(err)
	}
	if flags.Silent {
		return nil
	}
	names, err := s.flagNames()
	if err != nil {
		return s.answer(err)
	}
	for _, i := range at {
		m := w.CreateMessage(uint32(i + 1))
		m.WriteUID(imap.UID(s.window.UID(i)))
		m.WriteFlags(names.list(s.window.Marks(i)))
		if err := m.Close(); err != nil {
			return err
		}
	}
	return nil
}

package mailflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// ErrNoFolder says that a coordinator has no such folder. Those of a case
// that is restricted to others are no different (rule A2).
var ErrNoFolder = errors.New("no such folder")

// Seats are the places at the desk: what coordinators see in their mail
// clients, and what moving a message there means. IMAP is only its form. It
// must not be copied.
type Seats struct {
	*Base
	Desk *Desk

	acting  sync.Mutex // so that a message acts once
	forming sync.Mutex // so that one large message is encrypted at a time
}

// Seat is one coordinator's view of the folders, for one connection. Each has
// marks of its own and hides for itself only. It is not safe for concurrent
// use, but Changed may be waited on meanwhile.
type Seat struct {
	*Seats
	name      string
	shown     *showing // nil for the clear view
	sub       *store.Subscription
	tree      map[string]uint32 // the folders by name
	treeAt    uint64            // the commit it shows
	foldersAt uint64            // the last commit that changed it
	window    *Window
}

// Sit gives a coordinator a seat with the clear view, and its own folders at the
// first time. It must be closed.
func (s *Seats) Sit(coordinator string) (*Seat, error) {
	return s.SitAs(SeatFor{Coordinator: coordinator, Login: coordinator, View: ClearView})
}

// SitAs is Sit for a login with any view. *Denied where the view cannot be served:
// nothing else is served in its place.
func (s *Seats) SitAs(who SeatFor) (*Seat, error) {
	coordinator := who.Coordinator
	var shown *showing
	err := s.Store.Update(func(tx *store.Tx) (err error) {
		if _, err := CoordinatorByName(tx, coordinator); err != nil {
			return err
		}
		if shown, err = s.shows(tx, who); err != nil {
			return err
		}
		if err := s.ensureFolders(tx); err != nil {
			return err
		}
		return ensureOwnFolders(tx, coordinator)
	})
	if err != nil {
		return nil, fmt.Errorf("seat of %s: %w", coordinator, err)
	}
	return &Seat{Seats: s, name: coordinator, shown: shown, sub: s.Store.Subscribe(store.TopicMailbox)}, nil
}

// Close ends the seat.
func (s *Seat) Close() { s.sub.Close() }

// Changed holds a token whenever something may have changed in the folders;
// Window.Refresh takes it in.
func (s *Seat) Changed() <-chan struct{} { return s.sub.C }

// Refresh lets go of changes that no open folder needs.
func (s *Seat) Refresh() { s.take() }

// take sorts the changes since the last time to where they belong.
func (s *Seat) take() {
	for _, c := range s.sub.Take() {
		if c.Mailbox == 0 || c.Kind == store.ChangeFolders {
			s.foldersAt = c.Serial
		}
		if w := s.window; w != nil && (c.Mailbox == 0 || c.Mailbox == w.Number) && c.Serial > w.serial {
			w.pending = append(w.pending, c)
		}
	}
}

// sees says whether what is sealed under a scope may be seen from this seat:
// all but cases that are restricted to others, and what is for one of the
// others alone.
func (s *Seat) sees(tx *store.Tx, scope store.Scope) (bool, error) {
	return seesScope(tx, s.name, scope)
}

func seesScope(tx *store.Tx, coordinator string, scope store.Scope) (bool, error) {
	if who, ok := onlyFor(scope); ok {
		return who == coordinator, nil
	}
	if _, err := cvd.ParseCaseID(string(scope)); err != nil {
		return true, nil
	}
	c, err := CaseByID(tx, cvd.CaseID(scope))
	if errors.Is(err, ErrNoCase) || errors.Is(err, store.ErrShredded) {
		return false, nil
	}
	return maySee(c, coordinator), err
}

// view is sees for the store. What cannot be read is not seen; the first
// reason why is left in *failed.
func (s *Seat) view(tx *store.Tx, failed *error) func(store.Scope) bool {
	known := map[store.Scope]bool{}
	return func(scope store.Scope) bool {
		ok, asked := known[scope]
		if asked {
			return ok
		}
		ok, err := s.sees(tx, scope)
		if err != nil && *failed == nil {
			*failed = err
		}
		known[scope] = ok && err == nil
		return known[scope]
	}
}

// uids lists the messages of a folder that this seat sees, in ascending
// order, with their marks.
func (s *Seat) uids(tx *store.Tx, box uint32) ([]uint32, []store.Marks, error) {
	var failed error
	all, err := tx.UIDs(box, s.view(tx, &failed))
	if err := errors.Join(err, failed); err != nil {
		return nil, nil, err
	}
	marks, err := tx.MarksOf(box, s.name, all)
	if err != nil {
		return nil, nil, err
	}
	n := 0
	for i, m := range marks {
		if m&store.MarkHidden == 0 {
			all[n], marks[n] = all[i], m
			n++
		}
	}
	return all[:n], marks[:n], nil
}

// Body opens the bytes of a message.
func (s *Seats) Body(b store.Body) (io.ReadSeekCloser, error) { return s.Store.Body(b) }

// topicReceipt is that of changes to what expires at the seats: in Do/, and what
// was made for views.
const topicReceipt = "receipt"

// Run does what falls due at the seats until ctx ends: receipts that expire, and
// what was encrypted to a key that is another now.
func (s *Seats) Run(ctx context.Context) error {
	changes := s.Store.Subscribe(topicReceipt)
	defer changes.Close()
	for {
		next, err := s.RunDue(ctx, s.clock())
		if err != nil {
			s.Log.Error("expire receipts", "err", err)
		}
		if s.Clock.wait(ctx, changes, next) != nil {
			return nil
		}
	}
}

// isUnder says whether a name is that of a folder or below it.
func isUnder(name, folder string) bool {
	rest, ok := strings.CutPrefix(name, folder)
	return ok && (rest == "" || strings.HasPrefix(rest, delimiter))
}

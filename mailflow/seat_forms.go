package mailflow

import (
	"errors"
	"sync"

	"parley/keyring"
	"parley/mailflow/cores"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// Headlines and sealed messages are made when a client first asks for more of
// them than flags and UIDs, and kept (sealed at rest like all else), since the
// bytes of a UID never change and an encryption is another each time. So a login
// of a full desk costs nothing, and the first list of a folder what it takes to
// encrypt what is in it.

// formsAtOnce is how many are made before they are stored: the client gets the
// lines of those that are done while others are made.
const formsAtOnce = 64

// aForm is a message in the shape of a view, not stored yet.
type aForm struct {
	id    uint64
	draft *store.Draft
	tree  *message.Part
}

// prepare makes what the messages at these positions lack.
func (w *Window) prepare(at []int) error {
	lack, err := w.lacking(at)
	for err == nil && len(lack) > 0 {
		n := min(len(lack), formsAtOnce)
		err = w.seat.makeForms(lack[:n])
		lack = lack[n:]
	}
	return err
}

// lacking finds the messages that were not served in this view yet.
func (w *Window) lacking(at []int) ([]store.Message, error) {
	s := w.seat
	var lack []store.Message
	err := w.Filed(at, func(tx *store.Tx, _ int, e *store.Entry) error {
		if tx.HasForm(s.shown.kind, e.Message) {
			return nil
		}
		m, err := tx.Message(e.Message)
		if err == nil && !s.asItCame(m) {
			lack = append(lack, m)
		}
		return err
	})
	return lack, err
}

// asItCame says that a message is served as it is stored although the view is not
// clear: a draft that this very login wrote without the bodies of anything. Its
// client could not go on with a headline of it.
func (s *Seat) asItCame(m store.Message) bool {
	return s.shown.View == HeadlinesView && m.Direction == ownMail && m.Ref == s.shown.mark()
}

// mark is the Ref of what a login with a view that is not clear writes.
func (v *showing) mark() string { return string(v.View) + " " + v.Login }

// makeForms makes and stores forms, on all processors.
func (s *Seat) makeForms(lack []store.Message) error {
	made := make([]*aForm, len(lack))
	errs := make([]error, len(lack))
	var wg sync.WaitGroup
	room := make(chan struct{}, cores.Count())
	for i, m := range lack {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			made[i], errs[i] = s.makeForm(m)
		})
	}
	wg.Wait()
	defer func() {
		for _, f := range made {
			if f != nil {
				f.draft.Drop() // nothing, where it is kept
			}
		}
	}()
	if err := errors.Join(errs...); err != nil {
		return s.unmade(err)
	}
	return s.Store.Update(func(tx *store.Tx) error { return s.keepForms(tx, made) })
}

// unmade says what a coordinator can do about a key that cannot be encrypted to.
func (s *Seat) unmade(err error) error {
	var u *keyring.UnusableError
	if errors.As(err, &u) {
		return &Denied{"your own OpenPGP key cannot be encrypted to (" + u.Text + "), so this is not shown; the operator puts a new one on file with: parley coordinator key " + s.name + " FILE"}
	}
	return err
}

func (s *Seat) keepForms(tx *store.Tx, made []*aForm) error {
	if s.sealed() { // the key may be another by now
		now, err := sealingOf(tx, s.shown.owner)
		if err != nil {
			return err
		}
		if now.Kind != s.shown.kind {
			return ErrNoFolder
		}
	}
	for _, f := range made {
		if f == nil || tx.HasForm(s.shown.kind, f.id) { // another connection was first
			continue
		}
		m, err := tx.Message(f.id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		body, err := tx.Keep(f.draft)
		if err != nil {
			return err
		}
		form := store.Form{Served: body, Envelope: f.tree.Envelope(), Structure: f.tree.Structure()}
		if err := tx.PutForm(s.shown.kind, m, form); err != nil {
			return err
		}
	}
	return nil
}

// large is the size from which messages are made one after the other: each takes
// several times its size of memory.
const large = 1 << 20

// makeForm makes one; nil where the message is gone.
func (s *Seat) makeForm(m store.Message) (*aForm, error) {
	if m.Size > large {
		s.forming.Lock()
		defer s.forming.Unlock()
	}
	raw, err := s.Store.Bytes(m.Served)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var made []byte
	if s.sealed() {
		made, err = s.sealForm(m, raw)
	} else {
		made = headlineOf(m, raw)
	}
	if err != nil {
		return nil, err
	}
	f := &aForm{id: m.ID}
	if f.tree, err = message.Parse(made, message.Limits{Size: int64(len(made)) + 1}); err != nil {
		return nil, err
	}
	f.draft, err = s.Store.SealBytes(made)
	return f, err
}

// reshape gives an entry the bytes that this seat is served.
func (s *Seat) reshape(tx *store.Tx, e *store.Entry) error {
	line, err := tx.FormLine(s.shown.kind, e.Message)
	if err == nil {
		e.Size, e.Served, e.Envelope = line.Size, line.Served, line.Envelope
		return nil
	}
	return s.orAsItCame(tx, e, err)
}

// orAsItCame is nil where a message has no form because it is served as it is
// stored, and else why it has none.
func (s *Seat) orAsItCame(tx *store.Tx, e *store.Entry, why error) error {
	if !errors.Is(why, store.ErrNotFound) {
		return why
	}
	m, err := tx.Message(e.Message)
	if err == nil && s.asItCame(m) {
		return nil
	}
	return errors.Join(why, err)
}

// Message is what is known of a message that Read gave, its envelope and
// structure being those of what the seat is served.
func (s *Seat) Message(tx *store.Tx, e *store.Entry) (store.Message, error) {
	if s.shown == nil {
		return tx.Message(e.Message)
	}
	form, err := tx.Form(s.shown.kind, e.Message)
	if err == nil {
		return store.Message{ID: e.Message, At: e.At, Size: e.Size, Served: form.Served, Envelope: form.Envelope, Structure: form.Structure}, nil
	}
	if err := s.orAsItCame(tx, e, err); err != nil {
		return store.Message{}, err
	}
	return tx.Message(e.Message)
}

// HeadIn reads the head of what the seat is served into h, in the memory that h
// has from the message read before.
func (s *Seat) HeadIn(h *store.Head, tx *store.Tx, e *store.Entry) error {
	if s.shown == nil {
		return tx.HeadIn(h, e.Message)
	}
	err := tx.FormHeadIn(h, s.shown.kind, e.Message)
	if err == nil {
		return nil
	}
	if err := s.orAsItCame(tx, e, err); err != nil {
		return err
	}
	return tx.HeadIn(h, e.Message)
}

// AppendStructure appends the BODYSTRUCTURE of what the seat is served, for a
// client that takes UTF-8 in strings or not.
func (s *Seat) AppendStructure(dst []byte, tx *store.Tx, e *store.Entry, utf8 bool) ([]byte, error) {
	if s.shown == nil {
		return tx.AppendStructure(dst, e.Message, utf8)
	}
	m, err := s.Message(tx, e)
	if err != nil {
		return dst, err
	}
	return store.AppendStructureLine(dst, m.Structure, utf8), nil
}

// atMost bounds the size of what this seat is served of a message of n octets.
func (s *Seat) atMost(n int64) int64 {
	switch {
	case s.shown == nil:
		return n
	case s.sealed(): // padded to the next power of two and twice in base64 at worst; told in steps
		return 4*(n+8<<10)&^(8<<10-1) + 64<<10
	}
	return n + int64(len(headlineBody)) + 512
}

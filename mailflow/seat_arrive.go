package mailflow

import (
	"context"
	"fmt"

	"parley/mailflow/store"
)

// arrive puts one message into a folder of the desk, and says under which UID:
// 0 where it did not stay there.
func (w *Window) arrive(ctx context.Context, dest store.Mailbox, m sending, move bool) (uid uint32, err error) {
	then := nothingElse
	if move {
		then = func(tx *store.Tx) error { return w.takeAway(tx, []uint32{m.uid}) }
	}
	if placeOf(dest) == buttonPlace {
		return w.seat.act(ctx, w.Mailbox, dest, m.message, then)
	}
	return w.seat.bringBack(ctx, w.Mailbox, dest, m, then)
}

// nothingElse is what follows a COPY or an APPEND.
func nothingElse(*store.Tx) error { return nil }

// keep files a message in a private folder with the marks that it had.
func (s *Seat) keep(tx *store.Tx, dest store.Mailbox, id uint64, marks store.Marks) (uint32, error) {
	uid, err := tx.File(dest.Number, id)
	if err != nil {
		return 0, err
	}
	return uid, tx.Mark(dest.Number, s.name, []uint32{uid}, 0, marks&^store.MarkHidden)
}

// bringBack handles what is put into a folder of the desk or of a case. A
// receipt that comes back from Do/ undoes, and so does what was filed in a case
// by hand and goes back; what this coordinator had hidden shows again. Anything
// else is a command in a case, and refused elsewhere. then is done with it.
func (s *Seat) bringBack(ctx context.Context, from, dest store.Mailbox, m sending, then func(*store.Tx) error) (uid uint32, err error) {
	undoes := placeOf(from) == buttonPlace
	if !undoes && placeOf(from) == casePlace {
		if undoes, err = s.wasFiled(from, dest, m.message); err != nil {
			return 0, err
		}
	}
	switch {
	case undoes:
		return s.undo(ctx, from, dest, m, then)
	case placeOf(dest) == casePlace:
		return s.fileInCase(ctx, from, dest, m.message, then)
	}
	err = s.Store.Update(func(tx *store.Tx) error {
		if uid, err = s.show(tx, dest, m.message); err != nil || uid == 0 {
			return err
		}
		return then(tx)
	})
	if err == nil && uid == 0 {
		err = &Refusal{Sentence: fmt.Sprintf("nothing can be put into %s by hand; nothing was changed", dest.Name)}
	}
	return uid, err
}

// show lets this coordinator see a message again in a folder where it was
// hidden, under a new UID; where it shows, it stays as it is. 0 if it is not
// filed there.
func (s *Seat) show(tx *store.Tx, dest store.Mailbox, id uint64) (uint32, error) {
	uid, err := filedIn(tx, dest.Number, id)
	if err == nil && uid == 0 {
		uid, err = newerIn(tx, dest.Number, id) // it says something else by now
	}
	if err != nil || uid == 0 {
		return 0, err
	}
	marks, err := tx.MarksOf(dest.Number, s.name, []uint32{uid})
	if err != nil || marks[0]&store.MarkHidden == 0 {
		return uid, err
	}
	return tx.Refile(dest.Number, uid, s.name)
}

// filedIn gives the UID of a message in a mailbox, the newest; 0 for none.
func filedIn(tx *store.Tx, box uint32, id uint64) (uint32, error) {
	filed, err := tx.FiledIn(id)
	for i := len(filed) - 1; i >= 0; i-- {
		if filed[i].Mailbox == box {
			return filed[i].UID, err
		}
	}
	return 0, err
}

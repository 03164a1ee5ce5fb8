package store

import (
	"errors"
	"iter"
	"slices"
	"time"
)

// Due walks the rows of a table whose keys begin with the instant at which each falls due (see Instant), from the first up to
// now, and sets next to the instant of the first row after them, or to zero where there is none. A loop that ends before sets it
// to that of the row it ended at: there is more, and it is due. It reads no row but these, and the one after them. Rows whose
// scope was shredded are passed over. The loop may put and delete rows of the table.
func (t Table[V]) Due(tx *Tx, now time.Time, next *time.Time) iter.Seq2[Row[V], error] {
	return func(yield func(Row[V], error) bool) {
		*next = time.Time{}
		for row, err := range t.All(tx, nil) {
			if errors.Is(err, ErrShredded) {
				continue
			}
			if err == nil {
				if at := ParseInstant(row.Key); at.After(now) {
					*next = at
					return
				} else if !yield(row, nil) {
					*next = at
					return
				}
			} else if !yield(row, err) {
				return
			}
		}
	}
}

// DueKey is the key of a row that falls due at an instant: that, and its name behind it.
func DueKey(at time.Time, name []byte) []byte { return slices.Concat(Instant(at), name) }

// DueName is the name in such a key.
func DueName(key []byte) []byte { return key[min(len(key), len(Instant(time.Time{}))):] }

// MoveDue keeps the row of something in step among those that are due: it stood under the instant was, followed by its name, and
// stands under next from now on; a zero instant is none. It says whether the row is new there.
func (t Table[V]) MoveDue(tx *Tx, scope Scope, name []byte, was, next time.Time, v V) (moved bool, err error) {
	if next.Equal(was) {
		return false, nil
	}
	if !was.IsZero() {
		if err := t.Delete(tx, DueKey(was, name)); err != nil {
			return false, err
		}
	}
	if next.IsZero() {
		return false, nil
	}
	return true, t.Put(tx, scope, DueKey(next, name), v)
}

package store

import (
	"errors"
	"iter"
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

package mailflow

import (
	"errors"
	"iter"
	"slices"

	"parley/mailflow/store"
)

// collect gathers rows of a table, sorted where an order is given. Those whose key
// was destroyed are passed over.
func collect[V any](rows iter.Seq2[store.Row[V], error], order func(a, b V) int) ([]V, error) {
	var out []V
	for r, err := range rows {
		if errors.Is(err, store.ErrShredded) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r.Value)
	}
	if order != nil {
		slices.SortStableFunc(out, order)
	}
	return out, nil
}

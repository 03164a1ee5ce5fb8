package auth

import (
	"slices"
	"strings"

	"parley/mailflow/store"
)

// records reads all logins, by name: their keys are HMACs and so in no order.
func records(tx *store.Tx) ([]record, error) {
	var all []record
	for row, err := range logins.All(tx, nil) {
		if err != nil {
			return nil, err
		}
		all = append(all, row.Value)
	}
	slices.SortFunc(all, func(a, b record) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

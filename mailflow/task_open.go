package mailflow

import (
	"errors"
	"slices"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// openNames find the open tasks of a case without a look at any other, by their
// numbers. A mail that only shows something is not among them: there is one at
// least for every case.
var openNames = store.Versioned[string]("opentasks")

func openPrefix(tx *store.Tx, id cvd.CaseID) []byte { return tx.Name("open-tasks", string(id)) }

func openKey(tx *store.Tx, r taskRow) []byte {
	return append(openPrefix(tx, r.Case), store.Seq(r.Number)...)
}

// putTask writes a task under its name, and where a person must do it among the
// open ones of its case.
func putTask(tx *store.Tx, scope store.Scope, r taskRow) error {
	if err := tasks.Put(tx, scope, tx.Name("task", r.Key), r); err != nil || r.Number == 0 {
		return err
	}
	return openNames.Put(tx, scope, openKey(tx, r), r.Key)
}

// dropTask forgets a task, as it was read under a name.
func dropTask(tx *store.Tx, r taskRow, key string) error {
	if err := tasks.Delete(tx, tx.Name("task", key)); err != nil || r.Number == 0 {
		return err
	}
	return openNames.Delete(tx, openKey(tx, r))
}

// openTasks lists what a person must do, oldest first: of one case, or of all
// and of none where id is empty.
func openTasks(tx *store.Tx, id cvd.CaseID) ([]taskRow, error) {
	var within []byte
	if id != "" {
		within = openPrefix(tx, id)
	}
	var out []taskRow
	for name, err := range openNames.All(tx, within) {
		if errors.Is(err, store.ErrShredded) {
			continue
		}
		if err != nil {
			return nil, err
		}
		r, err := tasks.Get(tx, tx.Name("task", name.Value))
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b taskRow) int { return int(int64(a.Number) - int64(b.Number)) })
	return out, nil
}

// endsByItself says what ends a task that nobody can call done, or "".
func endsByItself(r taskRow) string {
	switch r.Kind {
	case "held":
		return "the notice leaves, or is withdrawn"
	case "approval":
		return "somebody approves or rejects it"
	case "delivery":
		return "`delivery ID sent`, again or drop answers it"
	case "leak":
		return "all have it, or the text is written"
	case "own-key":
		return "our key has a later end, or a next one is announced"
	case "shred":
		return "it is destroyed, or somebody stops that"
	case "go":
		return "somebody answers `go` or `slip`, or the embargo ends"
	case "sending":
		return "`sending resume`"
	}
	return ""
}

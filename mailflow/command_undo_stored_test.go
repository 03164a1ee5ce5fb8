package mailflow

import (
	"regexp"
	"slices"
	"strings"

	"parley/mailflow/store"
)

// undoTables are the tables that a command and its undo leave as they were: all but
// the journal, the threads, and the folders and rows that are made of these.
var undoTables = []string{"cases", "parties", "participants", "notices", "materials", "approvals", "reports", "keys", "coordinators", "sending",
	"introductions", "faqs", "leaks", "leakkits", "shreds", "tasks", "cra"}

// stored is what the store holds of them. A notice that was cancelled, and a
// request that was refused, is none any more, and one that took its place is the same but for its number and the instants
// of people's acts; a hold that is put back begins anew.
func (r *deskRig) stored() string {
	r.t.Helper()
	var out []string
	r.view(func(tx *store.Tx) error {
		for _, table := range undoTables {
			var rows []string
			for _, row := range dumps[table](tx) {
				row = strings.TrimSuffix(row, " <nil>")
				if strings.Contains(row, `"State":"cancelled"`) || strings.Contains(row, `"How":"rejected by`) || strings.Contains(row, `{"Paused":false`) {
					continue
				}
				row = undoHolds.ReplaceAllString(row, `"$1":{"Because":$2}`)
				rows = append(rows, table+" "+undoEmpty.ReplaceAllString(undoBare.ReplaceAllString(row, ""), ":null"))
			}
			slices.Sort(rows)
			out = append(out, rows...)
		}
		return nil
	})
	return strings.Join(out, "\n")
}

var (
	undoBare  = regexp.MustCompile(`"At":"[^"]*","Acted":"[^"]*"|"(ID|Number|Row|LastAct|Dated|ByNeed|Code|UID|Joined|Since|Message|Closed)":("[^"]*"|\w+),?|"At":"[^"]*"}$`)
	undoEmpty = regexp.MustCompile(`:(\[\]|{})`)
	undoHolds = regexp.MustCompile(`"(Hold|LegalHold)":{"Because":("[^"]*"),"By":"[^"]*","At":"[^"]*"}`)
)

// everything is what the store holds of these, to the last instant.
func (r *deskRig) everything() string {
	r.t.Helper()
	var out []string
	r.view(func(tx *store.Tx) error {
		for _, table := range undoTables {
			out = append(out, dumps[table](tx)...)
		}
		return nil
	})
	return strings.Join(out, "\n")
}

// changedRows are the rows that only one of two has.
func changedRows(before, after string) string {
	was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
	var out strings.Builder
	for _, row := range was {
		if !slices.Contains(is, row) {
			out.WriteString("\n- " + row)
		}
	}
	for _, row := range is {
		if !slices.Contains(was, row) {
			out.WriteString("\n+ " + row)
		}
	}
	return out.String()
}

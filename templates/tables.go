package templates

import (
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
)

// matrix writes who knows what: a line a participant, a column a stage, what
// the participant says at the end. Where that is too wide, cells are written
// shorter, and what a participant says follows below in full.
func matrix(v CaseFile) string {
	if len(v.Rows) == 0 {
		return ""
	}
	rows := [][]string{{""}}
	for _, s := range v.Stages {
		rows[0] = append(rows[0], string(s))
	}
	rows[0] = append(rows[0], "status")
	for _, r := range v.Rows {
		rows = append(rows, append(append([]string{r.Party}, r.Cells...), oneline(r.Status)))
	}
	if wide := widths(rows); total(wide, 2) <= columns {
		return table("", rows)
	}
	return tightMatrix(v, rows)
}

const (
	tightCell   = 7  // "12 Dec+", "approve"
	tightStatus = 13 // "investigating", "no answer yet"
	longName    = 16
)

// tightMatrix writes the matrix with six stages into 72 columns. Of a long
// status the first word stands in the line.
func tightMatrix(v CaseFile, rows [][]string) string {
	sent := false
	for n, r := range rows {
		for i, c := range r[1 : len(r)-1] {
			r[i+1] = cut(c, tightCell)
			if date, ok := strings.CutSuffix(c, " ok"); ok {
				r[i+1], sent = date+"+", true
			}
			if n == 0 {
				r[i+1] = tightHead(v.Stages[i])
			}
		}
	}
	below := shortenStatus(rows)
	out := table("", rows)
	if sent {
		out += "\n\n  + has gone; a date without it is planned"
	}
	if len(below) > 0 {
		out += "\n\n" + strings.Join(below, "\n")
	}
	return out
}

// shortenStatus leaves the first word of each status that is too long for the
// room that the other columns leave, and gives those in full.
func shortenStatus(rows [][]string) []string {
	last := len(rows[0]) - 1
	wide := widths(rows)
	wide[0] = min(wide[0], longName)
	room := max(columns-total(wide[:last], 1)-1, tightStatus)
	var below []string
	for _, r := range rows {
		status := r[last]
		if columnsOf(status) <= room {
			continue
		}
		word, _, _ := strings.Cut(status, " ")
		r[last] = cut(word+" ..", room)
		below = append(below, entry(r[0], status))
	}
	return below
}

// entry is a name and what there is to say of it; a long name has a line of
// its own.
func entry(name, text string) string {
	if columnsOf(name) > longName {
		return "  " + name + "\n" + hang("      ", text)
	}
	return hang("  "+name+"  ", text)
}

// tightHead is a stage as the head of a narrow column.
func tightHead(s cvd.Stage) string {
	switch s {
	case cvd.HeadsUp:
		return "heads"
	case cvd.Advisory:
		return "advis."
	}
	return string(s)
}

// approvalRows writes the recipients of what is to be approved.
func approvalRows(v Approval) string {
	rows := [][]string{{"vendor", "key", "", "until", "stage now", "gets"}}
	var notes []string
	for _, r := range v.Rows {
		until, stage := keyEnd(r), string(r.Stage)
		if stage == "" {
			stage = "-"
		}
		rows = append(rows, []string{r.Party, r.Key, r.Trust, until, stage, r.Gets})
		if r.Soon {
			notes = append(notes, hang("  ! ", r.Party+"'s key ends before the embargo does."))
		}
		if r.Why != "" {
			notes = append(notes, hang("  ", r.Party+": "+sentence(oneline(r.Why))))
		}
	}
	out := table("  ", rows)
	if len(notes) > 0 {
		out += "\n\n" + strings.Join(notes, "\n")
	}
	return out
}

// keyEnd is until when the key of a recipient can be used, marked where that
// is too soon.
func keyEnd(r ApprovalRow) string {
	switch {
	case r.Key == "" || r.Key == "-":
		return "-"
	case r.Until.IsZero():
		return "never"
	case r.Soon:
		return r.Until.UTC().Format(time.DateOnly) + " !"
	}
	return r.Until.UTC().Format(time.DateOnly)
}

// files lists what is attached: a mail in clear brings no calendar.
func files(f []string, clear ...bool) string {
	ours := []string{"embargo.ics", "our-key.asc"}
	if len(clear) > 0 && clear[0] {
		ours = ours[1:]
	}
	return strings.Join(slices.Concat(f, ours), ", ")
}

package templates

import (
	"fmt"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"

	"parley/mailflow/cvd"
)

// columns is the width of everything that we write.
const columns = 72

func functions() template.FuncMap {
	return template.FuncMap{
		"day":    func(t time.Time) string { return t.UTC().Format("Mon 2 January 2006") },
		"short":  func(t time.Time) string { return t.UTC().Format("Mon 2 Jan") },
		"date":   shortDate,
		"at":     at,
		"wrap":   wrap,
		"rule":   rule,
		"upper":  strings.ToUpper,
		"steps":  steps,
		"size":   size,
		"line":   timeline,
		"matrix": matrix,
		"rows":   approvalRows,
		"files":  func(f []string) string { return strings.Join(append(f, "embargo.ics", "our-key.asc"), ", ") },
		"indent": func(s string) string { return "    " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    ") },
		"join":   strings.Join,
		"oneline": func(s string) string {
			return strings.Join(strings.Fields(s), " ")
		},
	}
}

func shortDate(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2 Jan")
}

// at writes an instant in UTC, and in the reader's zone where that is known.
func at(t time.Time, zone string) string {
	s := t.UTC().Format("Mon 2 January 2006, 15:04 UTC")
	loc, err := time.LoadLocation(zone)
	if zone == "" || zone == "UTC" || err != nil {
		return s
	}
	city := zone[strings.LastIndexByte(zone, '/')+1:]
	local := t.In(loc)
	form := "15:04"
	if local.Format(time.DateOnly) != t.UTC().Format(time.DateOnly) {
		form = "Mon 15:04"
	}
	return fmt.Sprintf("%s (%s %s)", s, local.Format(form), strings.ReplaceAll(city, "_", " "))
}

// wrap breaks a paragraph at 72 columns; longer words stay whole.
func wrap(s string) string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(s) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) > columns {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	if line != "" {
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// rule is a heading that runs over the whole line.
func rule(title string) string {
	return "---- " + title + " " + strings.Repeat("-", max(columns-6-utf8.RuneCountInString(title), 3))
}

// steps writes what is learned when: a line of stages, reached ones in
// capitals, over a line of dates.
func steps(all []Step) string {
	var names, dates strings.Builder
	width := max(9, columns/max(len(all), 1)-1)
	width = min(width, 13)
	for i, s := range all {
		name, date := string(s.Stage), shortDate(s.At)
		if s.Done {
			name = strings.ToUpper(name)
			if i == len(all)-1 || !all[i+1].Done {
				date += " *"
			}
		}
		fmt.Fprintf(&names, "%-*s", width, name)
		fmt.Fprintf(&dates, "%-*s", width, date)
	}
	return "  " + strings.TrimRight(names.String(), " ") + "\n  " + strings.TrimRight(dates.String(), " ")
}

// size writes octets for people.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%d kB", (n+500)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// timeline draws the embargo as one line with today on it.
func timeline(v CaseFile) string {
	if v.Start.IsZero() || !v.End.After(v.Start) {
		return ""
	}
	const width = 56
	done := float64(v.Now.Sub(v.Start)) / float64(v.End.Sub(v.Start))
	i := min(max(int(done*width), 0), width-1)
	bar := strings.Repeat("-", i) + "o" + strings.Repeat("-", width-1-i)
	return fmt.Sprintf("%6s %s %s\n%s^today", shortDate(v.Start), bar, shortDate(v.End), strings.Repeat(" ", 7+i))
}

// matrix writes who knows what: a line a participant, a column a stage.
func matrix(v CaseFile) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-12s", "")
	for _, s := range v.Stages {
		fmt.Fprintf(&b, "%-10s", s)
	}
	b.WriteString("status\n")
	for _, r := range v.Rows {
		fmt.Fprintf(&b, "%-12s", r.Party)
		for _, c := range r.Cells {
			fmt.Fprintf(&b, "%-10s", c)
		}
		b.WriteString(r.Status + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// approvalRows writes the recipients of what is to be approved.
func approvalRows(v Approval) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %-12s %-12s %-10s %-12s %-10s %s\n", "vendor", "key", "", "until", "stage now", "gets")
	for _, r := range v.Rows {
		until := "-"
		if !r.Until.IsZero() {
			until = r.Until.UTC().Format(time.DateOnly)
		} else if r.Key != "-" {
			until = "never"
		}
		if r.Soon {
			until += " !"
		}
		stage := string(r.Stage)
		if r.Stage == cvd.Stage("") {
			stage = "-"
		}
		fmt.Fprintf(&b, "  %-12s %-12s %-10s %-12s %-10s %s\n", r.Party, r.Key, r.Trust, until, stage, r.Gets)
	}
	for _, r := range v.Rows {
		if r.Soon {
			fmt.Fprintf(&b, "\n  ! %s's key ends before the embargo does.", r.Party)
		}
		if r.Why != "" {
			fmt.Fprintf(&b, "\n  %s: %s", r.Party, r.Why)
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

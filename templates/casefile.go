package templates

import (
	"fmt"
	"strings"
	"time"
)

// labelled is the width of the labels on the left of a mail to the desk.
const labelled = 12

// labels writes texts "LABEL  text" behind their labels.
func labels(all []string) string {
	var out []string
	for _, s := range all {
		label, text, ok := strings.Cut(s, "  ")
		if !ok {
			label, text = "", s
		}
		out = append(out, hang(pad(label, labelled), oneline(text)))
	}
	return strings.Join(out, "\n")
}

// caseTail is the end of a case file's Subject: how far the case is.
func caseTail(v CaseFile) string {
	tail := ""
	switch {
	case !v.Closed.IsZero():
		tail = " - closed " + v.Closed.UTC().Format("Mon 2 Jan 2006")
		if v.Destroyed != "" {
			tail += " - DESTROYED SOON"
		}
		return tail
	case v.Start.IsZero():
	case v.Day < 1:
		tail = " - starts " + v.Start.UTC().Format("Mon 2 Jan")
	case !v.Now.Before(v.End):
		tail = " - ended " + v.End.UTC().Format("Mon 2 Jan")
	default:
		tail = fmt.Sprintf(" - day %d of %d", min(v.Day, v.Days), v.Days)
	}
	if v.Hold != "" {
		tail += " - ON HOLD"
	}
	if n := len(v.NeedsYou); n > 0 {
		tail += " - " + some(n, "thing needs", "things need") + " you"
	}
	return tail
}

// mostNeeds is how many things the list on top shows; the rest is in INBOX.
const mostNeeds = 12

// needs writes what needs a person, one after the other.
func needs(v CaseFile) string {
	if !v.Closed.IsZero() {
		closed := hang(pad("CLOSED", labelled), at(v.Closed, "")+"; nothing further of it goes out")
		if v.Destroyed != "" {
			closed = hang(pad("DESTROYED", labelled), v.Destroyed) + "\n" + closed
		}
		return closed
	}
	if len(v.NeedsYou) == 0 {
		return hang(pad("NEEDS YOU", labelled), "nothing now")
	}
	var out []string
	label := "NEEDS YOU"
	for _, s := range v.NeedsYou[:min(len(v.NeedsYou), mostNeeds)] {
		out, label = append(out, hang(pad(label, labelled), oneline(s))), ""
	}
	if more := len(v.NeedsYou) - mostNeeds; more > 0 {
		out = append(out, hang(pad("", labelled), fmt.Sprintf("and %d more: see INBOX", more)))
	}
	return strings.Join(out, "\n")
}

// embargo says until when, how long that still is, and since when.
func embargo(v CaseFile) string {
	label, below := pad("EMBARGO", labelled), "\n"+pad("", labelled)
	if v.Start.IsZero() {
		return label + "not started"
	}
	s := fmt.Sprintf("%sv%d until %s", label, v.Version, at(v.End, ""))
	const day = 24 * time.Hour
	left := int(v.End.UTC().Truncate(day).Sub(v.Now.UTC().Truncate(day)) / day)
	switch {
	case !v.Now.Before(v.End):
		s += "; it is over"
	case v.Day < 1:
		return s + below + "starts " + at(v.Start, "")
	case left == 0:
		s += "; ends today"
	default:
		s += "; " + some(left, "day", "days") + " left"
	}
	return s + below + "since " + at(v.Start, "")
}

// deskOf says who works on a case, and how it counts.
func deskOf(v CaseFile) string {
	who := v.Responsible
	if who == "" {
		who = "nobody"
	}
	s := who + " answers for it; severity "
	if v.Severity == "" {
		s += "not said"
	}
	s += v.Severity + "; policy " + v.Policy
	if len(v.Restricted) > 0 {
		s += "; seen only by " + strings.Join(v.Restricted, ", ")
	}
	return s
}

// agenda writes what comes next, each "when  what".
func agenda(next []string) string {
	at := 0
	for _, n := range next {
		when, _, _ := strings.Cut(n, "  ")
		at = max(at, columnsOf(when))
	}
	var out []string
	for i, n := range next {
		label := pad("", 12)
		if i == 0 {
			label = pad("NEXT", 12)
		}
		if when, what, ok := strings.Cut(n, "  "); ok {
			label, n = label+pad(when, at+2), what
		}
		out = append(out, hang(label, n))
	}
	return strings.Join(out, "\n")
}

// timeline draws the embargo as one line with its stages and today on it, and
// names them below; nothing before there is a start.
func timeline(v CaseFile) string {
	if v.Start.IsZero() || !v.End.After(v.Start) {
		return ""
	}
	const wide = 56
	column := func(m Mark) int {
		done := float64(m.At.Sub(v.Start)) / float64(v.End.Sub(v.Start))
		return min(max(int(done*wide), 0), wide-1)
	}
	bar := []byte(strings.Repeat("-", wide))
	for _, m := range v.Marks {
		bar[column(m)] = '|'
	}
	today := column(Mark{At: v.Now})
	bar[today] = 'o'
	first := fmt.Sprintf("%6s ", dayMonth(v.Start))
	out := first + string(bar) + " " + dayMonth(v.End)
	below := placed{}
	below.put(today, "^today", columns-len(first))
	for i := 0; i < len(v.Marks); {
		at, names := column(v.Marks[i]), v.Marks[i].Name
		for i++; i < len(v.Marks) && column(v.Marks[i])-at <= 3; i++ {
			names += ", " + v.Marks[i].Name
		}
		below.put(at, names, columns-len(first))
	}
	for _, line := range below {
		out += "\n" + strings.Repeat(" ", len(first)) + line
	}
	return out
}

// placed are lines of words below a line, each as near to its column as it can
// stand.
type placed []string

// put places a word in the first line that is still free from its column on;
// at the right edge it ends there.
func (p *placed) put(column int, word string, room int) {
	column = max(min(column, room-len(word)), 0)
	for i, line := range *p {
		if len(line) == 0 || len(line)+2 <= column {
			(*p)[i] = pad(line, column) + word
			return
		}
	}
	*p = append(*p, pad("", column)+word)
}

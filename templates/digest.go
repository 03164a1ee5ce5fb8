package templates

import (
	"strings"
	"time"
)

// digestParts writes headings with what stands under each.
func digestParts(all []DigestPart) string {
	var out []string
	for _, p := range all {
		out = append(out, hang("  ", oneline(p.Head)))
		for _, s := range p.Lines {
			out = append(out, hang("    ", oneline(s)))
		}
	}
	return strings.Join(out, "\n")
}

// digestDates writes what falls due, the instant in UTC and, where the reader
// is, in its zone.
func digestDates(all []DigestDate, zone string) string {
	var out []string
	for _, d := range all {
		out = append(out, "  "+at(d.At, zone), hang("    ", oneline(d.What)))
	}
	return strings.Join(out, "\n")
}

func listed(all []string) string {
	var out []string
	for _, s := range all {
		out = append(out, hang("  ", oneline(s)))
	}
	return strings.Join(out, "\n")
}

// localDay is the date of an instant where the reader is.
func localDay(t time.Time, zone string) string {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	return t.In(loc).Format("Mon 2 Jan 2006")
}

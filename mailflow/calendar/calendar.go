// Package calendar writes the calendar entry that goes with a notice (RFC 5545,
// RFC 5546).
package calendar

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-ical"
)

// Publish is the method of an entry that asks nobody to answer (RFC 5546
// section 3.2.1).
const Publish = "PUBLISH"

// maxLine is the length of a content line in octets, without its line break
// (RFC 5545 section 3.1).
const maxLine = 75

// Calendar writes an entry for one instant. uid names it for ever; of two with
// the same uid the one with the higher sequence replaces the other. stamp is
// when it was written. All times are in UTC, to the second. It takes no time
// in anybody's day and names neither a program nor an organiser. Text with
// control characters other than line breaks and tabs, or that is no UTF-8, is
// an error, and so is a method that is none.
func Calendar(uid, summary string, when time.Time, sequence int, method string, stamp time.Time) ([]byte, error) {
	if err := check(uid, summary, sequence, method); err != nil {
		return nil, err
	}
	event := ical.NewEvent()
	event.Props.SetText(ical.PropUID, uid)
	event.Props.SetText(ical.PropSummary, summary)
	event.Props.SetDateTime(ical.PropDateTimeStart, when.UTC())
	event.Props.SetDateTime(ical.PropDateTimeStamp, stamp.UTC())
	event.Props.SetText(ical.PropTransparency, "TRANSPARENT")
	event.Props.Set(&ical.Prop{Name: ical.PropSequence, Value: strconv.Itoa(sequence)})

	cal := ical.NewCalendar()
	cal.Props.SetText(ical.PropVersion, "2.0")
	cal.Props.SetText(ical.PropProductID, "-//Disclosure calendar//EN")
	cal.Props.SetText(ical.PropMethod, method)
	cal.Children = append(cal.Children, event.Component)
	var b bytes.Buffer
	if err := ical.NewEncoder(&b).Encode(cal); err != nil {
		return nil, fmt.Errorf("write calendar: %w", err)
	}
	return fold(b.Bytes()), nil
}

func check(uid, summary string, sequence int, method string) error {
	for _, s := range []string{uid, summary} {
		bad := strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' })
		if bad || !utf8.ValidString(s) {
			return fmt.Errorf("write calendar: text that cannot be written")
		}
	}
	if uid == "" || strings.ContainsAny(uid, "\n\t") {
		return fmt.Errorf("write calendar: uid %q", uid)
	}
	if sequence < 0 {
		return fmt.Errorf("write calendar: sequence %d", sequence)
	}
	if method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
		return fmt.Errorf("write calendar: method %q", method)
	}
	return nil
}

// fold breaks content lines longer than 75 octets, which the encoder does not,
// and never inside a character: old readers unfold after decoding.
func fold(lines []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.SplitSeq(bytes.TrimSuffix(lines, []byte("\r\n")), []byte("\r\n")) {
		room := maxLine
		for len(line) > room {
			n := room
			for !utf8.RuneStart(line[n]) {
				n--
			}
			out.Write(line[:n])
			out.WriteString("\r\n ")
			line, room = line[n:], maxLine-1
		}
		out.Write(line)
		out.WriteString("\r\n")
	}
	return out.Bytes()
}

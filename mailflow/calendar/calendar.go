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

// Cancel is the method of an entry that takes back an earlier one with the same
// UID (section 3.2.5), of which it is the whole: its status says so, too.
const Cancel = "CANCEL"

// maxLine is the length of a content line in octets, without its line break
// (RFC 5545 section 3.1).
const maxLine = 75

// Entry is one instant of a calendar.
type Entry struct {
	UID     string // names it for ever
	Summary string
	When    time.Time
}

// Calendar writes an entry for one instant. uid names it for ever; of two with
// the same uid the one with the higher sequence replaces the other. stamp is
// when it was written. All times are in UTC, to the second. It takes no time
// in anybody's day and names neither a program nor an organiser. Text with
// control characters other than line breaks and tabs, or that is no UTF-8, is
// an error, and so is a method that is none.
func Calendar(uid, summary string, when time.Time, sequence int, method string, stamp time.Time) ([]byte, error) {
	return All([]Entry{{uid, summary, when}}, sequence, method, stamp)
}

// All is Calendar for several instants, which share the sequence. There is at
// least one.
func All(entries []Entry, sequence int, method string, stamp time.Time) ([]byte, error) {
	if len(entries) == 0 {
		return nil, fmt.Errorf("write calendar: it has no entry")
	}
	cal := ical.NewCalendar()
	cal.Props.SetText(ical.PropVersion, "2.0")
	cal.Props.SetText(ical.PropProductID, "-//Disclosure calendar//EN")
	cal.Props.SetText(ical.PropMethod, method)
	for _, e := range entries {
		if err := check(e.UID, e.Summary, sequence, method); err != nil {
			return nil, err
		}
		cal.Children = append(cal.Children, e.event(sequence, method, stamp))
	}
	var b bytes.Buffer
	if err := ical.NewEncoder(&b).Encode(cal); err != nil {
		return nil, fmt.Errorf("write calendar: %w", err)
	}
	return fold(b.Bytes()), nil
}

func (e Entry) event(sequence int, method string, stamp time.Time) *ical.Component {
	event := ical.NewEvent()
	event.Props.SetText(ical.PropUID, e.UID)
	event.Props.SetText(ical.PropSummary, e.Summary)
	event.Props.SetDateTime(ical.PropDateTimeStart, e.When.UTC())
	event.Props.SetDateTime(ical.PropDateTimeStamp, stamp.UTC())
	event.Props.SetText(ical.PropTransparency, "TRANSPARENT")
	event.Props.Set(&ical.Prop{Name: ical.PropSequence, Value: strconv.Itoa(sequence)})
	if method == Cancel {
		event.Props.SetText(ical.PropStatus, string(ical.EventCancelled))
	}
	return event.Component
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

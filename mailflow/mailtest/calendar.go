package mailtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"time"
)

// ReadCalendar is what a library that is not ours understands of a calendar.
type ReadCalendar struct {
	Method string
	Events []ReadEvent
}

// ReadEvent is one entry of it.
type ReadEvent struct {
	UID, Summary string
	Sequence     int
	Start, Stamp time.Time // both were in UTC
	Status       string
	Properties   []string // their names, in order
}

// CalendarReaders are the modules of Python that read calendars, each with the package of Debian that it is in.
var CalendarReaders = map[string]string{"icalendar": "python3-icalendar", "vobject": "python3-vobject"}

// debianPython is the interpreter that has Debian's modules, whatever python3 is first in the path.
const debianPython = "/usr/bin/python3"

// HasCalendarReader says whether a module is on this machine.
func HasCalendarReader(module string) bool {
	return exec.Command(debianPython, "-c", "import "+module).Run() == nil
}

// CalendarBy reads a calendar with a module; script is testdata/ical/read.py.
func CalendarBy(module, script string, ics []byte) (c ReadCalendar, err error) {
	cmd := exec.Command(debianPython, script, module)
	var out, wrong bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(ics), &out, &wrong
	if err := cmd.Run(); err != nil {
		return c, fmt.Errorf("%s cannot read it: %w: %s", module, err, wrong.Bytes())
	}
	return c, json.Unmarshal(out.Bytes(), &c)
}

//go:build faults

package broken

import (
	"os"
	"strings"
	"time"
)

// promises names the one that is broken; shift is a file with a duration by which the clock is wrong.
const (
	promises = "PARLEY_FAULTS_BREAK"
	shift    = "PARLEY_FAULTS_SHIFT"
)

// Is says whether a promise is broken.
func Is(p Promise) bool { return os.Getenv(promises) == string(p) }

// Clock is what the wall clock shows, which somebody may put forward or back.
func Clock(at time.Time) time.Time {
	text, err := os.ReadFile(os.Getenv(shift))
	if err != nil {
		return at
	}
	d, err := time.ParseDuration(strings.TrimSpace(string(text)))
	if err != nil {
		panic("the file of the clock's shift holds no duration")
	}
	return at.Add(d)
}

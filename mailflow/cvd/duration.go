package cvd

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Day and Week are the units that ParseDuration adds to Go's. A day is 24
// hours: plans are kept in UTC, where every day is.
const (
	Day  = 24 * time.Hour
	Week = 7 * Day
)

var dayPattern = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?)([dw])`)

// ParseDuration reads a duration in Go's form plus d (24 h) and w (7 d):
// "90d", "1w", "1d12h", "30m". It refuses a negative one, and one that is too
// long to count in nanoseconds (292 years).
func ParseDuration(s string) (time.Duration, error) {
	t := strings.TrimSpace(s)
	hours := dayPattern.ReplaceAllStringFunc(t, func(m string) string {
		n, _ := strconv.ParseFloat(m[:len(m)-1], 64)
		if m[len(m)-1] == 'w' {
			n *= 7
		}
		return strconv.FormatFloat(n*24, 'f', -1, 64) + "h"
	})
	d, err := time.ParseDuration(hours)
	if err != nil || d < 0 || strings.HasPrefix(t, "+") {
		return 0, fmt.Errorf("%q is not a duration such as 90d, 2w, 36h or 30m", s)
	}
	return d, nil
}

// FormatDuration writes d as ParseDuration reads it, in the largest units
// that keep it exact: "90d", "1d12h", "30m".
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	if days := d / Day; days > 0 {
		fmt.Fprintf(&b, "%dd", days)
		d -= days * Day
	}
	if d == 0 {
		return b.String()
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return b.String() + s
}

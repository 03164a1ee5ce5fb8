package cvd

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Footprint is how many users, installations or devices a vendor's product
// has; or a share of all there are, in percent.
type Footprint struct {
	N     float64
	Share bool // in percent
}

var (
	footprintPattern = regexp.MustCompile(`^([0-9]+(?:[.,][0-9]+)?|[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?)([kKMGB]?)(%?)$`)
	thousands        = regexp.MustCompile(`^[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?$`)
)

// footprintUnits are what may follow a number. B is what English calls a
// billion.
var footprintUnits = map[string]float64{"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9}

// ParseFootprint reads "40M", "1.2k", "3,000", "40,5M" or "12%". A comma
// before each three digits parts thousands, any other one is a decimal comma.
func ParseFootprint(s string) (Footprint, error) {
	t := strings.TrimSpace(s)
	m := footprintPattern.FindStringSubmatch(t)
	if m == nil {
		return Footprint{}, fmt.Errorf("%q is not a footprint such as 40M, 250k, 3,000 or 12%%", s)
	}
	number := strings.ReplaceAll(m[1], ",", ".")
	if thousands.MatchString(m[1]) {
		number = strings.ReplaceAll(m[1], ",", "")
	}
	n, err := strconv.ParseFloat(number, 64)
	f := Footprint{N: n * footprintUnits[m[2]], Share: m[3] != ""}
	if err != nil || f.N >= 1e15 || f.Share && (f.N > 100 || m[2] != "") {
		return Footprint{}, fmt.Errorf("%q is more than there can be", s)
	}
	return f, nil
}

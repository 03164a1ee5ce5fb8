package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"parley/config"
	"parley/mailflow"
	"parley/mailflow/advisory"
	"parley/mailflow/cvd"
	"parley/templates"
)

// words reads the templates. What is wrong with one's own has its file and line
// behind those of the key that names them.
func (s *settings) words() (*templates.Set, error) {
	set, err := templates.Load(s.Templates)
	if err != nil {
		return nil, &config.Error{Position: s.templated, Key: "templates", Why: "cannot be used: " + err.Error()}
	}
	return set, nil
}

// text is a value that must not be empty.
func (r *reader) text(v string, path ...string) string {
	if v == "" {
		r.fail(path, "is empty")
	}
	return v
}

func (r *reader) oneOf(v string, words []string, path ...string) string {
	for _, w := range words {
		if v == w {
			return v
		}
	}
	r.fail(path, "is %q; it can be %s", v, alternatives(words))
	return v
}

// cveOrg reads our UUID in the CVE programme.
func (r *reader) cveOrg() string {
	id := strings.ToLower(r.c.Publication.CVEOrg)
	if id != "" && !advisory.IsOrg(id) {
		r.fail([]string{"publication", "cve_org"}, "is %q; it is the UUID of an organisation in the CVE programme, such as 0a1b2c3d-0000-4000-8000-00000000abcd, or empty", id)
	}
	return id
}

// digest reads when the daily digests come.
func (r *reader) digest() mailflow.DigestTime {
	d, err := mailflow.ParseDigestTime(r.c.Desk.Digest)
	if err != nil {
		r.fail([]string{"desk", "digest"}, "is wrong: %v", err)
	}
	return d
}

// zone reads the name of a time zone.
func (r *reader) zone(v string, path ...string) string {
	loc, err := cvd.ParseZone(v)
	if err != nil {
		r.fail(path, "is wrong: %v", err)
		return ""
	}
	return loc.String()
}

// duration reads a duration of at least least.
func (r *reader) duration(v string, least time.Duration, path ...string) time.Duration {
	d, err := cvd.ParseDuration(v)
	switch {
	case err != nil:
		r.fail(path, "is wrong: %v", err)
	case d < least:
		r.fail(path, "is %s; it cannot be less than %s", v, least)
	}
	return d
}

// retention reads how long things are kept. Less than a day is a slip of the pen
// that would destroy what came this morning.
func (r *reader) retention() mailflow.Retention {
	kept := func(v, key string) time.Duration {
		d := r.duration(v, 0, "retention", key)
		if d > 0 && d < cvd.Day {
			r.fail([]string{"retention", key}, "is %s; it can be 0s, for ever, or 1d and more", v)
		}
		return d
	}
	return mailflow.Retention{Closed: kept(r.c.Retention.Closed, "closed"), Junk: kept(r.c.Retention.Junk, "junk")}
}

func (r *reader) durations(vs []string, least time.Duration, path ...string) []time.Duration {
	out := make([]time.Duration, 0, len(vs))
	for i, v := range vs {
		out = append(out, r.duration(v, least, append(path[:len(path):len(path)], strconv.Itoa(i))...))
	}
	return out
}

// size reads a size between least and most bytes.
func (r *reader) size(v string, least, most int64, path ...string) int64 {
	n, err := parseSize(v)
	switch {
	case err != nil:
		r.fail(path, "is wrong: %v", err)
	case n < least || n > most:
		r.fail(path, "is %s; it can be %s to %s", v, formatSize(least), formatSize(most))
	}
	return n
}

func (r *reader) number(v, least, most int, path ...string) int {
	if v < least || v > most {
		r.fail(path, "is %d; it can be %d to %d", v, least, most)
	}
	return v
}

func alternatives(words []string) string {
	var s string
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			s += " or "
		case i > 0:
			s += ", "
		}
		s += strconv.Quote(w)
	}
	return s
}

// units of sizes, largest first. Decimal ones are left out on purpose: a
// limit that is 5 % off surprises somebody.
var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

var sizePattern = regexp.MustCompile(`^([0-9]{1,12}) ?(GiB|MiB|KiB|B)$`)

// parseSize reads a size in bytes: "50MiB", "256KiB", "1000B".
func parseSize(s string) (int64, error) {
	m := sizePattern.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("%q is not a size such as 50MiB, 256KiB or 1000B", s)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	for _, u := range units {
		if u.name == m[2] {
			if n > (1<<62)/u.bytes {
				return 0, fmt.Errorf("%q is too large", s)
			}
			n *= u.bytes
		}
	}
	return n, err
}

func formatSize(n int64) string {
	for _, u := range units {
		if n%u.bytes == 0 {
			return fmt.Sprintf("%d%s", n/u.bytes, u.name)
		}
	}
	return ""
}

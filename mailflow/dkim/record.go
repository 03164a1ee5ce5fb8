package dkim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Why a published record does not fit, in words for the operator.
var (
	ErrNoRecord = errors.New("it is not there")
	ErrSeveral  = errors.New("there are several TXT records, of which receivers take none for sure")
	ErrRevoked  = errors.New("it says that the key is revoked")
	ErrOtherKey = errors.New("it holds another key, or not all of it")
	ErrTesting  = errors.New("it says t=y, so that receivers take no notice of the signature")
)

// Fits compares what DNS gave under a name with the record that belongs there: nil if receivers will find the key. Spaces and
// the order of tags do not matter.
func Fits(record string, published []string) error {
	switch len(published) {
	case 0:
		return ErrNoRecord
	case 1:
	default:
		return ErrSeveral
	}
	want, _ := tags(record)
	got, err := tags(published[0])
	if err != nil {
		return err
	}
	if got["k"] == "" {
		got["k"] = "rsa"
	}
	flags := strings.Split(got["t"], ":")
	p, there := got["p"]
	switch {
	case got["v"] != "" && got["v"] != "DKIM1":
		return fmt.Errorf("it is of version %q", got["v"])
	case there && p == "":
		return ErrRevoked
	case p != want["p"] || got["k"] != want["k"]:
		return ErrOtherKey
	case !allows(got["h"], "sha256"):
		return errors.New("it does not allow SHA-256")
	case !allows(got["s"], "email"):
		return errors.New("it is not for mail")
	case slices.Contains(flags, "y"):
		return ErrTesting
	}
	return nil
}

// allows reads a list of a record; one that is not there allows everything.
func allows(list, what string) bool {
	all := strings.Split(list, ":")
	return list == "" || slices.Contains(all, what) || slices.Contains(all, "*")
}

// tags reads a tag list (RFC 6376 section 3.2), without the spaces in it.
func tags(s string) (map[string]string, error) {
	out := map[string]string{}
	for field := range strings.SplitSeq(strings.Join(strings.Fields(s), ""), ";") {
		if field == "" {
			continue
		}
		name, value, ok := strings.Cut(field, "=")
		if _, twice := out[name]; !ok || twice {
			return nil, errors.New("it is no list of tags")
		}
		out[name] = value
	}
	return out, nil
}

// maxString is how many octets one string of a TXT record holds (RFC 1035 section 3.3.14).
const maxString = 255

// Zone writes a record as the strings that stand in a zone file. Receivers join them with nothing in between (RFC 6376 section
// 3.6.2.2).
func Zone(record string) string {
	var out []string
	for len(record) > maxString {
		out, record = append(out, `"`+record[:maxString]+`"`), record[maxString:]
	}
	return strings.Join(append(out, `"`+record+`"`), " ")
}

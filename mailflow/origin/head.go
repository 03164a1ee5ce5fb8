package origin

import (
	"bytes"
	"net/mail"
	"strings"
)

// What of a header is looked at.
const (
	maxSignatures = 4       // that are verified; more is nobody's habit
	maxField      = 8 << 10 // octets of one signature
	maxSigned     = 100     // fields that one signature names; each costs a walk through the header
	maxFields     = 1000    // of a header whose signatures are verified
)

// fields cuts a header into fields as they stand, with their line ends.
func fields(head []byte) (out [][]byte) {
	for len(head) > 0 && len(out) <= maxFields {
		end := 0
		for {
			i := bytes.IndexByte(head[end:], '\n')
			if i < 0 {
				return out // cut off: it is not the whole field
			}
			if end += i + 1; end == len(head) || head[end] != ' ' && head[end] != '\t' {
				break
			}
		}
		if len(bytes.TrimRight(head[:end], "\r\n")) == 0 {
			return out
		}
		out = append(out, head[:end])
		head = head[end:]
	}
	return out
}

// nameOf is the name of a field in lower case.
func nameOf(field []byte) string {
	name, _, _ := bytes.Cut(field, []byte(":"))
	if len(name) > 64 {
		return ""
	}
	return strings.ToLower(string(bytes.TrimSpace(name)))
}

// signatures are the DKIM signatures that are verified: the first ones, that are not out of all proportion.
func signatures(all [][]byte) (out [][]byte, more bool) {
	for _, f := range all {
		if nameOf(f) != "dkim-signature" {
			continue
		}
		if len(out) == maxSignatures {
			return out, true
		}
		if len(f) <= maxField && strings.Count(tag(f, "h"), ":") < maxSigned {
			out = append(out, f)
		} else {
			more = true
		}
	}
	return out, more
}

// tag reads a tag of a signature, without the spaces in it.
func tag(field []byte, name string) string {
	_, value, _ := bytes.Cut(field, []byte(":"))
	for t := range bytes.SplitSeq(value, []byte(";")) {
		n, v, ok := bytes.Cut(t, []byte("="))
		if ok && string(bytes.TrimSpace(n)) == name {
			return strings.Join(strings.Fields(string(v)), "")
		}
	}
	return ""
}

// keyNames are where the records of a mail's signatures lie.
func keyNames(head []byte) (out []string) {
	all, _ := signatures(fields(head))
	for _, f := range all {
		if n := keyName(tag(f, "s"), tag(f, "d")); n != "" {
			out = append(out, n)
		}
	}
	return out
}

func keyName(selector, domain string) string {
	name := strings.ToLower(selector + "._domainkey." + domain)
	if selector == "" || !isName(domain) || !isName(name) {
		return ""
	}
	return name
}

// authorDomain is the domain of the one address in the one From, or "" (RFC 7489 section 6.6.1).
func authorDomain(head []byte) string {
	domain := ""
	for _, f := range fields(head) {
		if nameOf(f) != "from" {
			continue
		}
		_, value, _ := bytes.Cut(f, []byte(":"))
		list, err := mail.ParseAddressList(string(bytes.Join(bytes.Fields(value), []byte(" "))))
		if domain != "" || len(f) > maxField || err != nil || len(list) != 1 {
			return ""
		}
		if domain = strings.ToLower(domainOf(list[0].Address)); !isName(domain) {
			return ""
		}
	}
	return domain
}

package message

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Address is a mailbox (RFC 5322 section 3.4). Name is decoded and fit to be
// shown; it proves nothing about anybody. Local is without quotes: the local
// part of "a b"@x.example is `a b`. Domain keeps its case.
type Address struct{ Name, Local, Domain string }

// Addr is "local@domain" as it stands between angle brackets, the local part
// quoted where it must be.
func (a Address) Addr() string { return quoteLocal(a.Local) + "@" + a.Domain }

// Addresses reads all fields of that name as one list of addresses, the members
// of groups included. A field that cannot be read is an error and no address
// is returned, because a guess could take one person for another. No field:
// no address, no error.
func (h Header) Addresses(name string) ([]Address, error) {
	var all []Address
	for _, v := range h.Values(name) {
		list, err := ParseAddressList(v)
		if err != nil {
			return nil, fmt.Errorf("read field %q: %w", name, err)
		}
		all = append(all, list...)
	}
	return all, nil
}

// ParseAddressList reads an address list as RFC 5322 section 3.4 has it, with
// dots in names and empty elements (4.4) and UTF-8 (RFC 6532). Whatever two
// programs might read differently is an error.
func ParseAddressList(s string) ([]Address, error) {
	if err := checkAddressBytes(s); err != nil {
		return nil, err
	}
	toks, err := tokenize(s)
	if err != nil {
		return nil, err
	}
	p := addressParser{toks: toks}
	return p.list()
}

// ParseMailboxList is ParseAddressList without groups: what a From field holds
// (RFC 5322 section 3.6.2). RFC 6854 allows groups there, which are nobody.
func ParseMailboxList(s string) ([]Address, error) {
	list, err := ParseAddressList(s)
	if err != nil {
		return nil, err
	}
	toks, err := tokenize(s)
	for _, t := range toks {
		if t.kind == ':' {
			return nil, errAddress
		}
	}
	return list, err
}

var errAddress = errors.New("parse address list: not a list of addresses")

func checkAddressBytes(s string) error {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("parse address list: control character at %d", i)
		}
	}
	return nil
}

// quoteLocal writes a local part as dot-atom if it can be one.
func quoteLocal(s string) string {
	if isDotAtom(s) {
		return s
	}
	return quote(s)
}

// quote writes a quoted string (RFC 5322 section 3.2.4).
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func isDotAtom(s string) bool {
	for atom := range strings.SplitSeq(s, ".") {
		if !isAtom(atom) {
			return false
		}
	}
	return true
}

func isAtom(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isAtext(s[i]) {
			return false
		}
	}
	return s != "" && utf8.ValidString(s)
}

func isAtext(c byte) bool {
	return c >= utf8.RuneSelf || c > ' ' && c < 0x7f && !strings.ContainsRune(`()<>[]:;@\,."`, rune(c))
}

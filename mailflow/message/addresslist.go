package message

import "strings"

// token is an atom, a quoted string, a domain literal or one special
// character. Comments are no tokens.
type token struct {
	kind  byte   // 'a' atom, 'q' quoted string, 'd' domain literal, or the special itself
	text  string // what it means: a quoted string without quotes
	space bool   // white space or a comment stands before it
}

func tokenize(s string) ([]token, error) {
	var toks []token
	space := false
	for s != "" {
		t, n, err := readToken(s)
		if err != nil {
			return nil, err
		}
		s = s[n:]
		if t.kind == ' ' {
			space = true
			continue
		}
		t.space, space = space, false
		toks = append(toks, t)
	}
	return toks, nil
}

// readToken reads the token that s begins with and returns its length. White
// space and comments have the kind ' '.
func readToken(s string) (t token, n int, err error) {
	ok := true
	switch c := s[0]; {
	case c == ' ' || c == '\t':
		return token{kind: ' '}, 1, nil
	case c == '(':
		t.kind = ' '
		n, ok = commentEnd(s)
	case c == '"':
		t.kind = 'q'
		t.text, n, ok = unquote(s)
	case c == '[':
		t.kind, n = 'd', strings.IndexByte(s, ']')+1
		t.text = s[:n]
		ok = n > 2 && !strings.ContainsAny(s[1:n], "[\\ \t")
	case isAtext(c):
		t.kind, n = 'a', atomLen(s)
		t.text = s[:n]
	default:
		t.kind, n = c, 1
		ok = strings.IndexByte("<>:;@,.", c) >= 0
	}
	if !ok {
		err = errAddress
	}
	return t, n, err
}

// atomLen is the length of the atom that s begins with. An encoded word with a
// comma or a dot in it, against RFC 2047 section 5, is one atom all the same:
// no reader finds another address in it.
func atomLen(s string) int {
	if strings.HasPrefix(s, "=?") {
		if w, ok := readWord(s); ok && !strings.ContainsAny(s[:w.length], "@<>:;\"()[]\\ \t") {
			return w.length
		}
	}
	n := 1
	for n < len(s) && isAtext(s[n]) {
		n++
	}
	return n
}

// addressParser reads a list from its tokens.
type addressParser struct {
	toks  []token
	found []Address
}

func (p *addressParser) peek(kind byte) bool { return len(p.toks) > 0 && p.toks[0].kind == kind }

func (p *addressParser) take(kind byte) bool {
	if !p.peek(kind) {
		return false
	}
	p.toks = p.toks[1:]
	return true
}

// list reads addresses and groups, between commas.
func (p *addressParser) list() ([]Address, error) {
	group := false
	for len(p.toks) > 0 {
		switch {
		case p.take(','):
			continue
		case group && p.take(';'):
			group = false
		default:
			opened, err := p.element(group)
			if err != nil {
				return nil, err
			}
			if opened {
				group = true
				continue
			}
		}
		if len(p.toks) > 0 && !p.peek(',') && !(group && p.peek(';')) {
			return nil, errAddress
		}
	}
	if group {
		return nil, errAddress
	}
	return p.found, nil
}

// element reads a mailbox, or the name that opens a group.
func (p *addressParser) element(inGroup bool) (openedGroup bool, err error) {
	phrase := p.phrase()
	switch {
	case p.take('<'):
		a, err := p.angle()
		if err != nil {
			return false, err
		}
		if a.Name, err = displayName(phrase, a); err != nil {
			return false, err
		}
		p.found = append(p.found, a)
		return false, nil
	case !inGroup && len(phrase) > 0 && p.take(':'):
		_, err := displayName(phrase, Address{})
		return true, err
	}
	a, err := addrSpec(phrase)
	p.found = append(p.found, a)
	return false, err
}

// phrase takes every token up to the next that can be part neither of a name
// nor of an address without brackets.
func (p *addressParser) phrase() []token {
	n := 0
	for n < len(p.toks) && strings.IndexByte("<>:;,", p.toks[n].kind) < 0 {
		n++
	}
	taken := p.toks[:n]
	p.toks = p.toks[n:]
	return taken
}

// angle reads what follows "<". A route before the address (RFC 5322 section
// 4.4) is refused: nobody sends one, except to be read in two ways.
func (p *addressParser) angle() (Address, error) {
	a, err := addrSpec(p.phrase())
	if err == nil && !p.take('>') {
		err = errAddress
	}
	return a, err
}

// displayName makes a name of a phrase (RFC 5322 section 3.2.5; dots are the
// obsolete form). A phrase that looks like an address is a name only if it is
// the very address that follows: otherwise two readers would see two senders.
func displayName(phrase []token, a Address) (string, error) {
	var b strings.Builder
	for i, t := range phrase {
		switch t.kind {
		case 'd':
			return "", errAddress
		case '@':
			spec, err := addrSpec(phrase)
			if err != nil || !strings.EqualFold(spec.Addr(), a.Addr()) {
				return "", errAddress
			}
			return readable(spec.Addr()), nil
		}
		if i > 0 && t.space {
			b.WriteByte(' ')
		}
		if t.kind == '.' {
			t.text = "."
		}
		b.WriteString(t.text)
	}
	return readable(b.String()), nil
}

// addrSpec reads local-part@domain and nothing else (RFC 5322 section 3.4.1).
// Space or comments inside, the obsolete form, are refused: readers differ
// about where such an address ends.
func addrSpec(toks []token) (Address, error) {
	at := -1
	for i, t := range toks {
		if i > 0 && t.space {
			return Address{}, errAddress
		}
		if t.kind == '@' && at < 0 {
			at = i
		}
	}
	if at < 0 {
		return Address{}, errAddress
	}
	local, ok1 := dotted(toks[:at], true)
	domain, ok2 := dotted(toks[at+1:], false)
	if len(toks) == at+2 && toks[at+1].kind == 'd' {
		domain, ok2 = toks[at+1].text, true
	}
	if !ok1 || !ok2 || !onlyItself(local) || !onlyItself(domain) {
		return Address{}, errAddress
	}
	return Address{Local: local, Domain: domain}, nil
}

// onlyItself refuses what some reader would show or read as something else:
// characters that cannot be seen, and the beginning of an encoded word, which
// must not stand in an address (RFC 2047 section 5).
func onlyItself(s string) bool { return checkPlain(s) == nil && !strings.Contains(s, "=?") }

// dotted joins words that have a dot between each two.
func dotted(toks []token, quoted bool) (string, bool) {
	var b strings.Builder
	for i, t := range toks {
		if i%2 == 1 {
			if t.kind != '.' {
				return "", false
			}
			b.WriteByte('.')
			continue
		}
		if t.kind != 'a' && !(quoted && t.kind == 'q') {
			return "", false
		}
		b.WriteString(t.text)
	}
	return b.String(), len(toks)%2 == 1
}

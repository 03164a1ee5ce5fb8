package message

import (
	"strings"
	"testing"
)

func TestParseAddressList(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"ana@x.example", "ana@x.example"},
		{"<ana@x.example>", "ana@x.example"},
		{"Ana <ana@x.example>", "Ana|ana@x.example"},
		{`"Ana, B." <ana@x.example>`, "Ana, B.|ana@x.example"},
		{`"Ana \"the\\cat\" B" <ana@x.example>`, `Ana "the\cat" B|ana@x.example`},
		{"Ana B. C <ana@x.example>", "Ana B. C|ana@x.example"},
		{"=?utf-8?Q?J=C3=BCrgen_=28x=29?= <j@x.example>", "Jürgen (x)|j@x.example"},
		{"=?iso-8859-1?B?SvxyZ2Vu?= =?iso-8859-1?Q?_M=FCller?= <j@x.example>", "Jürgen Müller|j@x.example"},
		{"=?utf-8?Q?M=C3=BCller,_Jan?= <j@x.example>", "Müller, Jan|j@x.example"},
		{`"=?utf-8?Q?quoted?=" <j@x.example>`, "quoted|j@x.example"},
		{"J\xfcrgen <j@x.example>", "Jürgen|j@x.example"},
		{"a@x, b@y , , c@z", "a@x, b@y, c@z"},
		{"ana@x.example (Ana)", "ana@x.example"},
		{"(a (nested) comment, with comma) ana@x.example (another)", "ana@x.example"},
		{`Ana <ana@x.example> (a \) b@y.example)`, "Ana|ana@x.example"},
		{"undisclosed-recipients:;", ""},
		{"Team: a@x, Ben <b@y>;", "a@x, Ben|b@y"},
		{"Team: a@x;, c@z", "a@x, c@z"},
		{"", ""},
		{`"a b"@x.example`, `"a b"@x.example`},
		{`"plain"@x.example`, "plain@x.example"},
		{"ana@[192.0.2.1]", "ana@[192.0.2.1]"},
		{"ana@x.example <ana@x.example>", "ana@x.example|ana@x.example"},
		{"Ana@X.example <ana@x.example>", "Ana@X.example|ana@x.example"},
		{"jürgen@bücher.example", "jürgen@bücher.example"},
		{"a+b.c_d~e@x-y.example", "a+b.c_d~e@x-y.example"},
		{"Evil\u202e <a@x>", "Evil|a@x"},
		{"=?utf-8?Q?Ana=0D=0AParley-Signature=3A_good?= <a@x>", "Ana  Parley-Signature: good|a@x"},
	}
	for _, tt := range tests {
		list, err := ParseAddressList(tt.in)
		var got []string
		for _, a := range list {
			if s := a.Addr(); a.Name != "" {
				got = append(got, a.Name+"|"+s)
			} else {
				got = append(got, s)
			}
		}
		if s := strings.Join(got, ", "); err != nil || s != tt.want {
			t.Errorf("%q: %q, %v; want %q", tt.in, s, err, tt.want)
		}
	}
}

// Where two readers could see two senders there is no sender.
func TestS2_AmbiguousFromIsAnError(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"a", "a@", "@x", "a@x b@y", "a@x, b", "Ana", "Ana <>", "<>", "Ana <a@x", "Ana a@x>", "Ana <a@x> b",
		"victim@x.example <evil@y.example>", "victim@x.example evil@y.example", "<victim@x.example><evil@y.example>",
		"victim@x.example, <evil@y.example", "a@b@c", "<a@b@c>", "Ana <<a@x>>", "a..b@x", ".a@x", "a.@x", "a@x..y", "a@.x", "a@x.",
		"a @x.example", "a@ x.example", "a@x.example .evil.example", "a@x(c).example", "a(c)@x", "<@route.example:a@x>", "<@a,@b:c@x>",
		`"a@x`, `"a\"@x`, "Ana (never closed <a@x>", "(never closed\\) a@x", "Team: a@x", "Team: Other: a@x;;", ": a@x;", "a@x;",
		"[not] <a@x>", "a@[1.2.3.4", "a@[[1]]", "a@x\x00", "a@x\r\nBcc: b@y", "\x01a@x", `"a\` + "\t" + `"@x`,
		"a@x\u202e.example", "a\u200b@x", "a@x\xff", "\xff@x", "Doe, John <j@x>", "a@x\u2028",
		`=?utf-8?Q?evil@y.example,?= <victim@x>`, "=?utf-8?Q?a@b?= <victim@x>", "a@=?utf-8?Q?x?=", "=?utf-8?Q?a?=@x",
		"a\\@b@x", "a@x:25", "mailto:a@x",
	} {
		if list, err := ParseAddressList(in); err == nil && len(list) > 0 {
			t.Errorf("%q was read as %+v", in, list)
		} else if err == nil {
			t.Errorf("%q was read as nothing", in)
		}
	}
}

func TestS2_AllFromFieldsCount(t *testing.T) {
	t.Parallel()
	h := parse(t, crlf("From: ana@x.example\nSubject: x\nfrom : evil@y.example\n\n")).Header
	list, err := h.Addresses("From")
	if err != nil || len(list) != 2 || len(h.Values("FROM")) != 2 {
		t.Errorf("addresses %v, %v; values %q", list, err, h.Values("FROM"))
	}
	h = parse(t, crlf("From: ana@x.example\nFrom: broken\n\n")).Header
	if list, err := h.Addresses("From"); err == nil || list != nil {
		t.Errorf("a second, broken From gave %v, %v", list, err)
	}
	h = parse(t, crlf("From: ana@x.example,\n\tben@y.example\n\n")).Header
	if list, err := h.Addresses("From"); err != nil || len(list) != 2 {
		t.Errorf("a folded From gave %v, %v", list, err)
	}
	if list, err := h.Addresses("Cc"); err != nil || list != nil {
		t.Errorf("no field gave %v, %v", list, err)
	}
}

func TestAddressesAreLinear(t *testing.T) {
	t.Parallel()
	const n = 1 << 17
	for _, unit := range []string{"(", "((", `"`, "[", "<", "=?", "=?a?q?", "a,", "a@x,", "a.", ":", "()", `\`, "=?a?q?x?= "} {
		s := strings.Repeat(unit, n)
		_, _ = ParseAddressList(s)
		if got := readable(s); len(got) > 4*len(s) {
			t.Errorf("%q repeated grew to %d octets", unit, len(got))
		}
		parseContentField("text/plain; a=" + s)
		parseContentField("text/plain; " + s)
		Title(s)
		messageIDs(s)
		parseDate(s)
	}
	Title(strings.Repeat("Re: ", n))
}

func TestAddressString(t *testing.T) {
	t.Parallel()
	for _, a := range []Address{
		{"", "ana", "x.example"}, {"Ana", "ana", "x.example"}, {"Ana B.", "ana", "x.example"}, {`A "q" \ b`, "a b", "x.example"},
		{"Acme (vendor, PAR-2026-0007)", "acme.par-2026-0007", "desk.vdp.example"}, {"Jürgen Müller", "j", "x.example"},
		{"=?utf-8?Q?not_decoded?= <x@y>", "j", "x.example"}, {strings.Repeat("漢字", 60), "j", "x.example"},
	} {
		line, err := FormatFields([]Field{{"From", a.String()}})
		if err != nil {
			t.Errorf("%+v: %v", a, err)
			continue
		}
		list, err := parse(t, append(line, "\r\n"...)).Header.Addresses("From")
		want := a
		want.Name = once(want.Name)
		if err != nil || len(list) != 1 || list[0] != want {
			t.Errorf("%+v came back as %+v, %v from %q", a, list, err, line)
		}
	}
}

// A From field holds mailboxes (RFC 5322 section 3.6.2); a group is nobody.
func TestParseMailboxList(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int{
		"a@x.example":                   1,
		"A <a@x.example>, b@y.example":  2,
		`"us: them;" <a@x.example>`:     1,
		"a@x.example (us: them;)":       1,
		"a@[IPv6:2001:db8::1]":          1,
		"us: a@x.example;":              -1,
		"us: a@x.example;, b@y.example": -1,
		"us:;":                          -1,
		"<@y.example:a@x.example>":      -1,
		"":                              0,
	} {
		list, err := ParseMailboxList(s)
		if got := len(list); err == nil && got != want || err != nil && want >= 0 {
			t.Errorf("%q: %v, %v", s, list, err)
		}
	}
}

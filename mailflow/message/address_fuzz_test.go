package message

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzAddresses reads address lists as anybody may write them. Whatever is read
// can be written again and is then the same; no name is longer than what stood
// there, or holds what a header must not; and From knows no groups.
func FuzzAddresses(f *testing.F) {
	for _, s := range []string{
		"", "ana@x.example", `"Ana, B." <ana@x.example>`, "=?utf-8?Q?J=C3=BCrgen_=28x=29?= <j@x.example>", "J\xfcrgen <j@x.example>", "a@x, b@y , , c@z",
		"(a (nested) comment) ana@x.example (another)", "undisclosed-recipients:;", "Team: a@x, Ben <b@y>;", `"a b"@x.example`, "ana@[192.0.2.1]", "ana@[IPv6:::1]",
		"ana@x.example <ana@x.example>", "a@x <b@y>", "<@r:a@x>", "a@x b@y", "Evil\u202e <a@x>", "=?utf-8?Q?=0D=0ABcc:_x?= <a@x>", "jürgen@bücher.example", `"\"\\"@x`, `""@x`,
		"=?utf-8?B?YQ==?= =?utf-8?B?Yg==?= <a@x>", "a..b@x", "a@x.", "((((", `"`, "[", "a:b:c;", strings.Repeat("a@x,", 100), strings.Repeat("(", 100) + strings.Repeat(")", 100),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		begun := time.Now()
		list, err := ParseAddressList(s)
		if err != nil && list != nil {
			t.Fatalf("%q: %v beside %v", s, list, err)
		}
		for _, a := range list {
			checkAddress(t, s, a)
		}
		boxes, err2 := ParseMailboxList(s)
		if err2 == nil && (err != nil || !slices.Equal(boxes, list)) {
			t.Errorf("%q: mailboxes %v, addresses %v, %v", s, boxes, list, err)
		}
		inTime(t, begun, len(s))
	})
}

func checkAddress(t *testing.T, s string, a Address) {
	t.Helper()
	if a.Local == "" && !strings.Contains(s, `""`) || a.Domain == "" {
		t.Errorf("%q holds nobody: %+v", s, a)
	}
	if CheckHeaderValue(a.Name) != nil || checkPlain(a.Addr()) != nil && checkPlain(s) == nil {
		t.Errorf("%q: %+v cannot stand in a header", s, a)
	}
	if strings.ContainsAny(a.Addr(), "\r\n\x00") {
		t.Errorf("%q: the address %q breaks a line", s, a.Addr())
	}
	again, err := ParseAddressList("<" + a.Addr() + ">")
	if err != nil || len(again) != 1 || again[0].Local != a.Local || again[0].Domain != a.Domain {
		t.Errorf("%q: %+v is read back as %+v, %v", s, a, again, err)
	}
}

// inTime fails what takes longer than work linear to its input can: a second for each
// megabyte, and twenty on a machine that does other things.
func inTime(t *testing.T, begun time.Time, size int) {
	t.Helper()
	if took := time.Since(begun); took > 20*time.Second+time.Duration(size)*time.Microsecond {
		t.Errorf("%d bytes took %v", size, took)
	}
}

// FuzzThreadIDs reads Message-ID, In-Reply-To and References. What comes out can
// stand between angle brackets on one line, is read back as it is, and is never
// more than what came in.
func FuzzThreadIDs(f *testing.F) {
	for _, s := range []string{
		"", "<a@b>", "<a@b> <c@d>", "a@b", "<a@\r\n b>", "<<a@b>", "<a@b", "a@b>", "<>", "< >", "<a\x00@b>", "<a\u202e@b>", "<\xff@b>", "<a b@c> x <d@e>",
		"<" + strings.Repeat("x", 2000) + "@y>", strings.Repeat("<a@b>", 100), strings.Repeat("<", 100) + ">", "\"<a@b>\"", "(<a@b>)",
		"<a@b>\r\n\t<c@d>\r\nMessage-ID: <e@f>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		begun := time.Now()
		h := Header{[]byte("Message-ID: " + s + "\r\nIn-Reply-To: " + s + "\r\nReferences: " + s + "\r\n")}
		all := append(h.References(), h.InReplyTo()...)
		size := 0
		for _, id := range all {
			size += len(id)
			if id == "" || strings.ContainsAny(id, "<>\r\n\t\x00 ") || checkPlain(id) != nil {
				t.Errorf("%q gives %q", s, id)
			}
			if again := messageIDs("<" + id + ">"); len(again) != 1 || again[0] != id {
				t.Errorf("%q is read back as %q", id, again)
			}
		}
		if size > 6*len(s)+60 { // a field may hold others, each of which is looked for
			t.Errorf("%d bytes of identifiers in %q", size, s)
		}
		if id := h.MessageID(); id != "" && (strings.ContainsAny(id, "<>\r\n\t ") || checkPlain(id) != nil) {
			t.Errorf("%q is the identifier %q", s, id)
		}
		inTime(t, begun, len(s))
	})
}

package message

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHeader(t *testing.T) {
	t.Parallel()
	h := parse(t, crlf("subject:  one\n\ttwo  \n   three \nX-Empty:\nReceived: a\nReceived: b\nBroken line\nObsolete : yes\nX: a:b\n\n")).Header
	want := []Field{{"subject", "one\ttwo     three"}, {"X-Empty", ""}, {"Received", "a"}, {"Received", "b"}, {"Obsolete", "yes"}, {"X", "a:b"}}
	if got := h.Fields(); !slices.Equal(got, want) {
		t.Errorf("fields %q", got)
	}
	if h.Get("SUBJECT") != want[0].Value || !h.Has("x-empty") || h.Has("nothing") || h.Get("nothing") != "" {
		t.Error("Get or Has is wrong")
	}
	if v := h.Values("received"); !slices.Equal(v, []string{"a", "b"}) {
		t.Errorf("values %q", v)
	}
	if (Header{}).Fields() != nil || (Header{}).Text("Subject") != "" {
		t.Error("an empty header has nothing")
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"plain", "Heap overflow", "Heap overflow"},
		{"Q", "=?utf-8?Q?Sicherheitsl=C3=BCcke_in_x?=", "Sicherheitslücke in x"},
		{"lower case and language", "=?UTF-8*de?b?w7xiZXI=?=", "über"},
		{"no padding", "=?UTF-8?B?w7xiZXI?=", "über"},
		{"between words", "=?utf-8?q?a?=\r\n =?utf-8?q?b?= c =?utf-8?q?d?=", "ab c d"},
		{"character cut in two", "=?utf-8?B?5pel5pys6A==?= =?utf-8?B?qp4=?=", "日本語"},
		{"two charsets", "=?iso-8859-1?Q?=FC?= =?utf-8?Q?=C3=BC?=", "üü"},
		{"Japanese", "=?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?=", "日本語"},
		{"Russian", "=?koi8-r?B?8NLJ18XU?=", "Привет"},
		{"Chinese", "=?GB2312?B?xOO6ww==?=", "你好"},
		{"smart quotes as Latin-1", "=?iso-8859-1?Q?=93x=94?=", "“x”"},
		{"unknown charset", "=?x-strange?Q?caf=E9?=", "café"},
		{"raw UTF-8", "Überlauf", "Überlauf"},
		{"raw Latin-1", "\xdcberlauf", "Überlauf"},
		{"not a word", "=?utf-8?X?abc?= =?utf-8?Q?never", "=?utf-8?X?abc?= =?utf-8?Q?never"},
		{"bad base64", "=?utf-8?B?!!!?=", "=?utf-8?B?!!!?="},
		{"line break inside", "=?utf-8?Q?a=0D=0AX-Forged:_b?=", "a  X-Forged: b"},
		{"bidi inside", "=?utf-8?Q?a=E2=80=AEb?=", "ab"},
		{"NUL", "a\x00b", "a b"},
		{"encoded twice", "=?utf-8?Q?=3D=3Futf-8=3FQ=3Fa=3D0Ab=3F=3D?=", "= ?utf-8?Q?a=0Ab?="},
	}
	for _, tt := range tests {
		h := Header{[]byte("Subject: " + tt.in + "\r\n")}
		if got := h.Text("Subject"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if err := CheckHeaderValue(h.Text("Subject")); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestV4_CheckHeaderValue(t *testing.T) {
	t.Parallel()
	for _, ok := range []string{"", "plain", "Jürgen 日本語 😀", "a=?b?=c", "TLP:AMBER+STRICT [PAR-2026-0007] 2/6", "=?utf-8?Q?fine?="} {
		if err := CheckHeaderValue(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{"a\r\nBcc: x", "a\rb", "a\nb", "a\x00b", "a\tb", "a\x1bb", "a\x7fb", "a\u0085b", "a\u009bb", "a\u202eb", "a\u2066b",
		"a\u200fb", "a\u200bb", "a\ufeffb", "a\u00adb", "a\u2028b", "a\u2029b", "a\U000e0041b", "a\xffb", "\xc3",
		"=?utf-8?Q?a=0D=0Ab?=", "=?utf-8?B?4oCu?=", "x =?utf-8?Q?=00?= y"} {
		if CheckHeaderValue(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
		if CheckHeaderValue(clean(bad)) != nil && !strings.Contains(bad, "=?") {
			t.Errorf("%q cleaned is %q", bad, clean(bad))
		}
	}
}

func TestTitle(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"Heap overflow in libfoo", "Heap overflow in libfoo"},
		{"Re: AW: Fwd: re[2]: WG:  Heap", "Heap"},
		{"RE：回复", "回复"},
		{"Re", "Re"},
		{"Reading: a story", "Reading: a story"},
		{"a/b 100% *", "a-b 100- -"},
		{"a\u202eb\x00c\r\nd\te", "a b c d e"},
		{"=?utf-8?Q?=C3=9Cberlauf?=", "Überlauf"},
		{strings.Repeat("é", 100), strings.Repeat("é", 60)},
		{strings.Repeat("x", 59) + " y", strings.Repeat("x", 59)},
		{"", "no subject"}, {"Re: ", "no subject"}, {"\u200b", "no subject"},
		{"=?utf-8?Q?=3D=3Futf-8=3FQ=3Fa=2Fb=3F=3D?=", "= ?utf-8?Q?a-b?="},
	}
	for _, tt := range tests {
		got := Title(tt.in)
		if got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
		if err := CheckHeaderValue(got); err != nil || strings.ContainsAny(got, "/%*") {
			t.Errorf("%q: title %q is no title: %v", tt.in, got, err)
		}
	}
}

func TestDate(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"Tue, 01 Dec 2026 08:03:11 +0000", "2026-12-01T08:03:11Z"},
		{"Tue, 1 Dec 2026 10:03:11 +0200 (CEST)", "2026-12-01T10:03:11+02:00"},
		{"1 Dec 2026 08:03 -0530", "2026-12-01T08:03:00-05:30"},
		{"Tue,1 Dec 2026 08:03:11 GMT", "2026-12-01T08:03:11Z"},
		{"(comment) Tue, 1 Dec 26 08:03:11 EST", "2026-12-01T08:03:11-05:00"},
		{"1 Dec 99 08:03:11 PDT", "1999-12-01T08:03:11-07:00"},
		{"1 December 2026 08:03:11 Z", "2026-12-01T08:03:11Z"},
		{"1 Dec 2026 23:59:60 -0000", "2026-12-01T23:59:59Z"},
		{"1 Dec 2026 08:03:11", "2026-12-01T08:03:11Z"},
		{"1 Dec 2026 08:03:11 +9959", "2026-12-01T08:03:11Z"}, // JSON cannot write such a zone
	}
	for _, tt := range tests {
		got, err := Header{[]byte("Date: " + tt.in + "\r\n")}.Date()
		if err != nil || got.Format(time.RFC3339) != tt.want {
			t.Errorf("%q: %v, %v", tt.in, got.Format(time.RFC3339), err)
		}
		if _, err := json.Marshal([]time.Time{got, got.UTC()}); err != nil {
			t.Errorf("%q: %v", tt.in, err)
		}
	}
	for _, bad := range []string{"", "yesterday", "31 Feb 2026 08:00:00 +0000", "0 Dec 2026 08:00 +0000", "1 Foo 2026 08:00:00", "1 Dec 2026 25:00:00 +0000",
		"1 Dec 99999 08:00:00 +0000", "1 Dec 9999 08:00:00 -2300", "1 Dec 0000 08:00 +0000", "2026-12-01T08:00:00Z", "1 Dec 2026", "1 ece 2026 08:00"} {
		if got, err := (Header{[]byte("Date: " + bad + "\r\n")}).Date(); err == nil {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
}

func TestEnvelope(t *testing.T) {
	t.Parallel()
	p := parse(t, crlf("Date: Tue, 1 Dec 2026 08:03:11 +0100\nFrom: =?utf-8?Q?J=C3=BCrgen?= <j@x.example>\nTo: a@y, Team: b@y;\nCc: broken\n"+
		"Subject: =?utf-8?Q?=C3=BC?=\nMessage-ID: <m1@x.example>\nIn-Reply-To: Your mail of <p1@x.example>\n"+
		"References: <p0@x.example>\n\t<p1@\n x.example> <bad\n\n"))
	e := p.Envelope()
	from := []Address{{"Jürgen", "j", "x.example"}}
	switch {
	case !slices.Equal(e.From, from), !slices.Equal(e.Sender, from), !slices.Equal(e.ReplyTo, from):
		t.Errorf("from %v, sender %v, reply-to %v", e.From, e.Sender, e.ReplyTo)
	case len(e.To) != 2 || e.Cc != nil || e.Bcc != nil:
		t.Errorf("to %v, cc %v, bcc %v", e.To, e.Cc, e.Bcc)
	case e.Subject != "ü" || e.MessageID != "m1@x.example" || !slices.Equal(e.InReplyTo, []string{"p1@x.example"}):
		t.Errorf("subject %q, id %q, in reply to %q", e.Subject, e.MessageID, e.InReplyTo)
	case !e.Date.Equal(time.Date(2026, 12, 1, 7, 3, 11, 0, time.UTC)):
		t.Errorf("date %v", e.Date)
	}
	if refs := p.Header.References(); !slices.Equal(refs, []string{"p0@x.example", "p1@x.example"}) {
		t.Errorf("references %q", refs)
	}
	for in, want := range map[string]string{"<a@b>": "a@b", "a@b": "a@b", "no id at all": "", "<>": "", "<a\x00b@c>": "", "<<a@b>>": "a@b", "": ""} {
		if got := (Header{[]byte("Message-ID: " + in + "\r\n")}).MessageID(); got != want {
			t.Errorf("Message-ID %q is %q, want %q", in, got, want)
		}
	}
}

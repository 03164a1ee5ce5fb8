package message

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

func TestContentFields(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in, value string
		params    map[string]string
	}{
		{"Text/HTML; Charset=UTF-8", "text/html", map[string]string{"charset": "UTF-8"}},
		{`text/plain; charset=us-ascii (Plain text); format=flowed`, "text/plain", map[string]string{"charset": "us-ascii", "format": "flowed"}},
		{`text/plain (a comment; with) ; a="b;c\"d"`, "text/plain", map[string]string{"a": `b;c"d`}},
		{`multipart/mixed; boundary="a (b) c"; ; x=1;`, "multipart/mixed", map[string]string{"boundary": "a (b) c", "x": "1"}},
		{"text/plain; charset", "text/plain", map[string]string{}},
		{"text/plain; charset=", "text/plain", map[string]string{"charset": ""}},
		{"text/plain; a=1; A=2", "text/plain", map[string]string{"a": "1"}},
		{"attachment; filename=Report final (2).pdf", "attachment", map[string]string{"filename": "Report final (2).pdf"}},
		{"attachment; filename=Report(2).pdf; x=y", "attachment", map[string]string{"filename": "Report(2).pdf", "x": "y"}},
		{`attachment; filename="unclosed`, "attachment", map[string]string{"filename": "unclosed"}},
		// RFC 2231
		{"attachment; filename*=utf-8'de'%C3%9Cbersicht.pdf", "attachment", map[string]string{"filename": "Übersicht.pdf"}},
		{"attachment; filename*=iso-8859-1''%DCbersicht.pdf; filename=plain.pdf", "attachment", map[string]string{"filename": "Übersicht.pdf"}},
		{`attachment; filename*1="b.pdf"; filename*0="a"`, "attachment", map[string]string{"filename": "ab.pdf"}},
		{`attachment; filename*0*=utf-8''a%20%C3; filename*1*=%BC; filename*2=" 100%25.pdf"`, "attachment", map[string]string{"filename": "a ü 100%25.pdf"}},
		{"attachment; filename*1=b; filename*2=c", "attachment", map[string]string{}},
		{"attachment; filename*0=a; filename*2=c", "attachment", map[string]string{"filename": "a"}},
		{"attachment; filename*=%41bc; x*=utf-8''", "attachment", map[string]string{"filename": "Abc", "x": ""}},
		{"attachment; filename*=x-none''caf%E9", "attachment", map[string]string{"filename": "café"}},
		{"", "", map[string]string{}},
	}
	for _, tt := range tests {
		value, params := parseContentField(tt.in)
		if value != tt.value || !maps.Equal(params, tt.params) {
			t.Errorf("%q: %q %q", tt.in, value, params)
		}
	}
}

func TestFilename(t *testing.T) {
	t.Parallel()
	tests := []struct{ fields, want string }{
		{"Content-Disposition: attachment; filename=a.txt", "a.txt"},
		{"Content-Type: text/plain; name=b.txt", "b.txt"},
		{"Content-Disposition: attachment; filename=\"=?utf-8?Q?=C3=BC.txt?=\"", "ü.txt"},
		{`Content-Disposition: attachment; filename="C:\\Users\\ana\\poc.c"`, "poc.c"},
		{"Content-Disposition: attachment; filename=\"../../etc/passwd\"", "passwd"},
		{"Content-Disposition: attachment; filename=..", ""},
		{"Content-Disposition: attachment; filename*=utf-8''a%0D%0Ab%E2%80%AEfdp.exe", "a  bfdp.exe"},
		{"X: y", ""},
	}
	for _, tt := range tests {
		if got := parse(t, crlf(tt.fields+"\n\n")).Filename; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.fields, got, tt.want)
		}
	}
}

func TestBodyAndText(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, fields, raw, want string }{
		{"7bit", "", "a\r\nb\r\n", "a\nb\n"},
		{"bare CR", "", "a\rb\n", "a\nb\n"},
		{"base64", "Content-Transfer-Encoding: BASE64\nContent-Type: text/plain; charset=utf-8", "w7xiZXIN\r\nCg==\r\n", "über\n"},
		{"base64 with rubbish", "Content-Transfer-Encoding: base64", "aGVs bG8*=\r\n--x", "hello"},
		{"base64 in pieces", "Content-Transfer-Encoding: base64", "YQ==\r\nYg==\r\n", "ab"},
		{"base64 cut off", "Content-Transfer-Encoding: base64", "aGVsbG8gd29ybG", "hello worl"},
		{"quoted-printable", "Content-Transfer-Encoding: Quoted-Printable (yes)\nContent-Type: text/plain; charset=ISO-8859-1", "caf=E9 =3d soft=\r\n break  \r\nlast", "café = soft break\nlast"},
		{"bad quoted-printable", "Content-Transfer-Encoding: quoted-printable", "a=zz b= \r\nc=4", "a=zz bc=4"},
		{"unknown encoding", "Content-Transfer-Encoding: x-zip", "as it is", "as it is"},
		{"unknown charset", "Content-Type: text/plain; charset=x-user-defined-9", "caf\xe9", "café"},
		{"wrong charset", "Content-Type: text/plain; charset=utf-8", "caf\xe9", "café"},
		{"no charset, UTF-8", "", "caf\xc3\xa9", "café"},
		{"windows-1251", "Content-Type: text/plain; charset=\"windows-1251\"", "\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"},
		{"a decoder that gives nothing back", "Content-Type: text/plain; charset=iso-2022-kr", "caf\xe9", "café"},
		{"utf-16", "Content-Type: text/plain; charset=utf-16le", "a\x00\xfc\x00", "aü"},
		{"big5", "Content-Type: text/plain; charset=big5", "\xa7\x41\xa6\x6e", "你好"},
	}
	for _, tt := range tests {
		got, err := parse(t, []byte("X: y\n"+tt.fields+"\n\n"+tt.raw)).Text()
		if tt.fields == "" {
			got, err = parse(t, []byte("X: y\n\n"+tt.raw)).Text()
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	p := parse(t, []byte("Content-Transfer-Encoding: x-zip\n\nas it is"))
	if b, err := p.Body(); err == nil || string(b) != "as it is" {
		t.Errorf("unknown encoding: %q, %v", b, err)
	}
}

func TestUnflowed(t *testing.T) {
	t.Parallel()
	const flowed = "Content-Type: text/plain; format=flowed\n\n"
	tests := []struct{ name, raw, want string }{
		{"joined", flowed + "STATUS PAR-2026-0007 affected 4.1-4.7 and \nperhaps later K7Q3-X9PM\nnext\n", "STATUS PAR-2026-0007 affected 4.1-4.7 and perhaps later K7Q3-X9PM\nnext\n"},
		{"delsp", "Content-Type: text/plain; format=Flowed; DelSp=Yes\n\nvery \nlong\n", "verylong\n"},
		{"stuffed", flowed + " From here\n  two\n >no quote\n", "From here\n two\n>no quote\n"},
		{"signature", flowed + "bye \n-- \nana\n", "bye \n-- \nana\n"},
		{"quotes", flowed + "> a \n> b\n>> c \n> d \nmine\n", "> a b\n>> c \n> d \nmine\n"},
		{"fixed", "X: y\n\na \nb\n", "a \nb\n"},
		{"last line soft", flowed + "a \nb ", "a b "},
	}
	for _, tt := range tests {
		if got, err := parse(t, []byte(tt.raw)).Unflowed(); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestStructure(t *testing.T) {
	t.Parallel()
	raw := crlf("From: ana@x.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\nContent-ID: <1@x>\n" +
		"Content-Language: de, en\nContent-Description: =?utf-8?Q?=C3=BC?=\nContent-Transfer-Encoding: 8BIT\n\none\ntwo\n--b\n" +
		"Content-Type: message/rfc822\nContent-Disposition: attachment; filename=f.eml\n\nSubject: inner\nFrom: ben@y.example\n\nx\n--b--\n")
	p := parse(t, raw)
	s := p.Structure()
	text, mail := s.Children[0], s.Children[1]
	switch {
	case s.Type != "multipart" || s.Subtype != "mixed" || s.Params["boundary"] != "b" || len(s.Children) != 2:
		t.Errorf("root %+v", s)
	case text.Size != 8 || text.Lines != 2 || text.Encoding != "8bit" || text.ID != "<1@x>" || text.Description != "ü" || len(text.Language) != 2:
		t.Errorf("text %+v", text)
	case mail.Envelope == nil || mail.Envelope.Subject != "inner" || len(mail.Children) != 1 || mail.Disposition != "attachment" ||
		mail.DispositionParams["filename"] != "f.eml" || mail.Lines != 4:
		t.Errorf("mail %+v", mail)
	}
	if got := string(raw[text.HeaderEnd:text.BodyEnd]); got != "one\r\ntwo" {
		t.Errorf("body by offsets is %q", got)
	}
	if got := string(raw[text.HeaderStart:text.HeaderEnd]); !strings.HasPrefix(got, "Content-Type: text") || !strings.HasSuffix(got, "8BIT\r\n\r\n") {
		t.Errorf("header by offsets is %q", got)
	}
	if got := string(raw[mail.Children[0].HeaderStart:mail.Children[0].BodyEnd]); got != "Subject: inner\r\nFrom: ben@y.example\r\n\r\nx" {
		t.Errorf("embedded message by offsets is %q", got)
	}
	if s.HeaderStart != 0 || s.BodyEnd != int64(len(raw)) {
		t.Errorf("message by offsets is %d to %d", s.HeaderStart, s.BodyEnd)
	}
	var back Structure
	j, err := json.Marshal(s)
	if err != nil || json.Unmarshal(j, &back) != nil || back.Children[1].Envelope.Subject != "inner" {
		t.Errorf("JSON: %v %s", err, j)
	}
}

// A BODYSTRUCTURE of a multipart without parts makes an IMAP server panic.
func TestStructureOfEmptyMultipart(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"Content-Type: multipart/mixed\n\nx", "Content-Type: multipart/mixed; boundary=b\n\n", "Content-Type: multipart/mixed; boundary=b\n\n--b--\n"} {
		p := parse(t, crlf(raw))
		s := p.Structure()
		if len(p.Children) != 0 || len(s.Children) != 1 {
			t.Fatalf("%q: %d parts, %d in the structure", raw, len(p.Children), len(s.Children))
		}
		c := s.Children[0]
		if c.Type != "text" || c.Subtype != "plain" || c.Size != 0 || c.HeaderStart != c.BodyEnd || c.BodyEnd != s.BodyEnd {
			t.Errorf("%q: the part is %+v", raw, c)
		}
	}
}

func TestStructureOfEncodedMessage(t *testing.T) {
	t.Parallel()
	s := parse(t, crlf("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeA==\n")).Structure()
	if s.Type != "application" || s.Subtype != "octet-stream" || s.Envelope != nil || s.Children != nil {
		t.Errorf("%+v", s)
	}
}

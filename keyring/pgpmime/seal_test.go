package pgpmime_test

import (
	"bytes"
	"context"
	"fmt"
	"mime"
	netmail "net/mail"
	"regexp"
	"strings"
	"testing"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/message"
)

func seal(t testing.TB, entity string, outer pgpmime.Outer, to *keyring.Certificate, by *keyring.Secret) string {
	t.Helper()
	m, err := pgpmime.Seal([]byte(entity), outer, []*keyring.Certificate{to}, by, noon)
	if err != nil {
		t.Fatal(err)
	}
	return string(m)
}

var vendorOuter = pgpmime.Outer{
	From: "case+tok@vdp.example.org", To: "psirt@acme.example", ReplyTo: "case+tok@vdp.example.org",
	Subject: "Confidential message (encrypted)", MessageID: "abc@vdp.example.org", References: []string{"a@b", "<c@d>"},
	Extra: [][2]string{{"Auto-Submitted", "auto-generated"}},
}

// as opens a sealed mail the way its recipient does.
func as(t testing.TB, s *keyring.Secret, signer *keyring.Certificate, raw string) *pgpmime.Opened {
	t.Helper()
	root, err := parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	o := &pgpmime.Opener{Secrets: []*keyring.Secret{s}, Parse: parse, Certificates: lookup(signer)}
	got, err := o.Open(context.Background(), root, noon)
	if err != nil {
		t.Fatalf("%v (%s)", err, pgpmime.Reason(err))
	}
	return got
}

func TestSeal(t *testing.T) {
	t.Parallel()
	us, vendor := secret(t, "us@vdp.example.org"), secret(t, "psirt@acme.example")
	for name, c := range map[string]struct{ entity, kind, text string }{
		"text":      {"Subject: inner\r\nContent-Type: text/plain; charset=utf-8; protected-headers=v1; hp=cipher\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n", "multipart/mixed", "Grüße\n"},
		"no type":   {"Subject: inner\r\n\r\nplain\r\n", "multipart/mixed", "plain\n"},
		"multipart": {"Subject: inner\r\n" + multipart("mixed; protected-headers=v1; hp=cipher", textPart("one"), textPart("two")), "multipart/mixed", "one"},
	} {
		raw := seal(t, c.entity, vendorOuter, vendor.Certificate(), us)
		if strings.Contains(strings.ReplaceAll(raw, "\r\n", ""), "\n") || !is7bit(raw) {
			t.Errorf("%s: not 7-bit in CRLF lines", name)
		}
		o := as(t, vendor, us.Certificate(), raw)
		if o.Encryption != pgpmime.Encrypted || !o.WholeSigned || len(o.Signatures) != 1 || o.Signatures[0].Err != nil || o.Subject != "inner" {
			t.Errorf("%s: %s, %+v, subject %q", name, o.Encryption, o.Signatures, o.Subject)
		}
		if o.Root.MediaType != c.kind || textOf(t, o.Root) != c.text {
			t.Errorf("%s: %s with %q", name, o.Root.MediaType, textOf(t, o.Root))
		}
		if c.entity != "Subject: inner\r\n\r\nplain\r\n" && (o.Root.Params["protected-headers"] != "v1" || o.Root.Params["hp"] != "cipher") {
			t.Errorf("%s: the root is not marked: %v", name, o.Root.Params)
		}
	}
}

func is7bit(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 }) }

func TestSealOuter(t *testing.T) {
	t.Parallel()
	us, vendor := secret(t, "us@vdp.example.org"), secret(t, "psirt@acme.example")
	outer := vendorOuter
	outer.Autocrypt = "addr=us@vdp.example.org; keydata=" + strings.Repeat("QUJD", 200)
	raw := seal(t, "Subject: inner\r\n\r\nx\r\n", outer, vendor.Certificate(), us)
	m, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"From": outer.From, "To": outer.To, "Reply-To": outer.ReplyTo, "Subject": outer.Subject, "Message-Id": "<abc@vdp.example.org>",
		"References": "<a@b> <c@d>", "Auto-Submitted": "auto-generated", "Mime-Version": "1.0", "Date": "Tue, 01 Dec 2026 12:00:00 +0000",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := strings.ReplaceAll(m.Header.Get("Autocrypt"), " ", ""); got != strings.ReplaceAll(outer.Autocrypt, " ", "") {
		t.Errorf("Autocrypt: %q", got)
	}
	for line := range strings.Lines(raw) {
		if len(line) > 80 {
			t.Errorf("a line of %d octets", len(line))
		}
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/encrypted" || params["protocol"] != "application/pgp-encrypted" {
		t.Errorf("%s %v", kind, params)
	}
}

// V3: nothing tells what made the mail; V1: nothing links two of them.
func TestV1_V3_NothingInCommon(t *testing.T) {
	t.Parallel()
	us, vendor := secret(t, "us@vdp.example.org"), secret(t, "psirt@acme.example")
	bare := pgpmime.Outer{From: "a@b", To: "c@d"}
	one := seal(t, "Subject: inner\r\n\r\nx\r\n", bare, vendor.Certificate(), us)
	two := seal(t, "Subject: inner\r\n\r\nx\r\n", bare, vendor.Certificate(), us)
	find := regexp.MustCompile(`boundary="([^"]+)"`)
	if a, b := find.FindStringSubmatch(one)[1], find.FindStringSubmatch(two)[1]; a == b || len(a) < 20 {
		t.Errorf("boundaries %q and %q", a, b)
	}
	inA, inB := as(t, vendor, us.Certificate(), one).Root.Params["boundary"], as(t, vendor, us.Certificate(), two).Root.Params["boundary"]
	if inA == inB {
		t.Errorf("inner boundaries %q and %q", inA, inB)
	}
	for _, word := range []string{"Version: G", "Comment", "User-Agent", "X-Mailer", "parley", "Parley", "Go-http", "openpgpjs", "salt@"} {
		if strings.Contains(one, word) || bytes.Contains(as(t, vendor, us.Certificate(), one).Payload, []byte(word)) {
			t.Errorf("the mail holds %q", word)
		}
	}
}

// V8: texts of one size class cannot be told apart by their size.
func TestV8_SizeClasses(t *testing.T) {
	t.Parallel()
	us, vendor := secret(t, "us@vdp.example.org"), secret(t, "psirt@acme.example")
	sizes := map[int]int{}
	for n := range 120 {
		entity := "Subject: inner\r\n\r\n" + strings.Repeat("x", n*61%5000) + "\r\n"
		o := as(t, vendor, us.Certificate(), seal(t, entity, vendorOuter, vendor.Certificate(), us))
		sizes[len(o.Payload)]++
		i := bytes.LastIndex(o.Payload, []byte("--\r\n"))
		for line := range strings.Lines(string(o.Payload[i+4:])) {
			if strings.Trim(line, " ") != "\r\n" || len(line) > 74 {
				t.Fatalf("padding %q", line)
			}
		}
	}
	if len(sizes) != 2 || sizes[4096] == 0 || sizes[8192] == 0 {
		t.Errorf("sizes %v", sizes)
	}
	for _, c := range []struct{ n, most int }{{70_000, 74_000}, {1_000_000, 1_070_000}, {5_000_000, 5_400_000}} {
		entity := "Subject: inner\r\n\r\n" + strings.Repeat(strings.Repeat("y", 70)+"\r\n", c.n/72) + "\r\n"
		o := as(t, vendor, us.Certificate(), seal(t, entity, vendorOuter, vendor.Certificate(), us))
		if len(o.Payload) > c.most || len(o.Payload)%4096 != 0 {
			t.Errorf("%d bytes became %d", c.n, len(o.Payload))
		}
	}
}

// An entity one byte short of its class cannot be filled with a line.
func TestV8_EveryLength(t *testing.T) {
	t.Parallel()
	us, vendor := secret(t, "us@vdp.example.org"), secret(t, "psirt@acme.example")
	m := multipart("mixed", textPart("a"), textPart("b"))
	for n := 4096 - len(m) - 12; n < 4096-len(m)+6; n++ {
		entity := "X: " + strings.Repeat("x", n-5) + "\r\n" + m
		o := as(t, vendor, us.Certificate(), seal(t, entity, vendorOuter, vendor.Certificate(), us))
		if len(o.Payload) != 4096 && len(o.Payload) != 8192 || !bytes.HasPrefix(o.Payload, []byte(entity)) {
			t.Errorf("%d bytes became %d", len(entity), len(o.Payload))
		}
	}
}

// V4, V5: what cannot be sealed is not sent some other way.
func TestV4_V5_SealRefuses(t *testing.T) {
	t.Parallel()
	us, vendor := secret(t, "us@vdp.example.org"), secret(t, "psirt@acme.example")
	to := []*keyring.Certificate{vendor.Certificate()}
	const good = "Subject: inner\r\n\r\nx\r\n"
	for name, c := range map[string]struct {
		entity string
		outer  pgpmime.Outer
		to     []*keyring.Certificate
		by     *keyring.Secret
	}{
		"nobody":             {good, vendorOuter, nil, us},
		"unsigned":           {good, vendorOuter, to, nil},
		"revoked":            {good, vendorOuter, []*keyring.Certificate{vendor.Certificate(), revoke(t, secret(t, "x@example.org"))}, us},
		"bare LF":            {"Subject: inner\n\nx\n", vendorOuter, to, us},
		"bare CR":            {"Subject: inner\r\n\r\nx\ry\r\n", vendorOuter, to, us},
		"no header":          {"no header", vendorOuter, to, us},
		"broken header":      {"no colon here\r\n\r\nx\r\n", vendorOuter, to, us},
		"multipart, no end":  {"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n", vendorOuter, to, us},
		"bad type":           {"Content-Type: a/b/c; d\r\n\r\nx\r\n", vendorOuter, to, us},
		"header injection":   {good, pgpmime.Outer{From: "a@b", Subject: "x\r\nBcc: c@d"}, to, us},
		"NUL in a field":     {good, pgpmime.Outer{From: "a@b", Subject: "x\x00"}, to, us},
		"bidi in a field":    {good, pgpmime.Outer{From: "a@b", Subject: "x\u202ey"}, to, us},
		"field name":         {good, pgpmime.Outer{From: "a@b", Extra: [][2]string{{"X: y\r\nBcc", "c@d"}}}, to, us},
		"not UTF-8":          {good, pgpmime.Outer{From: "a@b", Subject: "\xff"}, to, us},
		"not ASCII, no addr": {good, pgpmime.Outer{From: "Müller"}, to, us},
	} {
		if m, err := pgpmime.Seal([]byte(c.entity), c.outer, c.to, c.by, noon); err == nil || m != nil {
			t.Errorf("%s: %d bytes, %v", name, len(m), err)
		}
	}
}

func TestOuterEncodes(t *testing.T) {
	t.Parallel()
	us, vendor := secret(t, "us@vdp.example.org"), secret(t, "psirt@acme.example")
	long := strings.Repeat("wörter und noch mehr ", 12)
	raw := seal(t, "Subject: inner\r\n\r\nx\r\n", pgpmime.Outer{From: "Müller CERT <report@vdp.example.org>", To: "a@b", Subject: long}, vendor.Certificate(), us)
	p, err := message.Parse([]byte(raw), message.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Header.Text("Subject"); strings.TrimSpace(got) != strings.TrimSpace(long) {
		t.Errorf("Subject %q", got)
	}
	from, err := p.Header.Addresses("From")
	if err != nil || len(from) != 1 || from[0].Addr() != "report@vdp.example.org" || from[0].Name != "Müller CERT" {
		t.Errorf("From %v, %v", from, err)
	}
	if !is7bit(raw) {
		t.Error("not 7-bit")
	}
}

func TestSignClear(t *testing.T) {
	t.Parallel()
	us, reader := secret(t, "us@vdp.example.org"), secret(t, "x@example.org")
	const entity = "Content-Type: text/plain; charset=us-ascii\r\n\r\nOur key is attached.\r\n"
	raw, err := pgpmime.SignClear([]byte(entity), pgpmime.Outer{From: "us@vdp.example.org", To: "x@example.org"}, us, noon)
	if err != nil {
		t.Fatal(err)
	}
	o := as(t, reader, us.Certificate(), string(raw))
	if o.Encryption != pgpmime.NotEncrypted || !o.WholeSigned || len(o.Signatures) != 1 || o.Signatures[0].Err != nil {
		t.Errorf("%s, %+v", o.Encryption, o.Signatures)
	}
	if o.Root.Params["micalg"] != "pgp-sha512" || string(o.Root.Children[0].Raw) != entity {
		t.Errorf("%v, %q", o.Root.Params, o.Root.Children[0].Raw)
	}
	for name, bad := range map[string]string{"8-bit": "Content-Type: text/plain\r\n\r\nGrüße\r\n", "bare LF": "A: b\n\nx\n", "long line": "A: b\r\n\r\n" + strings.Repeat("x", 999) + "\r\n"} {
		if m, err := pgpmime.SignClear([]byte(bad), pgpmime.Outer{}, us, noon); err == nil {
			t.Errorf("%s: %d bytes", name, len(m))
		}
	}
	if _, err := pgpmime.SignClear([]byte(entity), pgpmime.Outer{}, nil, noon); err == nil {
		t.Error("signed by nobody")
	}
}

func ExampleSeal() {
	at := noon
	us, _ := keyring.Generate("", "us@vdp.example.org", keyring.Ed25519, at)
	acme, _ := keyring.Generate("", "psirt@acme.example", keyring.Ed25519, at)
	entity := "Subject: [PAR-2026-0007] 1/6 Heads-up\r\nContent-Type: text/plain; hp=\"cipher\"\r\n\r\nHello\r\n"
	m, err := pgpmime.Seal([]byte(entity), pgpmime.Outer{From: "case+token@vdp.example.org", To: "psirt@acme.example", Subject: "..."},
		[]*keyring.Certificate{acme.Certificate()}, us, at)
	fmt.Println(err, bytes.Contains(m, []byte("Heads-up")))
	// Output: <nil> false
}

package courier

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestM6_ParseSmarthost(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Smarthost{
		"smtps://user@relay.example.org:465":                {ImplicitTLS, "user", "relay.example.org", "465", ""},
		"smtps://relay.example.org":                         {ImplicitTLS, "", "relay.example.org", "465", ""},
		"smtp+starttls://me%40x.example@relay.example.org/": {StartTLS, "me@x.example", "relay.example.org", "587", ""},
		"smtp://127.0.0.1:2525":                             {Loopback, "", "127.0.0.1", "2525", ""},
		"smtp://[::1]":                                      {Loopback, "", "::1", "25", ""},
		"smtp://localhost":                                  {Loopback, "", "localhost", "25", ""},
		"smtps://192.0.2.1:465":                             {ImplicitTLS, "", "192.0.2.1", "465", ""},
	} {
		got, err := ParseSmarthost(in)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v", in, got, err)
		}
		if again, err := ParseSmarthost(got.String()); err != nil || again != want {
			t.Errorf("%s: %s gives %+v, %v", in, got, again, err)
		}
	}
	for _, in := range []string{
		"", "relay.example.org:465", "https://relay.example.org", "smtps://", "smtps://:465", "smtps://user:canary@relay.example.org", "smtps://user:@relay.example.org",
		"smtp://relay.example.org", "smtp://192.0.2.1:25", "smtp://0.0.0.0", "smtp://localhost.example.org", "smtp://127.0.0.1.example.org",
		"smtps://relay.example.org:0", "smtps://relay.example.org:", "smtps://relay.example.org:70000", "smtps://relay.example.org:smtp",
		"smtps://relay.example.org/canary", "smtps://relay.example.org?canary", "smtps://relay.example.org?", "smtps://relay.example.org#canary",
		"smtps://relay_example", "smtps://u%0Aser@relay.example.org", "smtps://[fe80::1%25eth0]:465", "smtps:relay.example.org", "://canary",
	} {
		if got, err := ParseSmarthost(in); err == nil {
			t.Errorf("%q: got %+v", in, got)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: the error repeats it: %v", in, err)
		}
	}
}

func TestM6_CheckAddress(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64)
	for _, ok := range []string{"a@b", "psirt@acme.example", "bounce+AB-c_1@vdp.example.org", "o'neil/x=y@xn--mnchen-3ya.example", long + "@b.example", "-a@b.example"} {
		if err := CheckAddress(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []string{
		"", "a", "@b", "a@", "a@@b", "a b@c", "a@b c", "a@b>", "<a@b>", "a@b\r\nDATA", "a\x00@b", "a@b\n", ".a@b", "a.@b", "a..b@c", `"a b"@c`, "a@[127.0.0.1]",
		"a@b.", "a@.b", "a@-b", "a@b-", "a@b_c", "ä@b", "a@ä.example", "a@b\u202e", long + "a@b", "a@" + strings.Repeat("b.", 126) + "b", "a@" + long + "a.example",
	} {
		if CheckAddress(bad) == nil {
			t.Errorf("%q passed", bad)
		}
	}
}

func TestM6_Checker(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("x", 998)
	for in, want := range map[string]error{
		"A: b\r\n\r\ntext\r\n":            nil,
		"A: b\tc\r\n\r\n\x07\x7f\r\n":     nil,
		"A: b\r\n":                        nil,
		"A: b\r\n\r\n" + line + "\r\n":    nil,
		"A: b\r\n\r\nx" + line + "\r\n":   errLongLine,
		"A: b\r\n\r\n" + line + line:      errLongLine,
		"":                                errNoEnd,
		"A: b\r\n\r\ntext":                errNoEnd,
		"A: b\r\n\r\ntext\r":              errNoEnd,
		"A: b\n\n":                        errBareLine,
		"A: b\r\n\r\ntext\n":              errBareLine,
		"A: b\r\n\r\nte\rxt\r\n":          errBareLine,
		"A: b\r\n\r\ntext\r\r\n.\r\r\n":   errBareLine,
		"A: b\r\n\r\ntext\r\n.\n":         errBareLine,
		"A: b\r\n\r\nte\x00xt\r\n":        errNUL,
		"A: \x1bb\r\n\r\n":                errControl,
		"A: b\x7f\r\n\r\n":                errControl,
		"A: b\r\n\r\n\xc3\xa4\r\n":        errEightBit,
		"\r\n\x07body without header\r\n": nil,
	} {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(in), "octets": iotest.OneByteReader(strings.NewReader(in))} {
			c := &checker{r: r, size: int64(len(in))}
			var out bytes.Buffer
			_, err := io.Copy(&out, c)
			if err != want || c.wrong != want {
				t.Errorf("%q %s: got %v, want %v", in, name, err, want)
			}
			if err == nil && out.String() != in {
				t.Errorf("%q came through as %q", in, out.String())
			}
		}
	}
	c := &checker{r: strings.NewReader("\r\n\xc3\xa4\r\n"), eightBit: true}
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Errorf("8 bits: %v", err)
	}
	c = &checker{r: strings.NewReader("A: b\r\n"), size: 7}
	if _, err := io.Copy(io.Discard, c); err != errSize {
		t.Errorf("size: %v", err)
	}
}

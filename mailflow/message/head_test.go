package message

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// Head is what Body begins with, whatever stands in front of it or how long it is.
func TestHead(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("Grüße=\r\n", 500)
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	for name, c := range map[string]struct{ encoding, body string }{
		"plain":            {"8bit", text},
		"empty":            {"7bit", ""},
		"base64":           {"base64", encoded},
		"base64, far":      {"base64", strings.Repeat("\r\n", 5000) + encoded},
		"base64, short":    {"base64", encoded[:8]},
		"quoted-printable": {"quoted-printable", string(encodeQuotedPrintable(text))},
	} {
		p, err := Parse([]byte("Content-Transfer-Encoding: "+c.encoding+"\r\n\r\n"+c.body), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		body, err := p.Body()
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 15, 512, 1 << 20} {
			if got, want := p.Head(n), body[:min(n, len(body))]; !bytes.Equal(got, want) {
				t.Errorf("%s: the first %d octets are %q, want %q", name, n, got, want)
			}
		}
	}
}

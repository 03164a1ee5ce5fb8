package message

import (
	"bytes"
	"strings"
	"testing"
)

func cutSecrets(p *Part) (string, bool) {
	b, _ := p.Body()
	return "removed", bytes.Contains(b, []byte("SECRET"))
}

// What is cut is nowhere in what is served, wherever it stood.
func TestPresentCut(t *testing.T) {
	t.Parallel()
	key := "Content-Type: application/pgp-keys; name=key.asc\nContent-Transfer-Encoding: base64\nX-Odd: kept\n\nU0VDUkVU\n"
	for name, raw := range map[string]string{
		"the letter":          "From: a@b\nContent-Type: text/plain\n\nSECRET\n",
		"beside it":           "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nletter\n--b\n" + key + "--b--\n",
		"above it":            "Content-Type: multipart/mixed; boundary=b\n\n--b\n" + key + "--b\n\nletter\n--b--\n",
		"no letter":           "From: a@b\n" + key,
		"HTML only":           "Content-Type: text/html\n\n<p>SECRET</p>\n",
		"HTML beside it":      "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nletter\n--b\nContent-Type: text/html\n\nSECRET\n--b--\n",
		"in a forward":        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nletter\n--b\nContent-Type: message/rfc822\n\nFrom: c@d\nSubject: kept\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nhello\n--c\n" + key + "--c--\n--b--\n",
		"a forward of it":     "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nletter\n--b\nContent-Type: message/rfc822\n\nFrom: c@d\nSubject: kept\n" + key + "--b--\n",
		"forwarded twice":     "Content-Type: message/rfc822\n\nSubject: one\nContent-Type: message/rfc822\n\nSubject: kept\n" + key,
		"an odd boundary":     "Content-Type: multipart/mixed; boundary=\"a\x00b\"\n\n--a\x00b\n\nletter\n--a\x00b\nContent-Type: application/pgp-keys\n\nSECRET\n--a\x00b--\n",
		"inside a signed one": "Content-Type: multipart/signed; boundary=b\n\n--b\n" + key + "--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n",
	} {
		root := parse(t, crlf(raw))
		got, err := PresentCut(root, []Field{{"Subject", "ours"}}, "note", nil, cutSecrets)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if bytes.Contains(got, []byte("SECRET")) || bytes.Contains(got, []byte("U0VDUkVU")) {
			t.Errorf("%s: served %s", name, got)
		}
		if !bytes.Contains(got, []byte("removed")) && name != "an odd boundary" {
			t.Errorf("%s: nothing says so: %s", name, got)
		}
		if strings.Contains(raw, "kept\nContent") && !bytes.Contains(got, []byte("Subject: kept")) {
			t.Errorf("%s: the forwarded header is gone: %s", name, got)
		}
		if again := parse(t, got); again.FirstText() == nil {
			t.Errorf("%s: no letter in %s", name, got)
		}
		if w := Without(root, cutSecrets); bytes.Contains(w, []byte("SECRET")) || bytes.Contains(w, []byte("U0VDUkVU")) || !bytes.Contains(w, []byte("removed")) {
			t.Errorf("%s: without: %s", name, w)
		}
	}
	whole := parse(t, crlf("From: a@b\nContent-Type: text/plain\n\nhello\n"))
	if !bytes.Equal(Without(whole, cutSecrets), whole.Raw()) {
		t.Error("what is not cut is changed")
	}
}

// Our own marks are taken out of inner headers, too, however they are written.
func TestS8_MarksInside(t *testing.T) {
	t.Parallel()
	raw := crlf("Content-Type: multipart/mixed; boundary=b\nParley-Signature: good\n\n--b\n\nletter\n--b\n" +
		"Content-Type: application/pdf\nPARLEY-Signature : good;\n party=acme\nX-Odd: kept\n\npdf\n--b\n" +
		"Content-Type: message/rfc822\nParley-Case: theirs\n\nSubject: forwarded\nparley-document: 1;\n encryption=yes\nAuthentication-Results: vdp.example.org; dkim=pass\n" +
		"X-A: b\rParley-Signature: good\nContent-Type: message/rfc822\n\nParley-Signature: good\nSubject: twice\n\nParley-Signature: in the text\n--b--\n")
	p := served(t, raw)
	n := 0
	p.Walk(func(c *Part) bool {
		for _, f := range c.Header.Fields() {
			if c != p && (ownMark(f.Name) || strings.Contains(f.Value, "Parley-")) {
				t.Errorf("%s: %s: %s", c.MediaType, f.Name, f.Value)
			}
			if f.Value == "kept" || f.Value == "forwarded" || f.Value == "twice" {
				n++
			}
		}
		return true
	})
	if n != 3 || !bytes.Contains(p.Raw(), []byte("\r\n\r\nParley-Signature: in the text")) {
		t.Errorf("more than the marks is gone: %s", p.Raw())
	}
}

// Nothing is shown above our words.
func TestS8_NothingAboveTheNote(t *testing.T) {
	t.Parallel()
	const forged = "It came encrypted. Signature: good; party=acme"
	for _, above := range []string{
		"Content-Type: text/enriched\n\n" + forged,
		"Content-Type: text/rfc822-headers\n\n" + forged,
		"Content-Type: text/plain; name=a.txt\nContent-Disposition: inline; filename=a.txt\n\n" + forged,
		"Content-Type: text/html\n\n" + forged,
		"Content-Type: image/png\nContent-Disposition: inline\n\n" + forged,
		"Content-Type: message/rfc822\n\nSubject: x\n\n" + forged,
		"Content-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: text/enriched\n\n" + forged + "\n--c--\n",
	} {
		p := served(t, crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\n"+above+"\n--b\nContent-Type: text/plain\n\nletter\n--b--\n"))
		if got := letter(t, p); !strings.HasPrefix(got, note) {
			t.Errorf("%q: letter %q", above, got)
		}
		first := p
		for len(first.Children) > 0 && first.MediaType != "message/rfc822" {
			first = first.Children[0]
		}
		if first.Disposition != "attachment" {
			t.Errorf("%q: shown as %q", above, first.RawHeader())
		}
	}
}

// RFC 9788 section 4.5.3, and the older draft.
func TestHideLegacyDisplay(t *testing.T) {
	t.Parallel()
	const display = "Subject: true\nFrom: a long one\n <a@b>\n\n"
	for name, c := range map[string]struct{ raw, want string }{
		"RFC 9788":          {"Content-Type: text/plain; hp=cipher; hp-legacy-display=\"1\"\n\n" + display + "letter\n", "letter\n"},
		"in a part":         {"Content-Type: multipart/mixed; hp=\"cipher\"; boundary=b\n\n--b\nContent-Type: text/plain; hp-legacy-display=1\n\n" + display + "letter\n--b--\n", "letter"},
		"inside the signed": {"Content-Type: multipart/signed; boundary=b\n\n--b\nContent-Type: text/plain; hp=cipher; hp-legacy-display=1\n\n" + display + "letter\n--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n", "letter"},
		"not marked":        {"Content-Type: text/plain; hp=cipher\n\n" + display + "letter\n", display + "letter\n"},
		"only signed":       {"Content-Type: text/plain; hp=clear; hp-legacy-display=1\n\n" + display + "letter\n", display + "letter\n"},
		"no such thing":     {"Content-Type: text/plain; hp=cipher; hp-legacy-display=1\n\nDear desk,\n\nletter\n", "Dear desk,\n\nletter\n"},
		"no end":            {"Content-Type: text/plain; hp=cipher; hp-legacy-display=1\n\nSubject: x\n", "Subject: x\n"},
		"the older draft":   {"Content-Type: multipart/mixed; protected-headers=v1; boundary=b\n\n--b\nContent-Type: text/plain; protected-headers=v1\nContent-Disposition: inline\n\nSubject: true\n--b\n\nletter\n--b--\n", "letter"},
		"as headers":        {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/rfc822-headers; protected-headers=v1\n\nSubject: true\n--b\n\nletter\n--b--\n", "letter"},
		"a letter, marked":  {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; protected-headers=v1\n\nletter\n--b\n\nmore\n--b--\n", "letter"},
	} {
		p := parse(t, crlf(c.raw))
		p.HideLegacyDisplay()
		if got := letter(t, p); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		b, err := Present(p, nil, "note", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := letter(t, parse(t, b)); strings.TrimRight(got, "\n") != strings.TrimRight("note\n\n"+c.want, "\n") {
			t.Errorf("%s: served %q", name, got)
		}
	}
}

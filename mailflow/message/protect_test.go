package message

import (
	"strings"
	"testing"
)

// The header goes inside with a mark, and what stands outside is recorded.
func TestProtect(t *testing.T) {
	t.Parallel()
	outer := []Field{{"From", "Parley <control@desk.example>"}, {"Subject", "Sealed message"}}
	for _, c := range []struct{ raw, kind string }{
		{"From: a@b.example\r\nSubject: Heap\r\n overflow\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nwords\r\n", "text/plain"},
		{"From: a@b.example\r\nSubject: Heap overflow\r\n\r\nwords\r\n", "text/plain"},
		{"Content-Type: multipart/mixed; hp=\"clear\";\r\n boundary=\"a b\"\r\nSubject: Heap overflow\r\nHP-Outer: Subject: forged\r\n\r\n--a b\r\n\r\nwords\r\n--a b--\r\n", "multipart/mixed"},
	} {
		root, err := Parse([]byte(c.raw), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		out, err := Protect(root, outer)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Parse(out, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if p.MediaType != c.kind || p.Params["hp"] != "cipher" || p.Params["protected-headers"] != "v1" || len(p.Header.Values("Content-Type")) != 1 {
			t.Errorf("Content-Type of %s", out)
		}
		if got := p.Header.Values("HP-Outer"); len(got) != 2 || got[1] != "Subject: Sealed message" {
			t.Errorf("HP-Outer %q", got)
		}
		if p.Header.Text("Subject") != "Heap overflow" || string(p.RawBody()) != string(root.RawBody()) || p.Params["boundary"] != root.Params["boundary"] {
			t.Errorf("other words: %s", out)
		}
		if strings.Contains(string(out), "forged") {
			t.Errorf("a record of what somebody else wrote outside: %s", out)
		}
	}
}

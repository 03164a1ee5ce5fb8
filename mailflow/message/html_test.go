package message

import (
	"strings"
	"testing"
)

func TestHTMLToText(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"paragraphs", "<html><head><title>t</title><style>p{}</style></head><body><p>One\n two.</p><p>Three</p></body></html>", "One two.\n\nThree"},
		{"breaks and blocks", "a<br>b<div>c</div><div>d</div>e", "a\nb\nc\nd\ne"},
		{"inline", "a<b>b</b> <i>c</i>", "ab c"},
		{"entities", "a &lt;b&gt; &amp; &eacute;&nbsp;x", "a <b> & é\u00a0x"},
		{"list", "<ul><li>one</li><li>two</li></ul>", "- one\n- two"},
		{"table", "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"},
		{"quote", "<blockquote>said<br>so<blockquote>before</blockquote></blockquote>mine", "> said\n> so\n\n> > before\n\nmine"},
		{"pre", "<pre>int x;\n  y();\n\nz</pre>", "int x;\n  y();\n\nz"},
		{"link", `<a href="https://x.example/">here</a>, <a href="https://y.example">https://y.example</a>, <a href="mailto:a@x">a@x</a>`, "here <https://x.example/>, https://y.example, a@x"},
		{"picture", `<img src="http://x/y.png" alt="a chart">`, "a chart"},
		{"nothing is run", "<script>alert('x')</script><style>x</style><!-- c --><noscript>n</noscript>text", "text"},
		{"not closed", "<p>one<b>two<p>three", "onetwo\n\nthree"},
		{"broken", "a < b <<p <i", "a < b <"},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		if got := HTMLToText(tt.in); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestP8_HTMLToTextIsBounded(t *testing.T) {
	t.Parallel()
	const n = 1 << 16
	for _, unit := range []string{"<blockquote>", "<div>", "<a href=x>", "<a href=x></a>", "<", "<pre>", "<li>", "<p", "<!--", "&", "<br>", "<blockquote>x"} {
		s := strings.Repeat(unit, n)
		if got := HTMLToText(s); len(got) > 8*len(s) {
			t.Errorf("%q repeated gave %d octets for %d", unit, len(got), len(s))
		}
	}
	picture := `<p>before</p><img src="data:image/png;base64,` + strings.Repeat("A", 3<<20) + `"><p>after</p>`
	if got := HTMLToText(picture); got != "before\n\nafter" {
		t.Errorf("a picture inside took the letter away: %q", got)
	}
}

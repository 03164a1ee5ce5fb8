package message

import (
	"strings"

	"golang.org/x/net/html"
)

// HTMLToText gives the words of an HTML letter in reading order, for mail that
// has no other text. Nothing is fetched or run; scripts, styles and comments
// are left out, and the address behind a link is written beside its words.
func HTMLToText(source string) string {
	w := htmlWriter{atStart: true}
	z := html.NewTokenizer(strings.NewReader(source))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return w.String()
		case html.TextToken:
			w.text(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			w.start(z)
		case html.EndTagToken:
			name, _ := z.TagName()
			w.end(string(name))
		}
	}
}

// maxQuote bounds the depth of quotation, and with it what one line can cost.
const maxQuote = 8

// htmlWriter lays text out: runs of space become one, blocks begin a line.
type htmlWriter struct {
	out     strings.Builder
	atStart bool   // nothing stands on the line yet
	space   bool   // a space is due before the next word
	blank   bool   // the line before is empty, or there is none
	skip    string // the element being passed over
	pre     int
	quote   int
	href    string
	linkAt  int // where the words of the link begin
}

func (w *htmlWriter) String() string { return strings.TrimSpace(w.out.String()) }

func (w *htmlWriter) text(s string) {
	if w.skip != "" {
		return
	}
	if w.pre > 0 {
		for line := range strings.Lines(s) {
			text, ended := strings.CutSuffix(line, "\n")
			w.word(strings.TrimSuffix(text, "\r"))
			if ended {
				w.newline()
			}
		}
		return
	}
	for i, word := range strings.FieldsFunc(s, isHTMLSpace) {
		w.space = w.space || i > 0 || isHTMLSpace(rune(s[0]))
		w.word(word)
	}
	if s != "" && isHTMLSpace(rune(s[len(s)-1])) {
		w.space = true
	}
}

// isHTMLSpace is the white space that HTML folds; a no-break space is a letter.
func isHTMLSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == '\f' }

func (w *htmlWriter) word(s string) {
	if s == "" {
		return
	}
	switch {
	case w.atStart:
		w.out.WriteString(strings.Repeat("> ", w.quote))
	case w.space:
		w.out.WriteByte(' ')
	}
	w.out.WriteString(s)
	w.atStart, w.space, w.blank = false, false, false
}

// newline ends the line, even an empty one, but leaves no two empty ones.
func (w *htmlWriter) newline() {
	if w.atStart && w.blank {
		return
	}
	w.blank = w.atStart
	w.out.WriteByte('\n')
	w.atStart, w.space = true, false
}

func (w *htmlWriter) block() {
	if !w.atStart {
		w.newline()
	}
}

func (w *htmlWriter) start(z *html.Tokenizer) {
	name, more := z.TagName()
	tag := string(name)
	if w.skip != "" {
		return
	}
	switch tag {
	case "script", "style", "title", "template", "noscript", "textarea", "iframe":
		w.skip = tag
	case "br":
		w.newline()
	case "p", "blockquote", "pre", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6":
		w.block()
		w.newline()
	case "div", "tr", "section", "article", "header", "footer", "dt", "dd":
		w.block()
	case "td", "th":
		w.space = true
	case "li":
		w.block()
		w.word("-")
		w.space = true
	case "hr":
		w.block()
		w.word(strings.Repeat("-", 40))
		w.newline()
	case "a":
		w.href, w.linkAt = attribute(z, more, "href"), w.out.Len()
	case "img":
		w.space = true
		w.word(attribute(z, more, "alt"))
	}
	switch tag {
	case "blockquote":
		w.quote = min(w.quote+1, maxQuote)
	case "pre":
		w.pre++
	}
}

func (w *htmlWriter) end(tag string) {
	if w.skip != "" {
		if w.skip == tag {
			w.skip = ""
		}
		return
	}
	switch tag {
	case "p", "blockquote", "pre", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6":
		w.block()
		w.newline()
	case "div", "tr", "li":
		w.block()
	case "a":
		w.endLink()
	}
	switch tag {
	case "blockquote":
		w.quote = max(w.quote-1, 0)
	case "pre":
		w.pre = max(w.pre-1, 0)
	}
}

// endLink writes where a link goes, unless its words say so already.
func (w *htmlWriter) endLink() {
	href := strings.TrimPrefix(w.href, "mailto:")
	words := strings.TrimSpace(w.out.String()[min(w.linkAt, w.out.Len()):])
	w.href = ""
	if href == "" || strings.HasPrefix(href, "#") || strings.Contains(words, href) {
		return
	}
	w.space = true
	w.word("<" + clean(href) + ">")
}

func attribute(z *html.Tokenizer, more bool, name string) string {
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		if string(key) == name {
			return strings.Join(strings.Fields(clean(string(value))), " ")
		}
	}
	return ""
}

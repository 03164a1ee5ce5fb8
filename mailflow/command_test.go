package mailflow

import (
	"slices"
	"strings"
	"testing"
)

func TestLex(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line string
		want []string // quoted ones begin with Q:
	}{
		{"start now", []string{"start", "now"}},
		{"  plan \t acme ", []string{"plan", "acme"}},
		{"plan\u00a0acme", []string{"plan", "acme"}},
		{`hold acme because "two words"`, []string{"hold", "acme", "because", "Q:two words"}},
		{`hold acme because “two words”`, []string{"hold", "acme", "because", "Q:two words"}},
		{`hold acme because „zwei Wörter“`, []string{"hold", "acme", "because", "Q:zwei Wörter"}},
		{`hold acme because « deux mots »`, []string{"hold", "acme", "because", "Q:deux mots"}},
		{`hold acme because "phone”`, []string{"hold", "acme", "because", "Q:phone"}},
		{`because "he said “no” twice"`, []string{"because", "Q:he said “no” twice"}},
		{`because "a \"b\" c"`, []string{"because", `Q:a "b" c`}},
		{`affects "Player 9.1" footprint 40M`, []string{"affects", "Q:Player 9.1", "footprint", "40M"}},
		{`affects"Player 9.1"footprint`, []string{"affects", "Q:Player 9.1", "footprint"}},
		{`case PAR–2026—0007`, []string{"case", "PAR-2026-0007"}},
		{`because "a – b"`, []string{"because", "Q:a – b"}},
		{`because ""`, []string{"because", "Q:"}},
		{`it's fine`, []string{"it's", "fine"}},
		{"", nil},
	} {
		got, err := lex(c.line)
		if err != nil {
			t.Errorf("lex(%q): %v", c.line, err)
		}
		var words []string
		for _, l := range got {
			if l.quoted {
				l.text = "Q:" + l.text
			}
			words = append(words, l.text)
		}
		if !slices.Equal(words, c.want) {
			t.Errorf("lex(%q) = %q, want %q", c.line, words, c.want)
		}
	}
}

func TestLex_Refused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, why string }{
		{`hold acme because "open`, "not closed"},
		{`hold acme because “open`, "not closed"},
		{`hold acme because "ends in \"`, "not closed"},
		{"hold ac\u200bme", "U+200B"},
		{"hold acme because \"\u202egnorw\"", "U+202E"},
		{"hold acme\x00", "U+0000"},
		{"hold acme\r\nrelease acme", "U+000D"},
		{"hold acme \xff", "UTF-8"},
		{strings.Repeat("x", maxCommand+1), "at most"},
	} {
		if _, err := lex(c.line); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("lex(%.40q): %v, want %q", c.line, err, c.why)
		}
	}
}

func FuzzLex(f *testing.F) {
	f.Add(`hold acme because “two \"words"`)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := lex(line)
		if err != nil {
			return
		}
		for _, w := range words {
			if !w.quoted && (w.text == "" || strings.ContainsAny(w.text, "\" \t")) {
				t.Errorf("lex(%q) gave the word %q", line, w.text)
			}
		}
	})
}

func TestCommandLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, mail string
		want       []string
	}{
		{"one", "plan\n", []string{"plan"}},
		{"several", "case PAR-2026-0007\r\ninvite acme\r\nstart now\r\n", []string{"case PAR-2026-0007", "invite acme", "start now"}},
		{"ends at a blank line", "plan\n\nI think that is right.\n", []string{"plan"}},
		{"a blank line between commands", "\n\ncase PAR-2026-0007\n\nplan\n\nBest,\nana\n", []string{"case PAR-2026-0007", "plan"}},
		{"signature", "plan\n-- \nana\nhold all\n", []string{"plan"}},
		{"thanks", "plan\nThanks, ana!\nhold all\n", []string{"plan"}},
		{"thank you", "plan\nThank you\nhold all\n", []string{"plan"}},
		{"quotation below", "approve 9f3a-27c1\n\nOn Tue, 1 Dec 2026, Desk wrote:\n> reject 9f3a-27c1\n", []string{"approve 9f3a-27c1"}},
		{"quotation above", "On Tue, 1 Dec 2026, Desk wrote:\n> hold all\n\napprove 9f3a-27c1\n", []string{"approve 9f3a-27c1"}},
		{"folded introduction", "On Tue, 1 Dec 2026 at 09:00 Desk\n<control@desk.example> wrote:\n> hold all\n\nplan\n", []string{"plan"}},
		{"quotation right below", "approve 9f3a-27c1\nOn Tue, 1 Dec 2026, Desk wrote:\n> x\n", []string{"approve 9f3a-27c1"}},
		{"among a quotation", "> case?\ncase PAR-2026-0007\n> plan?\nplan\n", []string{"case PAR-2026-0007", "plan"}},
		{"a command over a quote with a colon", "plan\nHe wrote:\n> hold all\n", []string{"plan"}},
		{"open quote folded", "hold acme because \"this takes\n  more than a line\"\nplan\n", []string{`hold acme because "this takes more than a line"`, "plan"}},
		{"format flowed", "key confirm acme 4B32 ADAC \nevidence \"phone\"\n", []string{`key confirm acme 4B32 ADAC evidence "phone"`}},
		{"a space at the end", "case PAR-2026-0007 \nplan\n", []string{"case PAR-2026-0007", "plan"}},
		{"top-posted in Outlook", "approve 9f3a-27c1\n\n-----Original Message-----\nFrom: Desk\nSent: 1 Dec\n\nhold all\n", []string{"approve 9f3a-27c1"}},
		{"top-posted in German Outlook", "plan\n\n________________________________\nVon: Desk\nGesendet: 1 Dez\n\nhold all\n", []string{"plan"}},
		{"only the old header above", "plan\n\nFrom: Desk <control@desk.example>\nSubject: x\n\nhold all\n", []string{"plan"}},
		{"French header", "plan\n\nDe : Desk\nEnvoyé : 1 déc.\n\nhold all\n", []string{"plan"}},
		{"bold header of a phone", "plan\n\n*From:* Desk\n\nhold all\n", []string{"plan"}},
		{"forwarded", "plan\n\n---------- Forwarded message ---------\nhold all\n", []string{"plan"}},
		{"introduced, nothing marked", "plan\n\nOn Tue, 1 Dec 2026 at 09:00, Desk wrote:\n\nhold all\n", []string{"plan"}},
		{"German introduction, top", "approve 9f3a-27c1\n\nAm 01.12.26 um 09:00 schrieb Desk:\n> hold all\n", []string{"approve 9f3a-27c1"}},
		{"German introduction, bottom", "Am 01.12.26 um 09:00 schrieb Desk:\n> hold all\n\nplan\n", []string{"plan"}},
		{"German introduction, folded", "Am 01.12.26 um 09:00 schrieb Desk\n<control@desk1.example>:\n> hold all\n\nplan\n", []string{"plan"}},
		{"French introduction, bottom", "Le 1 déc. 2026 à 09:00, Desk a écrit :\n> hold all\n\nplan\n", []string{"plan"}},
		{"French introduction, nothing marked", "plan\nLe 1 déc. 2026 à 09:00, Desk a écrit :\nhold all\n", []string{"plan"}},
		{"name first", "Desk schrieb am 1.12.2026:\n> hold all\n\nplan\n", []string{"plan"}},
		{"bars", "| hold all\nplan\n", []string{"plan"}},
		{"initials", "AN> hold all\nplan\n", []string{"plan"}},
		{"quoted twice, indented", "  >> hold all\n > > release all\nplan\n", []string{"plan"}},
		{"our own transcript quoted", "> > hold all\n> OK: nothing leaves\nplan\n", []string{"plan"}},
		{"regards", "plan\nBest regards, ana\nhold all\n", []string{"plan"}},
		{"byte order mark", "\ufeffplan\n", []string{"plan"}},
		{"quote never closed", "hold acme because \"oops\nrelease globex\n", []string{`hold acme because "oops`, "release globex"}},
		{"no command at all", "Hello,\nplease look.\n", []string{"Hello,", "please look."}},
		{"nothing", "\n\n", nil},
	} {
		if got := CommandLines(c.mail); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		word string
		want []string
	}{
		{"invte", []string{"invite"}},
		{"plna", []string{"plan"}},
		{"aprove", []string{"approve"}},
		{"EMBRAGO", []string{"embargo"}},
		{"hist", []string{"history"}},
		{"xylophone", nil},
	} {
		if got := nearestWords(c.word, firstWords()); !slices.Equal(got, c.want) {
			t.Errorf("near %q: %q, want %q", c.word, got, c.want)
		}
	}
}

// Every command has a usage that begins with its words, a help text, and is
// found by them; no two share their words.
func TestCommandTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range commands() {
		if seen[c.words] {
			t.Errorf("%s stands twice in the table", c.words)
		}
		seen[c.words] = true
		if c.usage == "" || c.help == "" || c.run == nil || !strings.HasPrefix(c.usage, c.words) {
			t.Errorf("%s lacks something: %q, %q", c.words, c.usage, c.help)
		}
		words, err := lex(c.words)
		if err != nil {
			t.Fatal(err)
		}
		if got, n, err := find(words); err != nil || got.words != c.words || n != len(words) {
			t.Errorf("%s is found as %q, %d, %v", c.words, got.words, n, err)
		}
	}
}

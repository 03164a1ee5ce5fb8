package mailflow

import (
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"parley/mailflow/cvd"
)

// nothingShared: of all that any two vendors got, decrypted, nothing is the same
// but for the words that everybody reads (rules V1, V2).
func (h *history) nothingShared() {
	h.tokens = map[string]string{}
	for id, c := range h.o.cases {
		for v := range c.seats {
			h.tokens[v+" in "+string(id)] = h.participant(id, cvd.PartyID(v)).Token
		}
	}
	if why := sharedMarks(h.mails); why != "" {
		h.t.Fatalf("shared: %s", why)
	}
	for _, m := range h.mails {
		if word := m.find(h.foreign(m)); word != "" {
			h.t.Fatalf("told: %q to %s holds %q\n%s", m.Subject, m.party, word, m.everything())
		}
	}
	if why := wordsOfBoth(h.mails, h.commonWords()); why != "" {
		h.t.Fatalf("shared words: %s", why)
	}
}

// foreign are the words and names of others that a mail must not hold: those of
// other vendors, and of other cases, if it is its own vendor's. Who made a statement
// is named at publication.
func (h *history) foreign(m historyMail) []string {
	var out []string
	for _, v := range historyParties {
		c := h.o.cases[m.id]
		if v == m.party || c != nil && m.stage.Rank() >= cvd.Advisory.Rank() && c.seats[v] != nil && c.seats[v].statement {
			continue
		}
		if out = append(out, vendorWords[v]); v != m.of { // whom an introduction names, and nothing else of it
			out = append(out, v+".example", v)
		}
		for _, key := range historyKeys {
			out = append(out, h.holder(v, key).Fingerprint())
		}
	}
	for i, id := range h.ids {
		if id != m.id {
			out = append(out, string(id), strings.ToLower(strings.ReplaceAll(string(id), "-", "")), fmt.Sprintf("number%d", i))
		}
		for v := range h.o.cases[id].seats {
			if v != m.party || id != m.id {
				out = append(out, h.tokens[v+" in "+string(id)])
			}
		}
	}
	return append(out, h.DeskDomain, "ana@", "ben@")
}

// A marks is what may stand in the mails of one kind of reader only, by what it is.
type marks map[string]string

var (
	codeMark        = regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}\b`)
	calendarUID     = regexp.MustCompile(`(?m)^UID:(.*?)\r?$`)
	numberMark      = regexp.MustCompile(`(?:^|[^-0-9A-Za-z])[NDTU]\d+(?:[^-0-9A-Za-z]|$)`)
	fingerprintMark = regexp.MustCompile(`(?:[0-9A-F]{4} ){9}[0-9A-F]{4}`)
	randomID        = regexp.MustCompile(`^<[0-9a-f]{32}@vdp\.example\.org>$`)
	armorLine       = regexp.MustCompile(`(?m)^[A-Za-z0-9+/]{60,64}\r?$`)
)

// sharedMarks finds what stands in two mails and may stand in one only, and what
// stands in mails to two vendors, or of two cases, and may stand in those of one.
func sharedMarks(mails []historyMail) string {
	once, own := marks{}, marks{}
	for i, m := range mails {
		here, whose := fmt.Sprintf("mail %d (%s)", i, m.party), m.party+" in "+string(m.id)
		if !randomID.MatchString(m.Outer.Get("Message-Id")) {
			return "Message-ID " + m.Outer.Get("Message-Id") + " is not random"
		}
		if n := numberMark.FindString(fingerprintMark.ReplaceAllString(m.everything(), "")); n != "" {
			return fmt.Sprintf("%s holds the number %s, which counts over all", here, n)
		}
		single := append(boundaries(m.letterGot), m.From, m.Outer.Get("Message-Id"))
		if !m.Clear {
			body := string(m.Raw)[strings.Index(string(m.Raw), "BEGIN PGP MESSAGE"):]
			single = append(single, armorLine.FindAllString(body, -1)...)
		}
		for _, s := range single {
			if before := once[s]; before != "" && before != here {
				return fmt.Sprintf("%q stands in %s and in %s", s, before, here)
			}
			once[s] = here
		}
		if m.Clear {
			continue
		}
		for _, s := range m.ownMarks() {
			if before := own[s]; before != "" && before != whose {
				return fmt.Sprintf("%q is of %s and of %s", s, before, whose)
			}
			own[s] = whose
		}
		for _, k := range m.Keys {
			s := fmt.Sprintf("%X", k)
			if before := own[s]; k == 0 || before != "" && before != m.party {
				return fmt.Sprintf("key %s is of %s and of %s", s, before, m.party)
			}
			own[s] = m.party
		}
	}
	return ""
}

// ownMarks belong to one vendor in one case: its addresses, one-time codes and the
// UID of its calendar.
func (m historyMail) ownMarks() []string {
	out := []string{m.Outer.Get("From"), m.Outer.Get("Reply-To")}
	for _, code := range codeMark.FindAllString(m.Text, -1) {
		if strings.ContainsAny(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") { // or it is the number of a case
			out = append(out, code)
		}
	}
	for _, uid := range calendarUID.FindAllStringSubmatch(m.Files["embargo.ics"], -1) {
		out = append(out, uid[1])
	}
	return out
}

// instantMark is a number, a piece of an instant, or a version of the embargo.
var instantMark = regexp.MustCompile(`^(\d+|\d*t\d+|\d+z|\d{8}t\d{6}z|v\d+)$`)

var wordMark = regexp.MustCompile(`[\p{L}\p{N}]+`)

// wordsOfBoth finds the words that two vendors read, and that are not common to
// all.
func wordsOfBoth(mails []historyMail, common map[string]bool) string {
	by, found := map[string]string{}, map[string]string{}
	for _, m := range mails {
		text := m.everything()
		for name, values := range m.Outer {
			if name != "Autocrypt" {
				text += "\n" + strings.Join(values, "\n")
			}
		}
		text = codeMark.ReplaceAllString(text, " ") // which ownMarks compares as a whole: halves are alike by chance
		for _, word := range wordMark.FindAllString(strings.ToLower(text), -1) {
			if common[word] || instantMark.MatchString(word) || word == m.of {
				continue
			}
			if before := by[word]; before != "" && before != m.party {
				found[word] = fmt.Sprintf("%q (%s, %s: %s)", word, before, m.party, m.Subject)
			}
			by[word] = m.party
		}
	}
	return strings.Join(slices.Sorted(maps.Values(found)), ", ")
}

// formatWords are those of mail and calendars (RFC 5545), which libraries write.
const formatWords = "vcalendar vevent version prodid method publish cancel begin end dtstamp dtstart dtend sequence summary transp transparent uid status " +
	"confirmed cancelled description mime multipart encrypted signed protocol application pgp boundary charset utf"

// commonWords are those of the templates and of what the program says, of our
// own key, and of the material that the cases share.
func (h *history) commonWords() map[string]bool {
	out := map[string]bool{}
	add := func(text string) {
		for _, word := range wordMark.FindAllString(strings.ToLower(text), -1) {
			out[word] = true
		}
	}
	for word := range saidWords() {
		out[word] = true
	}
	add(formatWords + " " + leakAddress + " " + h.Domain + " " + h.Subject + " " + h.fpr().Spaced() + " " + string(h.fpr()))
	for i := range h.words + 1 {
		add(fmt.Sprintf("shared%dfaq", i))
	}
	for _, m := range h.mails {
		add(string(m.id))
		for _, text := range textMark.FindAllString(m.everything(), -1) {
			if !slices.ContainsFunc(historyParties, func(v string) bool { return strings.Contains(text, vendorWords[v]) }) {
				add(text)
			}
		}
	}
	for d := range 12 * 31 {
		add(storyStart.Add(time.Duration(d) * cvd.Day).Format("Mon Monday Jan January"))
	}
	return out
}

// saidWords are the words of our templates, and of every string in the program.
var saidWords = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	add := func(text string) {
		for _, word := range wordMark.FindAllString(strings.ToLower(text), -1) {
			out[word] = true
		}
	}
	for _, dir := range []string{"../templates", ".", "cvd", "message", "calendar", "advisory", "../keyring/pgpmime"} {
		_ = fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			data, err := os.ReadFile(dir + "/" + path)
			switch {
			case err != nil:
			case strings.HasSuffix(path, ".tmpl"):
				add(string(data))
			case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
				for _, s := range stringsOf(data) {
					add(s)
				}
			}
			return err
		})
	}
	return out
})

// stringsOf are the string constants of a Go file.
func stringsOf(src []byte) (out []string) {
	var s scanner.Scanner
	set := token.NewFileSet()
	s.Init(set.AddFile("", set.Base(), len(src)), src, nil, 0)
	for {
		_, tok, lit := s.Scan()
		switch tok {
		case token.EOF:
			return out
		case token.STRING:
			if text, err := strconv.Unquote(lit); err == nil {
				out = append(out, text)
			}
		}
	}
}

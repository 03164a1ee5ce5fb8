package templates

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// Every language has every mail to parties and finders, and none to the desk.
func TestLanguagesAreComplete(t *testing.T) {
	t.Parallel()
	english, err := fs.Glob(mustSub(shipped, English), "*"+extension)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.DeleteFunc(english, func(n string) bool { return slices.Contains(deskMails, strings.TrimSuffix(n, extension)) })
	if len(want) != len(english)-len(deskMails) {
		t.Errorf("the mails to the desk are not all there: %q", deskMails)
	}
	for code := range locales() {
		got, err := fs.Glob(mustSub(shipped, code), "*"+extension)
		if err != nil || code != English && !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q (%v)", code, got, want, err)
		}
	}
}

// A mail that a language lacks, or a language that nobody speaks, is English:
// all of it, parts included.
func TestLanguageFallsBackToEnglish(t *testing.T) {
	t.Parallel()
	s, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	us := Us{Name: "Example CERT", Domain: "vdp.example.org", Fingerprint: "4B32 ADAC 11F0"}
	want, err := s.Known(Known{Us: us, Case: "PAR-2026-0007"})
	if err != nil {
		t.Fatal(err)
	}
	known := func(language string) Rendered {
		r, err := s.Known(Known{Us: us, To: To{Language: language}, Case: "PAR-2026-0007"})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if got := known("de"); got == want || !strings.Contains(got.Text, "Schlüssel (anbei)") {
		t.Errorf("in German:\n%s", got.Text)
	}
	delete(s.by["de"].mails, "known"+extension)
	for _, language := range []string{"de", "xx", "", "DE", "en"} {
		if got := known(language); got != want {
			t.Errorf("in %q:\n%s", language, got.Text)
		}
	}
	if got := s.Languages(); !slices.Equal(got, []string{"de", "en"}) {
		t.Errorf("the languages are %q", got)
	}
}

// Dates are in the language's own words, whatever the day.
func TestDatesInGerman(t *testing.T) {
	t.Parallel()
	l := german()
	rows := []struct {
		at          time.Time
		day, column string
	}{
		{time.Date(2024, 2, 29, 23, 59, 0, 0, time.UTC), "Do, 29. Februar 2024", "29. Feb."},
		{time.Date(2027, 1, 4, 0, 0, 0, 0, time.UTC), "Mo, 4. Januar 2027", "4. Jan."},
		{time.Date(2027, 3, 2, 0, 0, 0, 0, time.UTC), "Di, 2. März 2027", "2. März"},
		{time.Date(2027, 5, 5, 0, 0, 0, 0, time.UTC), "Mi, 5. Mai 2027", "5. Mai"},
		{time.Date(2027, 6, 4, 0, 0, 0, 0, time.UTC), "Fr, 4. Juni 2027", "4. Juni"},
		{time.Date(2027, 7, 3, 0, 0, 0, 0, time.UTC), "Sa, 3. Juli 2027", "3. Juli"},
		{time.Date(2027, 10, 31, 0, 0, 0, 0, time.UTC), "So, 31. Oktober 2027", "31. Okt."},
		{time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC), "Do, 31. Dezember 2026", "31. Dez."},
	}
	for _, row := range rows {
		if day, column := l.write(row.at, l.day), l.dayMonth(row.at); day != row.day || column != row.column {
			t.Errorf("%s is %q and %q", row.at, day, column)
		}
	}
	late := time.Date(2026, 12, 4, 16, 5, 0, 0, time.UTC)
	if got := untie(l.at(late, "Asia/Tokyo")); got != "Fr, 4. Dezember 2026, 16:05 UTC (Sa 01:05 Tokyo)" {
		t.Error(got)
	}
	if got := l.size(2_310_000); got != "2,3 MB" || l.dayMonth(time.Time{}) != "-" {
		t.Error(got)
	}
	english := regexp.MustCompile(`[<>{}]|\b(Mon|Tue|Wed|Thu|Sat|Sun|Jan |Mar|May|Oct|Dec)\b`)
	for day := range 800 {
		at := late.AddDate(0, 0, day)
		for _, form := range []string{l.day, l.short, l.full, l.column} {
			if got := l.write(at, form); english.MatchString(got) {
				t.Fatalf("%s is %q", at, got)
			}
		}
		if want := at.Format("Mon 2 January 2006"); deskWords.write(at, deskWords.day) != want {
			t.Fatalf("%s in English is %q", at, deskWords.write(at, deskWords.day))
		}
	}
}

// commandWords are the words of a line that are typed as they stand, and the
// case, version and code.
var commandWords = regexp.MustCompile(`^(ACCEPT|ACK|DECLINE|STATUS|PROPOSE|READY|SUGGEST|HISTORY|STATE|TALK|FREEZE|STATEMENT|CREDIT|ANONYMOUS|REVEAL|REQUEST|CONSENT|REFUSE|LEAK|PUBLISHED|EXPLOITED|HELP)$|^(affected|not-affected|fixed|investigating|on|BY|PAR-2026-0007|v\d+|K7Q3-X9PM)$`)

// Whatever the language, the lines to answer with are the same but for what
// stands for the reader's own words.
func TestCommandsAreTheSameInEveryLanguage(t *testing.T) {
	t.Parallel()
	s, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	lines := func(r Rendered, err error) (out []string) {
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(r.Text) {
			words := slices.DeleteFunc(strings.Fields(line), func(w string) bool { return !commandWords.MatchString(w) })
			if strings.HasPrefix(line, "    ") && line[4] != ' ' && slices.Contains(words, "PAR-2026-0007") {
				out = append(out, strings.Join(words, " "))
			}
		}
		return out
	}
	at := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	us := Us{Name: "Example CERT", Domain: "vdp.example.org", Fingerprint: "4B32 ADAC 11F0"}
	for _, x := range slices.Concat(stageSamples(us, at), answerSamples(us, at), leakSamples(us, at)) {
		if slices.Contains(deskMails, x.name) {
			continue
		}
		english := lines(s.by[English].render(x.name, x.view))
		if german := lines(s.by["de"].render(x.name, x.view)); !slices.Equal(german, english) {
			t.Errorf("%s: %q\nwant %q", x.name, german, english)
		}
		if asks := strings.Contains(fmt.Sprint(english), "REQUEST"); x.name == string(cvd.HeadsUp) && len(english) != 3 && !(asks && len(english) == 4) || x.name == "embargo" && len(english) != 1 {
			t.Errorf("%s has the lines %q", x.name, english)
		}
	}
}

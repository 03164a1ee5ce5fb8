package templates

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// A field that Notice gains is decided on: it is in a heads-up, or named here.
func TestV4_HeadsUpView(t *testing.T) {
	t.Parallel()
	later := map[string]bool{"Accepted": true, "Material": true, "Annex": true, "Mitigation": true, "FAQ": true, "Files": true,
		"Matrix": true, "Credits": true, "Clear": true}
	full, part := reflect.TypeFor[Notice](), reflect.TypeFor[headsUp]()
	for i := range full.NumField() {
		f := full.Field(i)
		got, ok := part.FieldByName(f.Name)
		if ok == later[f.Name] || (ok && got.Type != f.Type) {
			t.Errorf("%s: in a heads-up: %v", f.Name, ok)
		}
	}
	now := time.Now()
	n := Notice{Us: Us{"n", "d", "f"}, To: To{"de", "list"}, Case: "c", Stage: "s", Number: 1, Of: 2, TLP: "t", Code: "k", Version: 3, ReplyBy: now, End: now,
		Zone: "z", Severity: "v", Product: "p", Steps: []Step{{}}, Reminder: true, OnRequest: "o"}
	v := reflect.ValueOf(headsUpOf(n))
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not handed on", part.Field(i).Name)
		}
	}
}

func TestHang(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 80)
	rows := []struct{ label, text, want string }{
		{"", "", ""},
		{"Attached: ", "", "Attached: "},
		{"", " a\n\tb ", "a b"},
		{"  1. ", strings.Repeat("word ", 20), "  1. word word word word word word word word word word word word word\n     word word word word word word word"},
		{"", "a " + long + " b", "a\n" + long + "\nb"},
		{"", strings.Repeat("漢字 ", 15), strings.Repeat("漢字 ", 13) + "漢字\n漢字"},
		{"", whole(strings.Repeat("a ", 30)) + " " + whole("b c d e f g h i j k"), whole(strings.Repeat("a ", 30)) + "\n" + whole("b c d e f g h i j k")},
	}
	for _, row := range rows {
		if got := hang(row.label, row.text); got != row.want {
			t.Errorf("hang(%q, %q):\n%s\nwant\n%s", row.label, row.text, got, row.want)
		}
	}
}

func TestProse(t *testing.T) {
	t.Parallel()
	got := prose("To go on: look at `plan` of each case, and hold what must\nnot go, then\n    sending resume    now\n\nor wait")
	want := "To go on: look at `plan` of each case, and hold what must not go, then\n    sending resume    now\n\nor wait"
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestWrittenAndTidy(t *testing.T) {
	t.Parallel()
	rows := []struct{ text, want string }{
		{"\n\n a \n\n\n", " a \n"},
		{"a\r\n\r\n\r\nb\t", "a\n\n\nb\t\n"},
		{"a\x00b", "ab\n"},
		{" \n\t\n", "\n"},
	}
	for _, row := range rows {
		if got := tidy("\n\n" + written(row.text) + "\n\n\n"); got != row.want {
			t.Errorf("%q became %q", row.text, got)
		}
	}
	if got := tidy("\n \na \n\n\n\n b\t\n  " + written("c ") + "\n\n"); got != "a\n\n b\n  c \n" {
		t.Errorf("got %q", got)
	}
}

func TestBanner(t *testing.T) {
	t.Parallel()
	rows := []struct {
		parts []string
		want  string
	}{
		{[]string{"TLP:RED", "case X"}, "TLP:RED      case X"},
		{[]string{"", "case X", ""}, "case X"},
		{nil, ""},
		{[]string{strings.Repeat("a", 40), strings.Repeat("b", 29)}, strings.Repeat("a", 40) + "   " + strings.Repeat("b", 29)},
		{[]string{strings.Repeat("a", 40), strings.Repeat("b", 31)}, strings.Repeat("a", 40) + "\n" + strings.Repeat("b", 31)},
	}
	for _, row := range rows {
		if got := banner(row.parts...); got != row.want {
			t.Errorf("%q became %q", row.parts, got)
		}
	}
}

func TestAt(t *testing.T) {
	t.Parallel()
	at9 := time.Date(2026, 12, 4, 16, 5, 0, 0, time.FixedZone("", 3600))
	rows := map[string]string{
		"":                    "Fri 4 December 2026, 15:05 UTC",
		"UTC":                 "Fri 4 December 2026, 15:05 UTC",
		"No/Where":            "Fri 4 December 2026, 15:05 UTC",
		"Europe/Berlin":       "Fri 4 December 2026, 15:05 UTC (16:05 Berlin)",
		"America/New_York":    "Fri 4 December 2026, 15:05 UTC (10:05 New York)",
		"Asia/Tokyo":          "Fri 4 December 2026, 15:05 UTC (Sat 00:05 Tokyo)",
		"Etc/GMT+5":           "Fri 4 December 2026, 15:05 UTC (10:05 UTC-05:00)",
		"Japan":               "Fri 4 December 2026, 15:05 UTC (Sat 00:05 UTC+09:00)",
		"../../../etc/passwd": "Fri 4 December 2026, 15:05 UTC",
	}
	for zone, want := range rows {
		if got := untie(at(at9, zone)); got != want {
			t.Errorf("%q: %s", zone, got)
		}
	}
}

func TestAgain(t *testing.T) {
	t.Parallel()
	const id = cvd.CaseID("PAR-2026-0007")
	rows := []struct {
		id            cvd.CaseID
		subject, want string
	}{
		{id, "your builds", "your builds"},
		{id, "Re: your builds", "Re: your builds"},
		{id, "Re: TLP:AMBER+STRICT [PAR-2026-0007] 1/6 Heads-up - reply by Fri 4 Dec", "Re: 1/6 Heads-up - reply by Fri 4 Dec"},
		{id, "RE: TLP:RED [par-2026-0007] Re: TLP:RED [PAR-2026-0007] Re: builds", "Re: builds"},
		{id, "TLP:RED [PAR-2026-0007] [PAR-2026-0007] builds", "builds"},
		{id, "TLP:RED, please", "TLP:RED, please"}, // a person's own mark stays
		{id, "Re: [PAR-2026-0008] builds", "Re: [PAR-2026-0008] builds"},
		{id, "Re: [PAR-2026-0007]", "Re: "},
		{"", "Re: [intake-17] We have your report", "Re: [intake-17] We have your report"},
	}
	for _, row := range rows {
		if got := again(row.id, row.subject); got != row.want {
			t.Errorf("%q became %q", row.subject, got)
		}
	}
}

func TestSmallWords(t *testing.T) {
	t.Parallel()
	rows := [][2]string{
		{deskWords.size(0), "0 B"}, {deskWords.size(999), "999 B"}, {deskWords.size(1000), "1 kB"}, {deskWords.size(999_499), "999 kB"}, {deskWords.size(999_500), "1.0 MB"}, {deskWords.size(52_428_800), "52.4 MB"},
		{cut("heap", 4), "heap"}, {cut("overflow", 6), "over.."}, {cut("heap overflow", 7), "heap.."}, {cut("漢字漢字", 6), "漢字.."},
		{sentence(""), ""}, {sentence("no key "), "no key."}, {sentence("Really?"), "Really?"},
		{some(1, "thing", "things"), "1 thing"}, {some(0, "thing", "things"), "0 things"},
		{fit("Not done: ", "this", ""), "Not done: this"},
		{oneline(" a\r\n\u202eb "), "a b"},
		{agenda(nil), ""}, {agenda([]string{"soon"}), "NEXT        soon"},
	}
	for _, row := range rows {
		if row[0] != row[1] {
			t.Errorf("got %q, want %q", row[0], row[1])
		}
	}
	if got := fit(strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("c", 10)); len(got) != subjectColumns {
		t.Errorf("%d characters: %s", len(got), got)
	}
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 12, 10, 9, 0, 0, 0, time.UTC)
	v := CaseFile{Start: start, End: start.Add(90 * cvd.Day)}
	for day, mark := range map[int]int{-5: 0, 0: 0, 45: 28, 90: 55, 200: 55} {
		v.Now = start.Add(time.Duration(day) * cvd.Day)
		bar, below, _ := strings.Cut(timeline(v), "\n")
		if strings.IndexByte(bar, 'o') != 7+mark || strings.IndexByte(below, '^') != 7+mark || len(bar) > columns || len(below) > columns {
			t.Errorf("day %d:\n%s\n%s", day, bar, below)
		}
	}
	if got := timeline(CaseFile{Now: start}); got != "" {
		t.Errorf("not started: %q", got)
	}
}

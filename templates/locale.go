package templates

import (
	"fmt"
	"strings"
	"time"

	"parley/mailflow/cvd"
)

// English is the language of every mail that a reader's own language lacks.
const English = "en"

// locale is what a language needs beside its templates: how it writes dates and
// numbers, and the words that are not typed as commands.
//
// Layouts are those of package time, with <Mon> and <Jan> for short names and
// {January} for long ones in the language's own words.
type locale struct {
	day, short, full string // "Fri 4 December 2026", "Fri 4 Dec", "Fri 4 Dec 2026"
	column           string // "4 Dec"
	weekday          string // "Fri"
	by               string // before a deadline
	comma            string // of decimals
	names            *strings.Replacer
	stages           map[cvd.Stage]string
	severities       map[string]string
	levels           map[cvd.Level]string
	files            string // in the place of a text that was not written, where there are files
}

// SeeFiles stands in a language in the place of a text of which there are only
// files.
func SeeFiles(language string) string {
	if l, ok := locales()[language]; ok {
		return l.files
	}
	return deskWords.files
}

// deskWords is the locale of mails to the desk.
var deskWords = english()

func at(t time.Time, zone string) string { return deskWords.at(t, zone) }

func dayMonth(t time.Time) string { return deskWords.dayMonth(t) }

// locales are the languages that Parley speaks.
func locales() map[string]*locale { return map[string]*locale{English: english(), "de": german()} }

func english() *locale {
	return &locale{
		day: "<Mon> 2 {January} 2006", short: "<Mon> 2 <Jan>", full: "<Mon> 2 <Jan> 2006", column: "2 <Jan>", weekday: "<Mon>",
		by: ": by ", comma: ".", files: "See the files attached.",
		names: named("Mon Tue Wed Thu Fri Sat Sun", "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
			"January February March April May June July August September October November December"),
	}
}

func german() *locale {
	return &locale{
		day: "<Mon>, 2. {January} 2006", short: "<Mon>, 2. <Jan>", full: "<Mon>, 2. <Jan> 2006", column: "2. <Jan>", weekday: "<Mon>",
		by: ": bis ", comma: ",", files: "Siehe die Dateien im Anhang.",
		names: named("Mo Di Mi Do Fr Sa So", "Jan. Feb. März Apr. Mai Juni Juli Aug. Sep. Okt. Nov. Dez.",
			"Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
		stages: map[cvd.Stage]string{cvd.HeadsUp: "Vorwarnung", cvd.Scope: "Umfang", cvd.Details: "Details",
			cvd.Proof: "Nachweis", cvd.Advisory: "Meldung", cvd.Public: "öffentlich"},
		severities: map[string]string{"low": "gering", "medium": "mittel", "high": "hoch", "critical": "kritisch"},
		levels:     map[cvd.Level]string{cvd.Rumour: "Gerüchte", cvd.DetailsOut: "Details", cvd.ExploitOut: "Exploit"},
	}
}

// named replaces the English names that package time writes, each within the
// brackets that a layout has around it.
func named(weekdays, short, long string) *strings.Replacer {
	monday := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	var pairs []string
	for i, w := range strings.Fields(weekdays) {
		pairs = append(pairs, monday.AddDate(0, 0, i).Format("<Mon>"), w)
	}
	for i, m := range strings.Fields(short) {
		pairs = append(pairs, "<"+time.Month(i + 1).String()[:3]+">", m)
	}
	for i, m := range strings.Fields(long) {
		pairs = append(pairs, "{"+time.Month(i+1).String()+"}", m)
	}
	return strings.NewReplacer(pairs...)
}

// write is an instant, where it is, in a layout of the language.
func (l *locale) write(t time.Time, layout string) string { return l.names.Replace(t.Format(layout)) }

// at writes an instant in UTC, and in the reader's zone where that is known
// (an IANA name; one that is not is left out).
func (l *locale) at(t time.Time, zone string) string {
	s := l.dateTime(t, "15:04")
	loc, err := time.LoadLocation(zone)
	if zone == "" || zone == "UTC" || err != nil {
		return s
	}
	local := t.In(loc)
	form := "15:04"
	if local.Format(time.DateOnly) != t.UTC().Format(time.DateOnly) {
		form = l.weekday + " 15:04"
	}
	return s + " " + whole(fmt.Sprintf("(%s %s)", l.write(local, form), city(zone, local)))
}

// dateTime is an instant whose date and whose time stay on one line each.
func (l *locale) dateTime(t time.Time, clock string) string {
	return whole(l.write(t.UTC(), l.day+",")) + " " + whole(t.UTC().Format(clock+" UTC"))
}

// city is how people call a zone: by its city, else by its distance from UTC,
// since "Etc/GMT+5" means the opposite of what it says.
func city(zone string, local time.Time) string {
	i := strings.LastIndexByte(zone, '/')
	if i < 0 || strings.HasPrefix(zone, "Etc/") {
		return "UTC" + local.Format("-07:00")
	}
	return strings.ReplaceAll(zone[i+1:], "_", " ")
}

func (l *locale) deadline(t time.Time, zone string) string {
	if t.IsZero() {
		return ""
	}
	return l.by + l.at(t, zone)
}

// dayMonth is the date as it stands in a column, "-" where there is none.
func (l *locale) dayMonth(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return l.write(t.UTC(), l.column)
}

// stage is what people call a stage. The Subject and the commands keep its tag.
func (l *locale) stage(s cvd.Stage) string {
	if word, ok := l.stages[s]; ok {
		return word
	}
	return string(s)
}

func (l *locale) severity(band string) string {
	if word, ok := l.severities[band]; ok {
		return word
	}
	return band
}

// level is how much of a case leaked. The commands keep its tag.
func (l *locale) level(v cvd.Level) string {
	if word, ok := l.levels[v]; ok {
		return word
	}
	return string(v)
}

// size writes octets for people.
func (l *locale) size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 999_500:
		return fmt.Sprintf("%d kB", (n+500)/1000)
	}
	return strings.ReplaceAll(fmt.Sprintf("%.1f MB", float64(n)/1e6), ".", l.comma)
}

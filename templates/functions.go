package templates

import (
	"fmt"
	"regexp"
	"strings"
	"text/template"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
)

// functions are what a template may call, beside those of text/template:
//
//	day, short, full, at, exact    an instant, from "Fri 4 December 2026" to
//	                               one with seconds; at adds the reader's zone
//	instant, exactly, deadline     the same on lines that stay; ": by" an instant, or nothing
//	stage, severity, level         their words, where they are no commands
//	wrap TEXT                      a paragraph, filled
//	hang LABEL TEXT                the same behind a label, further lines indented
//	prose TEXT                     paragraphs, filled; indented lines stay
//	fill NAME VIEW                 a paragraph that is a template of its own, filled
//	result RESULT                  what came of a command, by a template "answer: ..."
//	written TEXT                   what a person wrote, as it stands
//	tlp LABEL                      "TLP:GREEN", or nothing
//	rule TITLE, banner PARTS...    a heading over the whole line; one of several parts
//	choices LINE MEANING ...       lines to answer with, and what each means
//	steps, files, size             what is learned when; attachments; octets
//	matrix, timeline, agenda       the case file's tables
//	tail, needs, embargo, deskOf   the end of its Subject, and its facts
//	parts, dates, listed, local    a digest's lists, and its day where the reader is
//	labels LINES                   each "LABEL  text", the text behind its label
//	rows                           the approval's
//	again CASE SUBJECT             a Subject without the marks of an earlier letter
//	oneline, fit, sentence, some   one line; one line cut to a Subject's length;
//	                               a full stop at its end; "1 thing", "2 things"
func functions(t *template.Template, l *locale) template.FuncMap {
	return template.FuncMap{
		"day":      func(t time.Time) string { return whole(l.write(t.UTC(), l.day)) },
		"short":    func(t time.Time) string { return l.write(t.UTC(), l.short) },
		"full":     func(t time.Time) string { return l.write(t.UTC(), l.full) },
		"exact":    func(t time.Time) string { return l.dateTime(t, "15:04:05") },
		"instant":  func(t time.Time) string { return l.write(t.UTC(), l.full+", 15:04 UTC") },
		"at":       l.at,
		"exactly":  func(t time.Time) string { return l.write(t.UTC(), l.day+", 15:04 UTC") },
		"deadline": l.deadline,
		"stage":    l.stage,
		"severity": l.severity,
		"level":    l.level,
		"wrap":     func(s string) string { return hang("", s) },
		"hang":     hang,
		"prose":    prose,
		"fill":     filler(t),
		"result":   resulter(t),
		"written":  written,
		"tlp":      tlp,
		"rule":     rule,
		"banner":   banner,
		"choices":  choices,
		"steps":    l.steps,
		"files":    files,
		"size":     l.size,
		"matrix":   matrix,
		"timeline": timeline,
		"agenda":   agenda,
		"labels":   labels,
		"needs":    needs,
		"tail":     caseTail,
		"embargo":  embargo,
		"deskOf":   deskOf,
		"parts":    digestParts,
		"dates":    digestDates,
		"listed":   listed,
		"local":    localDay,
		"rows":     approvalRows,
		"again":    again,
		"oneline":  oneline,
		"fit":      fit,
		"sentence": sentence,
		"some":     some,
	}
}

// filler executes a template of its own and fills what it says as one
// paragraph, so that a paragraph with conditions in it reads well.
func filler(t *template.Template) func(string, any) (string, error) {
	return func(name string, view any) (string, error) {
		var b strings.Builder
		if err := t.ExecuteTemplate(&b, name, view); err != nil {
			return "", err
		}
		return hang("", b.String()), nil
	}
}

// resulter writes what came of a command, by the template that its word names.
func resulter(t *template.Template) func(Result) (string, error) {
	return func(r Result) (string, error) {
		if r.Word == "" {
			return r.Text, nil
		}
		var b strings.Builder
		err := t.ExecuteTemplate(&b, "answer: "+r.Word, r)
		return b.String(), err
	}
}

func tlp(label cvd.TLP) string {
	if label == "" {
		return ""
	}
	return "TLP:" + string(label)
}

// again takes from the Subject of a reply what an earlier letter of ours put
// there, so that it does not grow with every exchange; "Re:" stays.
func again(id cvd.CaseID, subject string) string {
	if id == "" {
		return subject
	}
	mark := regexp.MustCompile(`(?i)^(re:\s*)?(TLP:\S+ +)?\[` + regexp.QuoteMeta(string(id)) + `\]\s*`)
	reply := false
	for m := mark.FindStringSubmatch(subject); m != nil; m = mark.FindStringSubmatch(subject) {
		reply = reply || m[1] != ""
		subject = subject[len(m[0]):]
	}
	if reply && !strings.HasPrefix(strings.ToLower(subject), "re:") {
		return "Re: " + subject
	}
	return subject
}

// oneline makes a text fit for a header of a mail to the desk, which must not
// fail over what came from outside.
func oneline(s string) string {
	s = strings.Map(func(r rune) rune {
		if message.CheckHeaderValue(string(r)) != nil {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if message.CheckHeaderValue(s) != nil { // an encoded word that hides something
		s = strings.ReplaceAll(s, "=?", "= ?")
	}
	return strings.Join(strings.Fields(s), " ")
}

// fit joins three pieces and cuts the one in the middle so that they make a
// Subject of at most 78 characters, the length of line that RFC 5322 section
// 2.1.1 recommends.
func fit(before, s, after string) string {
	return before + cut(s, subjectColumns-columnsOf(before)-columnsOf(after)) + after
}

// sentence ends a text with a full stop where it does not end already.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

// some counts: "1 thing", "2 things".
func some(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

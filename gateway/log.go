package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// newLog writes text lines that hold ids only (rule H6): redact stands between
// every record and the writer, whoever makes the record.
func newLog(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(redactor{slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})})
}

// redactor is a handler that takes out of a record what could be content:
// values under telling keys, addresses, quoted text, values of types that do
// not say how they are to be logged.
type redactor struct{ next slog.Handler }

func (r redactor) Enabled(ctx context.Context, l slog.Level) bool { return r.next.Enabled(ctx, l) }

func (r redactor) Handle(ctx context.Context, rec slog.Record) error {
	clean := slog.NewRecord(rec.Time, rec.Level, scrub(rec.Message), rec.PC)
	rec.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(redact(a))
		return true
	})
	return r.next.Handle(ctx, clean)
}

func (r redactor) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = redact(a)
	}
	return redactor{r.next.WithAttrs(clean)}
}

func (r redactor) WithGroup(name string) slog.Handler { return redactor{r.next.WithGroup(name)} }

// telling are the keys under which content would stand.
var telling = []string{
	"subject", "from", "to", "cc", "rcpt", "sender", "recipient", "address", "mailbox", "folder",
	"name", "filename", "file", "title", "text", "body", "password", "token", "code", "secret", "line", "data",
}

const removed = "[removed]"

func redact(a slog.Attr) slog.Attr {
	if slices.Contains(telling, strings.ToLower(a.Key)) {
		return slog.String(a.Key, removed)
	}
	return slog.Attr{Key: a.Key, Value: redactValue(a.Value.Resolve())}
}

func redactValue(v slog.Value) slog.Value {
	switch v.Kind() {
	case slog.KindString:
		return slog.StringValue(scrub(v.String()))
	case slog.KindGroup:
		group := slices.Clone(v.Group())
		for i := range group {
			group[i] = redact(group[i])
		}
		return slog.GroupValue(group...)
	case slog.KindAny:
		return redactAny(v.Any())
	}
	return v // numbers, truth values, instants
}

func redactAny(v any) slog.Value {
	switch v := v.(type) {
	case nil:
		return slog.StringValue("none")
	case error:
		return slog.StringValue(scrub(v.Error()))
	case time.Duration, time.Time:
		return slog.AnyValue(v)
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.String { // a named word, as cvd.CaseID
		return slog.StringValue(scrub(r.String()))
	}
	return slog.StringValue(fmt.Sprintf("[%T]", v))
}

// What scrub takes out of text: mail addresses and their tokens, text that
// was quoted into a message, armor. Most texts of a log hold none of the octets that
// these turn on, which is seen sooner than that no expression matches.
var (
	armorText  = regexp.MustCompile(`(?s)-----BEGIN .*`)
	quotedText = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`|“[^”]*”")
	mailText   = regexp.MustCompile(`[^\s<>"(),:;=\[\]]+@[^\s<>"(),:;\[\]]+`)
)

// maxLogText is the longest text of a record in bytes: content is long, ids
// are not.
const maxLogText = 400

func scrub(s string) string {
	if strings.ContainsAny(s, "@\"`") || strings.Contains(s, "“") || strings.Contains(s, "-----BEGIN ") {
		s = armorText.ReplaceAllString(s, "[armor]")
		s = quotedText.ReplaceAllString(s, "[quoted]")
		s = mailText.ReplaceAllString(s, "[address]")
	}
	if len(s) > maxLogText {
		s = strings.ToValidUTF8(s[:maxLogText], "") + "…"
	}
	return s
}

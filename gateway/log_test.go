package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// TestH6_LogsHoldIDsOnly puts a canary wherever somebody could by mistake.
func TestH6_LogsHoldIDsOnly(t *testing.T) {
	t.Parallel()
	const canary = "canary7f3a"
	type record struct{ Title string }
	for name, log := range map[string]func(*slog.Logger){
		"subject":          func(l *slog.Logger) { l.Info("report", "subject", canary) },
		"key in capitals":  func(l *slog.Logger) { l.Info("report", "Subject", canary) },
		"from":             func(l *slog.Logger) { l.Debug("report", "from", canary) },
		"address":          func(l *slog.Logger) { l.Info("report", "peer", canary+"@example.org") },
		"angle brackets":   func(l *slog.Logger) { l.Info("report", "peer", "<"+canary+"@example.org>") },
		"token":            func(l *slog.Logger) { l.Info("bounce of case+" + canary + "@vdp.example.org") },
		"local part":       func(l *slog.Logger) { l.Info("to o'" + canary + "+x@vdp.example.org") },
		"quoted error":     func(l *slog.Logger) { l.Error("no", "err", fmt.Errorf("parse %q: bad", "Re: \""+canary)) },
		"back-quoted":      func(l *slog.Logger) { l.Error("no", "err", errors.New("parse `"+canary+"`: bad")) },
		"typographic":      func(l *slog.Logger) { l.Error("no", "err", errors.New("parse “"+canary+"”: bad")) },
		"armor":            func(l *slog.Logger) { l.Info("got", "x", "-----BEGIN PGP MESSAGE-----\n"+canary) },
		"struct":           func(l *slog.Logger) { l.Info("got", "x", record{canary}) },
		"pointer":          func(l *slog.Logger) { l.Info("got", "x", &record{canary}) },
		"bytes":            func(l *slog.Logger) { l.Info("got", "x", []byte(canary)) },
		"map":              func(l *slog.Logger) { l.Info("got", "x", map[string]string{"a": canary}) },
		"slice":            func(l *slog.Logger) { l.Info("got", "x", []string{canary}) },
		"group":            func(l *slog.Logger) { l.Info("got", slog.Group("g", "text", canary)) },
		"with":             func(l *slog.Logger) { l.With("title", canary).Info("got") },
		"with group":       func(l *slog.Logger) { l.WithGroup("g").With("x", record{canary}).Info("got", "body", canary) },
		"named string":     func(l *slog.Logger) { l.Info("got", "x", cvd.Stage(canary+"@example.org")) },
		"log value":        func(l *slog.Logger) { l.Info("got", "x", leaky(canary)) },
		"long":             func(l *slog.Logger) { l.Info("got", "x", strings.Repeat("a ", 300)+canary) },
		"error of errors":  func(l *slog.Logger) { l.Error("no", "err", errors.Join(fmt.Errorf("a %q", canary))) },
		"across the lines": func(l *slog.Logger) { l.Error("no", "err", errors.New("a \"b\n"+canary+"\n\" c")) },
	} {
		var b bytes.Buffer
		log(newLog(&b, slog.LevelDebug))
		if b.Len() == 0 || strings.Contains(b.String(), canary) {
			t.Errorf("%s: %s", name, &b)
		}
	}
}

// leaky says itself how it is logged, and is wrong.
type leaky string

func (l leaky) LogValue() slog.Value { return slog.StringValue("\"" + string(l) + "\"") }

func TestH6_IDsStay(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	newLog(&b, slog.LevelInfo).Info("notice sent", "case", cvd.CaseID("PAR-2026-0007"), "notice", 17, "stage", cvd.Details,
		"after", 3*time.Second, "at", time.Unix(0, 0).UTC(), "ok", true, "remote", "192.0.2.7", "err", error(nil),
		"key", "4B32ADAC00000000000000000000000000000000")
	for _, want := range []string{"notice sent", "case=PAR-2026-0007", "notice=17", "stage=details", "after=3s", "1970-01-01", "ok=true", "192.0.2.7", "err=none", "4B32ADAC"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is missing in %s", want, &b)
		}
	}
	if newLog(&b, slog.LevelInfo).Enabled(t.Context(), slog.LevelDebug) {
		t.Error("the level is not kept")
	}
}

// BenchmarkLog is the one line that the log gets for each mail.
func BenchmarkLog(b *testing.B) {
	log := newLog(io.Discard, slog.LevelInfo).With("conn", "0123456789ab")
	b.ReportAllocs()
	for b.Loop() {
		log.Info("reply", "verb", "DATA", "status", 250)
	}
}

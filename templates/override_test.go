package templates_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/templates"
)

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A template of one's own replaces the shipped one of that name and no other.
func TestOverride(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"receipt.tmpl": "Subject: [{{.Reference}}] Angekommen\r\n\r\nDanke.\r\n\r\n\r\n{{template \"foot\" .}}\r\n",
		"README":       "Subject: none of ours",
	})
	s, err := templates.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Receipt(templates.Receipt{Us: us, Reference: "intake-17"})
	if err != nil || r.Subject != "[intake-17] Angekommen" || !strings.HasPrefix(r.Text, "Danke.\n\nExample CERT\n") {
		t.Errorf("error %v; got %q:\n%s", err, r.Subject, r.Text)
	}
	want, err := builtin(t).Notice(notice(cvd.HeadsUp))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Notice(notice(cvd.HeadsUp)); err != nil || got != want {
		t.Errorf("another mail changed too: %v\n%s", err, got.Text)
	}
	parts := folder(t, map[string]string{"parts.tmpl": "{{define \"mark\"}}({{.Case}}) {{end}}"})
	if s, err = templates.Load(parts); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Notice(notice(cvd.HeadsUp)); err != nil || !strings.HasPrefix(got.Subject, "(PAR-2026-0007) 1/6 Heads-up") || got.Text != want.Text {
		t.Errorf("one part alone: %v, %q:\n%s", err, got.Subject, got.Text)
	}
	german := folder(t, map[string]string{"de/note.tmpl": "Subject: Bitte melden\n\nWir haben etwas für Sie.\n", "old/notes.txt": "{{"})
	if s, err = templates.Load(german); err != nil {
		t.Fatal(err)
	}
	note := templates.Note{Us: us, To: templates.To{Language: "de"}}
	if got, err := s.Note(note); err != nil || got.Subject != "Bitte melden" || got.Text != "Wir haben etwas für Sie.\n" {
		t.Errorf("one German mail: %v, %q:\n%s", err, got.Subject, got.Text)
	}
	note.Language = ""
	if got, err := s.Note(note); err != nil || !strings.HasPrefix(got.Text, "Something for you waits here") {
		t.Errorf("beside it: %v\n%s", err, got.Text)
	}
	if s, err = templates.Load(""); err != nil || s == nil {
		t.Errorf("no folder: %v", err)
	}
}

// A set that would break on a real mail is refused before it is used, and the
// error says where.
func TestV4_OverrideIsRefused(t *testing.T) {
	t.Parallel()
	rows := []struct{ what, file, text, want string }{
		{"does not parse", "heads-up.tmpl", "Subject: s\n\nline 3\n{{if .Code}}\nline 5 {{end}} {{end}}\n", "heads-up.tmpl:5"},
		{"Subject does not parse", "scope.tmpl", "Subject: {{.Case\n\ntext\n", "scope.tmpl:1"},
		{"unknown function", "note.tmpl", "Subject: s\n\n{{shout .Name}}\n", "note.tmpl:3"},
		{"missing field", "receipt.tmpl", "Subject: s\n\n{{.Name}}\n{{.Report}}\n", "receipt.tmpl:4"},
		{"missing field in the Subject", "receipt.tmpl", "Subject: {{.Report}}\n\ntext\n", "receipt.tmpl:1"},
		{"missing field in a condition", "details.tmpl", "Subject: s\n\ntext\n{{if .Mitigation}}{{.Mitigate}}{{end}}\n", "details.tmpl:4"},
		{"missing field where one is absent", "details.tmpl", "Subject: s\n\ntext{{if not .Mitigation}}\n{{.Mitigate}}{{end}}\n", "details.tmpl:4"},
		{"material in heads-up", "heads-up.tmpl", "Subject: s\n\n{{.Code}}\n{{.Material}}\n", "heads-up.tmpl:4"},
		{"annex in heads-up", "heads-up.tmpl", "Subject: {{.Annex}}\n\n{{.Code}}\n", "heads-up.tmpl:1"},
		{"files in a part that heads-up uses", "parts.tmpl", "{{define \"mark\"}}{{range .Files}}{{.}}{{end}}{{end}}", "parts.tmpl:1"},
		{"odd choices", "scope.tmpl", "Subject: s\n\n{{choices \"ACK\"}}\n", "scope.tmpl:3"},
		{"no Subject", "letter.tmpl", "{{.Text}}\n", "letter.tmpl:1"},
		{"no empty line", "letter.tmpl", "Subject: s\n{{.Text}}\n", "letter.tmpl:2"},
		{"empty Subject", "letter.tmpl", "Subject: \n\n{{.Text}}\n", "letter.tmpl:1"},
		{"Subject of an empty value", "letter.tmpl", "Subject: {{\"\"}}\n\n{{.Text}}\n", "render letter: the Subject"},
		{"empty text", "letter.tmpl", "Subject: s\n\n", "letter.tmpl:3"},
		{"no text but a part", "letter.tmpl", "Subject: s\n\n{{define \"foot\"}}x{{end}}\n", "letter.tmpl:3"},
		{"a header more", "letter.tmpl", "Subject: s{{\"\\n\"}}Bcc: x@example.org\n\n{{.Text}}\n", "render letter: Subject"},
		{"no mail of ours", "headsup.tmpl", "Subject: s\n\ntext\n", "headsup.tmpl is no mail"},
		{"unknown word of an answer", "answer.tmpl", "Subject: s\n\n{{range .Lines}}{{.Result.Meaning}}{{end}}\n", "answer.tmpl:3"},
		{"missing field in German", "de/receipt.tmpl", "Subject: s\n\n{{.Name}}\n{{.Report}}\n", "de/receipt.tmpl:4"},
		{"material in a German heads-up", "de/heads-up.tmpl", "Subject: s\n\n{{.Material}}\n", "de/heads-up.tmpl:3"},
		{"German for one kind alone", "de/contact.tmpl", "Subject: s\n\ntext\n{{if eq .Kind \"list\"}}{{.Case}}{{end}}\n", "de/contact.tmpl:4"},
		{"no Subject in German", "de/letter.tmpl", "{{.Text}}\n", "de/letter.tmpl:1"},
		{"German to the desk", "de/digest.tmpl", "Subject: s\n\ntext\n", "de/digest.tmpl is no mail"},
		{"a language that nobody speaks", "tlh/letter.tmpl", "Subject: s\n\n{{.Text}}\n", "tlh is the folder of no language of Parley's (de, en)"},
		{"English in a folder of its own", "en/letter.tmpl", "Subject: s\n\n{{.Text}}\n", "en is the folder of no language"},
	}
	for _, row := range rows {
		dir := folder(t, map[string]string{row.file: row.text})
		if _, err := templates.Load(dir); err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: got %v, want the folder and %q", row.what, err, row.want)
		}
	}
	if _, err := templates.Load(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("a folder that is not there gave the shipped templates")
	}
}

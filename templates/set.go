package templates

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"text/template"

	"parley/mailflow/message"
)

//go:embed en/*.tmpl
var shipped embed.FS

// Set is a complete set of templates, safe for use by several goroutines.
type Set struct{ t *template.Template }

// Builtin gives the templates that Parley brings along, in English.
func Builtin() (*Set, error) { return parse(shipped, "en", nil) }

// Load gives the shipped templates with those of a folder in their place,
// file by file (heads-up.tmpl, receipt.tmpl ...). Every template is executed
// against a sample before the set is used; an error names the file and line.
func Load(dir string) (*Set, error) {
	if dir == "" {
		return Builtin()
	}
	return parse(shipped, "en", os.DirFS(dir))
}

func parse(base fs.FS, dir string, over fs.FS) (*Set, error) {
	t := template.New("parley").Option("missingkey=error").Funcs(functions())
	files, err := fs.Glob(base, path.Join(dir, "*.tmpl"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		text, err := fs.ReadFile(base, f)
		if err != nil {
			return nil, err
		}
		name := path.Base(f)
		if over != nil {
			own, err := fs.ReadFile(over, name)
			if err == nil {
				text = own
			} else if !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("read template %s: %w", name, err)
			}
		}
		if _, err := t.New(name).Parse(string(text)); err != nil {
			return nil, fmt.Errorf("parse template: %w", err)
		}
	}
	s := &Set{t: t}
	return s, s.trySamples()
}

// render executes a template. Its first line is "Subject: ...", then an empty
// line, then the text.
func (s *Set) render(name string, view any) (Rendered, error) {
	var b strings.Builder
	if err := s.t.ExecuteTemplate(&b, name+".tmpl", view); err != nil {
		return Rendered{}, fmt.Errorf("render %s: %w", name, err)
	}
	head, text, ok := strings.Cut(b.String(), "\n\n")
	subject, found := strings.CutPrefix(head, "Subject: ")
	if !ok || !found {
		return Rendered{}, fmt.Errorf("render %s: it does not begin with a Subject and an empty line", name)
	}
	if err := message.CheckHeaderValue(subject); err != nil {
		return Rendered{}, fmt.Errorf("render %s: subject: %w", name, err)
	}
	return Rendered{Subject: strings.TrimSpace(subject), Text: tidy(text)}, nil
}

// tidy folds runs of empty lines, which absent fields leave, and long lines.
func tidy(text string) string {
	var out []string
	blank := true
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" && blank {
			continue
		}
		blank = line == ""
		out = append(out, line)
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n") + "\n"
}

// Notice renders a stage for one vendor by its own template. Only heads-up
// goes without material.
func (s *Set) Notice(v Notice) (Rendered, error) {
	if v.Material == "" && v.Annex == "" && v.Stage != "heads-up" {
		return Rendered{}, fmt.Errorf("render %s: there is no material", v.Stage)
	}
	return s.render(string(v.Stage), v)
}

// Receipt renders the answer to a report.
func (s *Set) Receipt(v Receipt) (Rendered, error) { return s.render("receipt", v) }

// HowTo renders the content-free answer with our key and three steps.
func (s *Set) HowTo(v HowTo) (Rendered, error) { return s.render("howto", v) }

// KeyAnswer renders the answer to report-key@.
func (s *Set) KeyAnswer(v HowTo) (Rendered, error) { return s.render("key", v) }

// Contact renders the first mail to a party without a usable key.
func (s *Set) Contact(v Contact) (Rendered, error) { return s.render("contact", v) }

// Note renders the content-free note to a contact.
func (s *Set) Note(v Note) (Rendered, error) { return s.render("note", v) }

// Answer renders what was understood of a participant's commands.
func (s *Set) Answer(v Answer) (Rendered, error) { return s.render("answer", v) }

// Embargo renders a new version of the date.
func (s *Set) Embargo(v Embargo) (Rendered, error) { return s.render("embargo", v) }

// Letter renders a coordinator's own words.
func (s *Set) Letter(v Letter) (Rendered, error) { return s.render("letter", v) }

// Approval renders the question to other coordinators.
func (s *Set) Approval(v Approval) (Rendered, error) { return s.render("approval", v) }

// CaseFile renders the newest mail of a case's folder.
func (s *Set) CaseFile(v CaseFile) (Rendered, error) { return s.render("casefile", v) }

// Refusal renders what did not happen, and what to do next.
func (s *Set) Refusal(v Refusal) (Rendered, error) { return s.render("refusal", v) }

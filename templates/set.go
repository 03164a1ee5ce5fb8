package templates

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"text/template"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
)

//go:embed en/*.tmpl
var shipped embed.FS

const (
	extension = ".tmpl"
	// parts is the file of what several mails share.
	parts = "parts" + extension
)

// Set is a complete set of templates, safe for use by several goroutines.
type Set struct{ t *template.Template }

// Builtin gives the templates that Parley brings along, in English.
func Builtin() (*Set, error) {
	s := newSet()
	if err := s.add(mustSub(shipped, "en"), nil); err != nil {
		return nil, err
	}
	return s, s.trySamples()
}

// Load gives the shipped templates with those of a folder in their place,
// file by file (heads-up.tmpl, receipt.tmpl ...), and each part that its
// parts.tmpl defines; "" is Builtin. The first line of a file is "Subject: ...",
// the second is empty, the text follows.
//
// Every template is executed against sample views before the set is used. An
// error names the file and line: of what does not parse, of a field that the
// view lacks, of a file that is no mail of ours.
func Load(dir string) (*Set, error) {
	if dir == "" {
		return Builtin()
	}
	own, err := readFolder(dir)
	if err != nil {
		return nil, fmt.Errorf("read templates in %q: %w", dir, err)
	}
	s := newSet()
	if err := s.add(mustSub(shipped, "en"), own); err != nil {
		return nil, fmt.Errorf("read templates in %q: %w", dir, err)
	}
	if err := s.trySamples(); err != nil {
		return nil, fmt.Errorf("try templates in %q: %w", dir, err)
	}
	return s, nil
}

func newSet() *Set {
	t := template.New("parley").Option("missingkey=error")
	return &Set{t.Funcs(functions(t))}
}

func mustSub(f fs.FS, dir string) fs.FS {
	sub, err := fs.Sub(f, dir)
	if err != nil {
		panic(err) // the name is a constant
	}
	return sub
}

// readFolder reads the templates of a folder, by file name. Other files are
// left alone.
func readFolder(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	own := map[string]string{}
	for _, e := range entries {
		if path.Ext(e.Name()) != extension {
			continue
		}
		text, err := os.ReadFile(path.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		own[e.Name()] = strings.ReplaceAll(string(text), "\r\n", "\n")
	}
	return own, nil
}

// add parses the templates of base, and then those of own, which take their
// place; the parts that own lacks stay those of base.
func (s *Set) add(base fs.FS, own map[string]string) error {
	names, err := fs.Glob(base, "*"+extension)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, ok := own[name]; ok && name != parts {
			continue
		}
		text, err := fs.ReadFile(base, name)
		if err != nil {
			return err
		}
		if err := s.parse(name, string(text)); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%s is no mail of Parley's (%s)", name, strings.Join(names, ", "))
		}
		if err := s.parse(name, own[name]); err != nil {
			return err
		}
	}
	return nil
}

// parse takes a file apart. Its Subject is a template of its own, so that a
// value with a line break in it can never begin the text; the text keeps the
// line numbers of the file.
func (s *Set) parse(name, text string) error {
	if name != parts {
		first, rest, _ := strings.Cut(text, "\n")
		subject, ok := strings.CutPrefix(first, "Subject: ")
		if !ok {
			return fmt.Errorf("%s:1: the first line does not begin with Subject and a colon", name)
		}
		if second, _, _ := strings.Cut(rest, "\n"); strings.TrimSpace(second) != "" {
			return fmt.Errorf("%s:2: the line after the Subject is not empty", name)
		}
		if _, err := s.t.New(subjectOf(name)).Parse(subject); err != nil {
			return err
		}
		text = "\n" + rest
	}
	_, err := s.t.New(name).Parse(text)
	return err
}

func subjectOf(name string) string { return "Subject of " + name }

// render executes the two templates of a mail.
func (s *Set) render(name string, view any) (Rendered, error) {
	var subject, text strings.Builder
	if err := s.t.ExecuteTemplate(&subject, subjectOf(name+extension), view); err != nil {
		return Rendered{}, fmt.Errorf("render %s: %w", name, err)
	}
	title := untie(subject.String())
	if err := message.CheckHeaderValue(title); err != nil {
		return Rendered{}, fmt.Errorf("render %s: Subject: %w", name, err)
	}
	if err := s.t.ExecuteTemplate(&text, name+extension, view); err != nil {
		return Rendered{}, fmt.Errorf("render %s: %w", name, err)
	}
	r := Rendered{Subject: strings.TrimSpace(title), Text: tidy(text.String())}
	if r.Subject == "" || strings.TrimSpace(r.Text) == "" {
		return Rendered{}, fmt.Errorf("render %s: the Subject or the text is empty", name)
	}
	return r, nil
}

// Notice renders a stage for one vendor by its own template. Only heads-up
// goes without material, and only heads-up cannot reach any.
func (s *Set) Notice(v Notice) (Rendered, error) {
	switch {
	case v.Stage.Rank() == 0:
		return Rendered{}, fmt.Errorf("render notice: %q is not a stage", v.Stage)
	case v.Stage == cvd.HeadsUp:
		return s.render(string(v.Stage), headsUpOf(v))
	case v.Material == "" && v.Annex == "":
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

// Waits renders the content-free note to a finder that an answer waits.
func (s *Set) Waits(v Waits) (Rendered, error) { return s.render("waits", v) }

// Known renders the letter to a finder whose report is a duplicate.
func (s *Set) Known(v Known) (Rendered, error) { return s.render("known", v) }

// Note renders the content-free note to a contact.
func (s *Set) Note(v Note) (Rendered, error) { return s.render("note", v) }

// KeyChange renders the content-free note that a party's key changes.
func (s *Set) KeyChange(v KeyChange) (Rendered, error) { return s.render("keychange", v) }

// Burnt renders the content-free note to whoever mailed us a secret key.
func (s *Set) Burnt(v Burnt) (Rendered, error) { return s.render("burnt", v) }

// Answer renders what was understood of a participant's commands.
func (s *Set) Answer(v Answer) (Rendered, error) { return s.render("answer", v) }

// Embargo renders a new version of the date.
func (s *Set) Embargo(v Embargo) (Rendered, error) { return s.render("embargo", v) }

// NewKey renders the letter about a change of our key.
func (s *Set) NewKey(v NewKey) (Rendered, error) { return s.render("newkey", v) }

// Letter renders a coordinator's own words.
func (s *Set) Letter(v Letter) (Rendered, error) { return s.render("letter", v) }

// Approval renders the question to other coordinators.
func (s *Set) Approval(v Approval) (Rendered, error) { return s.render("approval", v) }

// Duties renders what a vendor owes the authorities, for the desk.
func (s *Set) Duties(v Duties) (Rendered, error) { return s.render("duties", v) }

// CaseFile renders the newest mail of a case's folder.
func (s *Set) CaseFile(v CaseFile) (Rendered, error) { return s.render("casefile", v) }

// Digest renders what a coordinator reads in the morning.
func (s *Set) Digest(v Digest) (Rendered, error) { return s.render("digest", v) }

// Refusal renders what did not happen, and what to do next.
func (s *Set) Refusal(v Refusal) (Rendered, error) { return s.render("refusal", v) }

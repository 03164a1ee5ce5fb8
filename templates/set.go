package templates

import (
	"embed"
	"fmt"
	"maps"
	"slices"

	"parley/mailflow/cvd"
)

//go:embed en/*.tmpl de/*.tmpl
var shipped embed.FS

const (
	extension = ".tmpl"
	// parts is the file of what several mails share.
	parts = "parts" + extension
)

// Set is a complete set of templates in every language that Parley speaks, safe
// for use by several goroutines.
type Set struct{ by map[string]*language }

// Builtin gives the templates that Parley brings along.
func Builtin() (*Set, error) { return Load("") }

// Load gives the shipped templates with those of a folder in their place,
// file by file (heads-up.tmpl, receipt.tmpl ...), and each part that a file
// defines; "" is Builtin. The folder itself holds English ones, its folder de
// German ones. The first line of a file is "Subject: ...", the second is
// empty, the text follows.
//
// Every template is executed against sample views before the set is used. An
// error names the file and line: of what does not parse, of a field that the
// view lacks, of a file that is no mail of ours.
func Load(dir string) (*Set, error) {
	own, err := readFolders(dir)
	if err != nil {
		return nil, fmt.Errorf("read templates in %q: %w", dir, err)
	}
	s := &Set{map[string]*language{}}
	for code, words := range locales() {
		l := newLanguage(code, words)
		if err := l.read(own[code]); err != nil {
			return nil, fmt.Errorf("read templates in %q: %w", dir, err)
		}
		if err := l.trySamples(); err != nil {
			return nil, fmt.Errorf("try templates in %q: %w", dir, err)
		}
		s.by[code] = l
	}
	return s, nil
}

// Languages are the codes of what the set speaks, in order.
func (s *Set) Languages() []string { return slices.Sorted(maps.Keys(s.by)) }

// render executes the two templates of a mail in the language of its reader.
func (s *Set) render(name string, view any) (Rendered, error) {
	to, ok := view.(interface{ speaks() string })
	if !ok {
		return s.by[English].render(name, view)
	}
	l, ok := s.by[to.speaks()]
	if !ok || !l.has(name) {
		l = s.by[English]
	}
	return l.render(name, view)
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

// Unanswered renders the content-free note to a second contact.
func (s *Set) Unanswered(v Unanswered) (Rendered, error) { return s.render("unanswered", v) }

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

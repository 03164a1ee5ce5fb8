package templates

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"parley/mailflow/message"
)

// language is every mail in one language.
type language struct {
	t         *template.Template
	functions template.FuncMap
	folder    string          // where it lies: nothing, or "de/"
	mails     map[string]bool // the files that it has itself; English has all
}

// deskMails go to the desk, and so are in English.
var deskMails = []string{"approval", "casefile", "digest", "duties", "leak-kit", "refusal"}

func newLanguage(code string, words *locale) *language {
	t := template.New("parley").Option("missingkey=error")
	l := &language{t: t, functions: functions(t, words), mails: map[string]bool{}}
	t.Funcs(l.functions)
	if code != English {
		l.folder = code + "/"
	}
	return l
}

func (l *language) has(name string) bool { return l.mails[name+extension] }

// read parses what is shipped of a language and then, in its place, what a folder
// holds of it. Every language begins with the English parts, so that a mail finds
// each part that it names.
func (l *language) read(own map[string]string) error {
	known, err := l.readShipped(English, "", true)
	if err != nil {
		return err
	}
	if l.folder != "" {
		known = slices.DeleteFunc(known, func(n string) bool { return slices.Contains(deskMails, strings.TrimSuffix(n, extension)) })
		if _, err := l.readShipped(strings.TrimSuffix(l.folder, "/"), l.folder, false); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s%s is no mail of Parley's (%s)", l.folder, name, strings.Join(known, ", "))
		}
		if err := l.parse(l.folder, name, own[name]); err != nil {
			return err
		}
	}
	return nil
}

// readShipped parses the files that are shipped in a language and lists them; of
// English ones another language takes the parts alone.
func (l *language) readShipped(code, folder string, english bool) ([]string, error) {
	from := mustSub(shipped, code)
	names, err := fs.Glob(from, "*"+extension)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if english && l.folder != "" && name != parts {
			continue
		}
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, err
		}
		if err := l.parse(folder, name, string(text)); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func mustSub(f fs.FS, dir string) fs.FS {
	sub, err := fs.Sub(f, dir)
	if err != nil {
		panic(err) // the name is a constant
	}
	return sub
}

// readFolders reads the templates of a folder and of the languages in it, by
// language and file name; "" is no folder. A folder that is named like no
// language is left alone, unless it holds templates.
func readFolders(dir string) (map[string]map[string]string, error) {
	own := map[string]map[string]string{}
	if dir == "" {
		return own, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if own[English], err = readFolder(dir); err != nil {
		return nil, err
	}
	known := locales()
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		files, err := readFolder(path.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		if len(files) > 0 && (known[e.Name()] == nil || e.Name() == English) {
			return nil, fmt.Errorf("%s is the folder of no language of Parley's (%s); English stands outside of it", e.Name(), strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		own[e.Name()] = files
	}
	return own, nil
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

// parse takes a file apart. Its Subject is a template of its own, so that a
// value with a line break in it can never begin the text; the text keeps the
// line numbers of the file.
func (l *language) parse(folder, name, text string) error {
	file := folder + name
	if name != parts {
		first, rest, _ := strings.Cut(text, "\n")
		subject, ok := strings.CutPrefix(first, "Subject: ")
		if !ok {
			return fmt.Errorf("%s:1: the first line does not begin with Subject and a colon", file)
		}
		if second, _, _ := strings.Cut(rest, "\n"); strings.TrimSpace(second) != "" {
			return fmt.Errorf("%s:2: the line after the Subject is not empty", file)
		}
		if strings.TrimSpace(subject) == "" {
			return fmt.Errorf("%s:1: the Subject is empty", file)
		}
		if _, err := l.t.New(subjectOf(file)).Parse(subject); err != nil {
			return err
		}
		text, l.mails[name] = "\n"+rest, true
	}
	_, err := l.t.New(file).Parse(text)
	if err == nil && name != parts && l.empty(file, text) {
		return fmt.Errorf("%s:3: the text is empty", file)
	}
	return err
}

// empty says whether a file holds no text outside of its parts. Package template
// would then leave in force what it is to take the place of.
func (l *language) empty(file, text string) bool {
	alone, err := template.New(file).Funcs(l.functions).Parse(text)
	return err == nil && parse.IsEmptyTree(alone.Root)
}

func subjectOf(file string) string { return "Subject of " + file }

// render executes the two templates of a mail.
func (l *language) render(name string, view any) (Rendered, error) {
	name = l.folder + name
	var subject, text strings.Builder
	if err := l.t.ExecuteTemplate(&subject, subjectOf(name+extension), view); err != nil {
		return Rendered{}, fmt.Errorf("render %s: %w", name, err)
	}
	title := untie(subject.String())
	if err := message.CheckHeaderValue(title); err != nil {
		return Rendered{}, fmt.Errorf("render %s: Subject: %w", name, err)
	}
	if err := l.t.ExecuteTemplate(&text, name+extension, view); err != nil {
		return Rendered{}, fmt.Errorf("render %s: %w", name, err)
	}
	r := Rendered{Subject: strings.TrimSpace(title), Text: tidy(text.String())}
	if r.Subject == "" || strings.TrimSpace(r.Text) == "" {
		return Rendered{}, fmt.Errorf("render %s: the Subject or the text is empty", name)
	}
	return r, nil
}

package config

import (
	"bytes"
	_ "embed" // for Example
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

//go:embed example.toml
var example string

// Example is config/example.toml, which documents every key with its default.
func Example() string { return example }

// maxBytes bounds a configuration file: far more than any has, far less than
// what a wrong path (a device, an image) would read.
const maxBytes = 1 << 20

// Load reads a configuration file over the defaults. Its errors are *Error,
// several of them joined when several keys are unknown.
func Load(path string) (*Config, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxBytes {
		return nil, fmt.Errorf("read configuration: %s is not a configuration file", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse reads the text of a configuration file as Load does; path names it in
// messages and is what relative paths start from.
func Parse(path string, data []byte) (*Config, error) {
	c := Defaults()
	c.doc = newDocument(path, data)
	d := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return nil, c.explain(err)
	}
	if err := c.checkCase(); err != nil {
		return nil, err
	}
	if c.Domain == "" {
		return nil, c.Errorf([]string{"domain"}, "is not set: it is the public mail domain, such as \"vdp.example.org\"")
	}
	if err := c.checkLists(); err != nil {
		return nil, err
	}
	if c.DeskDomain == "" {
		c.DeskDomain = "desk." + c.Domain
	}
	return &c, nil
}

// checkCase refuses a key in capitals, which the decoder would take for ours though TOML tells them apart: two keys could then
// be one, and what is asked of a key by its name not be found. Policies alone are named by the operator.
func (c *Config) checkCase() error {
	var wrong []string
	for joined := range c.doc.places {
		path := strings.Split(joined, "\x00")
		last := len(path) - 1
		named := last == 1 && path[0] == "policy"
		if path[last] != strings.ToLower(path[last]) && !named && (wrong == nil || c.Where(path...).before(c.Where(wrong...))) {
			wrong = path
		}
	}
	if wrong == nil {
		return nil
	}
	return c.Errorf(wrong, "is not a key; did you mean %q?", strings.ToLower(wrong[len(wrong)-1]))
}

// checkLists refuses a single table where a list of tables belongs; the
// decoder would take it for a list of one.
func (c *Config) checkLists() error {
	if next := []string{"outbound", "next"}; len(c.Outbound.Next) > 0 && !c.Has(append(next, "0")...) {
		return c.Errorf(next, "is a list: write [[outbound.next]]")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Policy)) {
		path := []string{"policy", name, "stage"}
		if len(c.Policy[name].Stage) > 0 && !c.Has(append(path, "0")...) {
			return c.Errorf(path, "is a list: write [[policy.%s.stage]]", name)
		}
	}
	return nil
}

// Path is where the configuration was read from.
func (c *Config) Path() string {
	if c.doc == nil {
		return ""
	}
	return c.doc.file
}

// Resolve gives the path that a value of the file means: a relative one
// starts from the directory of the file.
func (c *Config) Resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(c.Path()), path)
}

// Error is a fault of a configuration file. Its text is one line: place, key,
// what is wrong with it, and the line that holds it.
type Error struct {
	Position
	Key string // "outbound.retry"; empty where the syntax broke
	Why string
}

func (e *Error) Error() string {
	s := e.Position.String() + ": "
	if e.Key != "" {
		s += e.Key + " "
	}
	s += e.Why
	if e.Text != "" {
		s += "  |  " + e.Text
	}
	return s
}

// Errorf makes the error for a key whose value is impossible. The text goes on
// after the key: "is not a duration".
func (c *Config) Errorf(path []string, why string, a ...any) *Error {
	return &Error{c.Where(path...), keyName(path), fmt.Sprintf(why, a...)}
}

// keyName writes a key path as people do; which element of an array is meant
// the line tells.
func keyName(path []string) string {
	var words []string
	for _, w := range path {
		if w != "" && strings.Trim(w, "0123456789") != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, ".")
}

// explain turns what the decoder says into *Error.
func (c *Config) explain(err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		var all []error
		for _, e := range unknown.Errors {
			path, at := c.doc.find(&e)
			all = append(all, &Error{at, keyName(path), "is not a key" + suggest(path)})
		}
		return errors.Join(all...)
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		path, at := c.doc.find(bad)
		return &Error{at, keyName(path), sentence(bad.Error())}
	}
	return &Error{Position{File: c.doc.file}, "", sentence(err.Error())}
}

// find gives the place that the decoder names, and the key there: the
// decoder's own leaves out the tables around an inline one.
func (d *document) find(e *toml.DecodeError) ([]string, Position) {
	line, column := e.Position()
	at := d.position(line, column)
	path := e.Key()
	if found := d.keys[[2]int{line, column}]; len(found) > len(path) {
		path = found
	}
	return path, at
}

// sentence puts what the decoder says into the words of the file. It follows
// the name of the key, if there is one.
func sentence(s string) string {
	s = strings.TrimPrefix(s, "toml: ")
	if strings.HasSuffix(s, "already defined") || strings.HasSuffix(s, "already exists") {
		return "stands there twice"
	}
	if t, ok := strings.CutPrefix(s, "cannot store a table in a "); ok {
		return "wants " + goWord(t) + ", not a table"
	}
	got, want, ok := strings.Cut(s, " into struct field ")
	if !ok {
		return s
	}
	got = strings.TrimPrefix(strings.TrimPrefix(got, "cannot decode "), "TOML ")
	if word, ok := tomlWords[got]; ok {
		got = word
	}
	return "wants " + goWord(want[strings.LastIndex(want, " ")+1:]) + ", not " + got
}

// tomlWords says for people what the decoder calls the kinds of TOML values.
var tomlWords = map[string]string{
	"string": "text", "integer": "a number", "float": "a fraction", "boolean": "true or false",
	"array": "a list", "table": "a table", "local date": "a date", "local time": "a time", "datetime": "a date",
}

func goWord(t string) string {
	switch {
	case t == "string":
		return "text in quotes"
	case t == "int":
		return "a whole number"
	case t == "bool":
		return "true or false"
	case strings.HasPrefix(t, "[]"), t == "slice":
		return "a list"
	}
	return "a table"
}

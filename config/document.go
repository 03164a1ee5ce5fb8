package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Position is a place in a configuration file. Line and Column count from 1,
// columns in bytes; Line is 0 where only the file is known.
type Position struct {
	File   string
	Line   int
	Column int
	Text   string // the line itself, trimmed, with a password in a URL masked
}

func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// before says whether a place comes first.
func (p Position) before(q Position) bool {
	return p.Line < q.Line || p.Line == q.Line && p.Column < q.Column
}

// document remembers where each key of a file stands.
type document struct {
	file   string
	lines  []string
	places map[string]Position // by joined key path; an element of an array by its index
	keys   map[[2]int][]string // what stands at a line and column: a key, or its value
}

// join makes one map key of a key path; a NUL cannot stand in a TOML key.
func join(path []string) string { return strings.Join(path, "\x00") }

// newDocument finds the keys of a file, as far as its syntax is sound.
func newDocument(file string, data []byte) *document {
	d := &document{file: file, lines: strings.Split(string(data), "\n"), places: map[string]Position{}, keys: map[[2]int][]string{}}
	var p unstable.Parser
	p.Reset(data)
	var table []string
	elements := map[string]int{} // of arrays of tables, how many so far
	for p.NextExpression() {
		switch n := p.Expression(); n.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = d.enter(&p, n, elements)
		case unstable.KeyValue:
			d.keyValue(&p, table, n)
		}
	}
	return d
}

// enter notes a table header and gives the path of what stands below it, in
// which an array of tables is followed by the index of its newest element.
func (d *document) enter(p *unstable.Parser, n *unstable.Node, elements map[string]int) []string {
	var path []string
	var first unstable.Range
	for i, it := 0, n.Key(); it.Next(); i++ {
		if i == 0 {
			first = it.Node().Raw
		}
		path = append(path, string(it.Node().Data))
		if !it.IsLast() {
			d.note(path, d.at(p, first))
		}
		if count := elements[join(path)]; count > 0 && !it.IsLast() {
			path = append(path, strconv.Itoa(count-1))
		}
	}
	at := d.at(p, first)
	if n.Kind == unstable.ArrayTable {
		d.note(path, at)
		count := elements[join(path)]
		elements[join(path)] = count + 1
		path = append(path, strconv.Itoa(count))
	}
	d.note(path, at)
	return path
}

// keyValue notes a key, dotted or not, and the keys inside its value.
func (d *document) keyValue(p *unstable.Parser, table []string, n *unstable.Node) {
	path := slices.Clone(table)
	for it := n.Key(); it.Next(); {
		path = append(path, string(it.Node().Data))
		d.note(path, d.at(p, it.Node().Raw))
	}
	d.value(p, path, n.Value())
}

func (d *document) value(p *unstable.Parser, path []string, v *unstable.Node) {
	if v.Raw.Length > 0 {
		d.know(path, d.at(p, v.Raw))
	}
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			d.keyValue(p, path, it.Node())
		}
	case unstable.Array:
		for i, it := 0, v.Children(); it.Next(); i++ {
			element := append(slices.Clone(path), strconv.Itoa(i))
			if raw := it.Node().Raw; raw.Length > 0 {
				d.note(element, d.at(p, raw))
			}
			d.value(p, element, it.Node())
		}
	}
}

// note keeps the first place of a key.
func (d *document) note(path []string, at Position) {
	if _, seen := d.places[join(path)]; !seen {
		d.places[join(path)] = at
	}
	d.know(path, at)
}

// know keeps the longest key path for a place.
func (d *document) know(path []string, at Position) {
	if place := [2]int{at.Line, at.Column}; len(path) > len(d.keys[place]) {
		d.keys[place] = slices.Clone(path)
	}
}

func (d *document) at(p *unstable.Parser, r unstable.Range) Position {
	s := p.Shape(r).Start
	return d.position(s.Line, s.Column)
}

// urlPassword is the password in a URL, which no message may repeat.
var urlPassword = regexp.MustCompile(`(://[^:@/\s"']*):[^\s"']*@`)

func (d *document) position(line, column int) Position {
	p := Position{File: d.file, Line: line, Column: column}
	if line >= 1 && line <= len(d.lines) {
		p.Text = urlPassword.ReplaceAllString(strings.TrimSpace(d.lines[line-1]), "$1:…@")
	}
	return p
}

// Where says where a key stands in the file, for messages about its value:
// Where("policy", "default", "stage", "2", "at"), an element of an array
// by its index. For a key that was left out it is the nearest table around
// it, or the file.
func (c *Config) Where(path ...string) Position {
	if c.doc == nil {
		return Position{}
	}
	for n := len(path); n > 0; n-- {
		if p, ok := c.doc.places[join(path[:n])]; ok {
			return p
		}
	}
	return Position{File: c.doc.file}
}

// Has says whether the file sets a key.
func (c *Config) Has(path ...string) bool {
	if c.doc == nil {
		return false
	}
	_, ok := c.doc.places[join(path)]
	return ok
}

package config_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is Go source in which replies are looked for.
type source struct {
	files  []*ast.File
	named  map[string]ast.Expr // package-level constants and variables
	errors map[string]string   // texts of sentinels
}

func parse(t *testing.T, patterns ...string) *source {
	t.Helper()
	s := &source{named: map[string]ast.Expr{}, errors: map[string]string{}}
	for _, pattern := range patterns {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			s.files = append(s.files, f)
			for _, d := range f.Decls {
				s.declare(d)
			}
		}
	}
	return s
}

func (s *source) declare(d ast.Decl) {
	g, ok := d.(*ast.GenDecl)
	if !ok {
		return
	}
	for _, spec := range g.Specs {
		v, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		for i, name := range v.Names {
			if i >= len(v.Values) {
				continue
			}
			s.named[name.Name] = v.Values[i]
			if c, ok := v.Values[i].(*ast.CallExpr); ok && called(c) == "New" && len(c.Args) == 1 {
				s.errors[name.Name] = s.text(c.Args[0])
			}
		}
	}
}

// called is the last name of what a call calls.
func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	}
	return ""
}

// text is what an expression says, with … where only a running program knows.
func (s *source) text(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.BasicLit:
		if v, err := strconv.Unquote(x.Value); err == nil {
			return v
		}
		return x.Value
	case *ast.BinaryExpr:
		return strings.ReplaceAll(s.text(x.X)+s.text(x.Y), "……", "…")
	case *ast.Ident:
		if v, ok := s.named[x.Name].(*ast.BasicLit); ok {
			return s.text(v)
		}
	case *ast.CallExpr: // auth.ErrTooMany.Error()
		if f, ok := x.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Error" {
			if of, ok := f.X.(*ast.SelectorExpr); ok && s.errors[of.Sel.Name] != "" {
				return s.errors[of.Sel.Name]
			}
		}
	}
	return "…"
}

// code writes a code and its enhanced one, of whichever form.
func (s *source) code(code, enhanced ast.Expr) string {
	if list, ok := enhanced.(*ast.CompositeLit); ok {
		var parts []string
		for _, e := range list.Elts {
			parts = append(parts, s.text(e))
		}
		return s.text(code) + " " + strings.Join(parts, ".")
	}
	return s.text(code) + " " + s.text(enhanced)
}

// each calls a function for every node.
func (s *source) each(do func(ast.Node)) {
	for _, f := range s.files {
		ast.Inspect(f, func(n ast.Node) bool {
			if n != nil {
				do(n)
			}
			return true
		})
	}
}

// replies are the SMTP replies from 400 on that the source makes, as table rows begin.
func (s *source) replies() map[string]bool {
	out := map[string]bool{}
	add := func(code, enhanced, text ast.Expr) {
		if c := s.code(code, enhanced); c[0] == '4' || c[0] == '5' {
			out["| "+c+" | "+s.text(text)+" |"] = true
		}
	}
	s.each(func(n ast.Node) {
		switch x := n.(type) {
		case *ast.CompositeLit:
			name := fmt.Sprint(x.Type)
			if sel, ok := x.Type.(*ast.SelectorExpr); ok {
				name = sel.Sel.Name
			}
			if (name == "Reply" || name == "SMTPError") && len(x.Elts) == 3 {
				add(value(x.Elts[0]), value(x.Elts[1]), value(x.Elts[2]))
			}
		case *ast.CallExpr:
			if name := called(x); (name == "say" || name == "end" || name == "bye") && len(x.Args) == 3 {
				add(x.Args[0], x.Args[1], x.Args[2])
			}
		}
	})
	return out
}

func value(e ast.Expr) ast.Expr {
	if kv, ok := e.(*ast.KeyValueExpr); ok {
		return kv.Value
	}
	return e
}

// rows are the beginnings of the rows of one section of the tables: so many columns.
func rows(t *testing.T, section string, columns int) []string {
	t.Helper()
	data, err := os.ReadFile("REFUSALS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(data), "\n## "+section+"\n")
	if !found {
		t.Fatalf("there is no section %q", section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var out []string
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) < 2 || strings.HasPrefix(line, "| code") || strings.HasPrefix(line, "| response") {
			continue
		}
		for _, c := range cells {
			if strings.Trim(c, "| ") == "" {
				t.Errorf("an empty cell: %s", line)
			}
		}
		out = append(out, strings.Join(cells[:columns], " | ")+" |")
	}
	return out
}

// same wants that the tables and the source name the same refusals.
func same(t *testing.T, table []string, made map[string]bool) {
	t.Helper()
	if len(made) < 10 {
		t.Errorf("only %d refusals were found in the source", len(made))
	}
	for _, row := range table {
		if !made[row] {
			t.Errorf("nothing in the source refuses so: %s", row)
		}
	}
	for row := range made {
		if !slices.Contains(table, row) {
			t.Errorf("REFUSALS.md has no row for: %s", row)
		}
	}
}

func TestRefusals_SMTP(t *testing.T) {
	t.Parallel()
	s := parse(t, "../gateway/smtpd/*.go", "../gateway/auth/*.go", "../mailflow/*.go")
	made := s.replies()
	for row := range made { // what hands on the words of another
		if strings.HasSuffix(row, "| … |") {
			delete(made, row)
		}
	}
	same(t, append(rows(t, "SMTP and LMTP", 2), rows(t, "Submission", 2)...), made)
}

// The codes of the library, which its version may change.
func TestRefusals_Library(t *testing.T) {
	t.Parallel()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/emersion/go-smtp").Output()
	if err != nil {
		t.Fatal(err)
	}
	s := parse(t, filepath.Join(strings.TrimSpace(string(dir)), "conn.go"))
	made := map[string]bool{}
	s.each(func(n ast.Node) {
		x, ok := n.(*ast.CallExpr)
		if !ok || len(x.Args) != 3 || !slices.Contains([]string{"writeResponse", "writeError", "protocolError"}, called(x)) {
			return
		}
		if c := s.code(x.Args[0], x.Args[1]); c[0] == '4' || c[0] == '5' {
			made["| "+c+" |"] = true
		}
	})
	same(t, rows(t, "Words of the SMTP library", 1), made)
}

var camel = regexp.MustCompile(`^ResponseCode(.*)$`)

// responses are the refusals that the IMAP port makes.
func (s *source) responses() map[string]bool {
	out := map[string]bool{}
	code := func(e ast.Expr) string {
		if sel, ok := e.(*ast.SelectorExpr); ok {
			c := strings.ToUpper(camel.FindStringSubmatch(sel.Sel.Name)[1])
			return strings.Replace(c, "UNKNOWNCTE", "UNKNOWN-CTE", 1)
		}
		return s.text(e)
	}
	line := regexp.MustCompile(`^(?:…|) ?(BAD|NO|BYE) (\[[A-Z-]+\] )?(.*)$`)
	add := func(text string) {
		if m := line.FindStringSubmatch(strings.TrimRight(text, "\r\n")); m != nil && m[3] != "…" {
			out["| "+strings.TrimSpace(m[1]+" "+m[2])+" | "+strings.TrimSpace(m[3])+" |"] = true
		}
	}
	s.each(func(n ast.Node) {
		switch x := n.(type) {
		case *ast.CallExpr:
			switch name := called(x); {
			case name == "no" && len(x.Args) == 2:
				out["| NO ["+code(x.Args[0])+"] | "+s.text(x.Args[1])+" |"] = true
			case (name == "cut" || name == "bye" || name == "endAfterThis") && len(x.Args) == 1:
				add("BYE " + s.text(x.Args[0]))
			case name == "say" && len(x.Args) == 1:
				add(s.text(x.Args[0]))
			}
		case *ast.CompositeLit: // a rewording
			if len(x.Elts) == 2 && x.Type == nil {
				add(s.text(x.Elts[1]))
			}
		case *ast.FuncDecl:
			if x.Name.Name == "late" || x.Name.Name == "ended" {
				ast.Inspect(x, func(n ast.Node) bool {
					if r, ok := n.(*ast.ReturnStmt); ok && s.text(r.Results[0]) != "" {
						add("BYE " + s.text(r.Results[0]))
					}
					return true
				})
			}
		case *ast.BinaryExpr:
			if text := s.text(x); strings.HasPrefix(text, "… NO [TOOBIG]") && strings.HasSuffix(text, "\r\n") {
				add(text)
			}
		}
	})
	out["| NO [UNAVAILABLE] | "+s.errors["ErrThrottled"]+" |"] = true // session.denied says its text
	out["| NO [AUTHENTICATIONFAILED] | Authentication failed |"] = true
	return out
}

func TestRefusals_IMAP(t *testing.T) {
	t.Parallel()
	s := parse(t, "../gateway/imapd/*.go", "../gateway/auth/auth.go")
	same(t, rows(t, "IMAP", 2), s.responses())
}

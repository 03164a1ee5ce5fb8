package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// floors is the table of the house: a package imports only from floors below
// its own, so endpoints, which share one, never import each other.
var floors = map[string]int{
	"gateway": 50,

	"gateway/smtpd": 40, "gateway/imapd": 40, "gateway/ctl": 40,

	"gateway/auth": 35, "gateway/monitor": 35,

	"mailflow": 30,

	"mailflow/queue": 20, "mailflow/mailtest": 20, "mailflow/origin": 20,

	"mailflow/store": 10, "mailflow/courier": 10, "mailflow/journal": 10, "keyring/pgpmime": 10, "keyring/discover": 10, "templates": 10,

	"mailflow/broken": 0, "mailflow/cores": 0, "mailflow/mailtest/canary": 0, "mailflow/cvd": 0, "mailflow/advisory": 0, "mailflow/message": 0, "mailflow/dns": 0, "mailflow/dkim": 0, "mailflow/calendar": 0, "mailflow/timeline": 0, "keyring": 0, "config": 0,
}

// inside are the libraries that only some packages may know, by prefix.
var inside = map[string][]string{
	"go.etcd.io/bbolt":               {"mailflow/store"},
	"github.com/emersion/go-imap":    {"gateway/imapd", "mailflow/mailtest", "gateway"}, // gateway: the demo's clients
	"github.com/emersion/go-smtp":    {"gateway/smtpd", "mailflow/courier", "mailflow/mailtest", "gateway"},
	"github.com/pelletier/go-toml":   {"config"},
	"github.com/alecthomas/kong":     {"gateway"},
	"github.com/ProtonMail/gopenpgp": {"keyring", "keyring/pgpmime"},
	"github.com/emersion/go-msgauth": {"mailflow/dkim", "mailflow/origin"},
	"blitiri.com.ar/go/spf":          {"mailflow/origin"},
	"net/http":                       {"gateway", "gateway/monitor", "keyring/discover"},
}

const module = "parley/"

type listed struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		all = append(all, p)
	}
}

func TestFloors(t *testing.T) {
	t.Parallel()
	all := listPackages(t)
	if len(all) < 10 {
		t.Fatalf("go list found only %d packages", len(all))
	}
	for _, p := range all {
		for _, fault := range faults(p) {
			t.Error(fault)
		}
	}
}

// faults says what a package imports that it may not.
func faults(p listed) []string {
	own, ok := floors[p.ImportPath]
	if !ok {
		return []string{p.ImportPath + " has no floor"}
	}
	var out []string
	owners := map[string]bool{}
	for _, path := range p.Imports {
		dep, ours := strings.CutPrefix(path, module)
		if first, rest, _ := strings.Cut(path, "/"); !ours && strings.Contains(first, ".") && first != "golang.org" {
			owner, _, _ := strings.Cut(rest, "/")
			owners[first+"/"+owner] = true
		}
		if why := forbidden(p.ImportPath, own, path, dep, ours); why != "" {
			out = append(out, p.ImportPath+" imports "+path+": "+why)
		}
	}
	if own == 0 && len(owners) > 1 {
		out = append(out, p.ImportPath+" is on floor 0 and imports libraries of several makers")
	}
	return out
}

func forbidden(pkg string, own int, path, dep string, ours bool) string {
	floor, known := floors[dep]
	switch {
	case ours && !known:
		return "it has no floor"
	case ours && floor >= own:
		return "it is not on a lower floor"
	case ours && dep == "config" && pkg != "gateway":
		return "only gateway reads the configuration"
	case ours && dep == "mailflow/mailtest" && pkg != "gateway":
		return "it is for tests and the demo"
	case ours && strings.HasPrefix(dep, "mailflow") && (strings.HasPrefix(pkg, "keyring") || pkg == "config"):
		return "keyring and config know nothing of mailflow"
	}
	for library, allowed := range inside {
		if !ours && (path == library || strings.HasPrefix(path, library+"/")) && !slices.Contains(allowed, pkg) {
			return "only " + strings.Join(allowed, " and ") + " may"
		}
	}
	return ""
}

// TestFaults is the control: what the table forbids is found.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pkg, imports string
		bad          bool
	}{
		{"gateway/smtpd", "parley/mailflow", false},
		{"gateway/smtpd", "parley/gateway/auth", false},
		{"gateway/smtpd", "parley/gateway/imapd", true},
		{"gateway/auth", "parley/gateway/ctl", true},
		{"mailflow", "parley/gateway/auth", true},
		{"mailflow/store", "parley/mailflow/journal", true},
		{"mailflow/store", "parley/mailflow/message", false},
		{"keyring/pgpmime", "parley/keyring", false},
		{"keyring/pgpmime", "parley/mailflow/message", true},
		{"mailflow", "parley/config", true},
		{"gateway", "parley/config", false},
		{"gateway/auth", "parley/mailflow/mailtest", true},
		{"gateway", "parley/mailflow/mailtest", false},
		{"mailflow", "parley/elsewhere", true},
		{"elsewhere", "fmt", true},
		{"mailflow/queue", "go.etcd.io/bbolt", true},
		{"mailflow/store", "go.etcd.io/bbolt", false},
		{"mailflow", "net/http", true},
		{"keyring", "net/http", true},
		{"keyring/discover", "net/http", false},
		{"mailflow", "net/http/httptest", true},
		{"mailflow", "net/httpx", false},
	} {
		if got := faults(listed{c.pkg, []string{c.imports}}); (len(got) > 0) != c.bad {
			t.Errorf("%s imports %s: got %q", c.pkg, c.imports, got)
		}
	}
	if got := faults(listed{"config", []string{"github.com/a/b", "github.com/a/c", "golang.org/x/text"}}); len(got) != 0 {
		t.Errorf("one maker: got %q", got)
	}
	if got := faults(listed{"config", []string{"github.com/a/b", "go.etcd.io/x"}}); len(got) != 1 {
		t.Errorf("two makers: got %q", got)
	}
}

// The top level of the house is fixed.
var topLevel = []string{
	"gateway", "mailflow", "keyring", "templates", "config", "testdata", "bin",
	"go.mod", "go.sum", "Makefile", "README.md", "LICENSE", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md",
}

// maxLines is the longest a Go file may be.
const maxLines = 600

func TestHouse(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(topLevel, e.Name()) {
			t.Errorf("%s does not belong at the top level", e.Name())
		}
	}
	err = filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		data, err := os.ReadFile(path)
		if n := bytes.Count(data, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, more than %d", path, n, maxLines)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

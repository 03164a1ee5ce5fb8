package message

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const golden = "../../testdata/eml"

var update = flag.Bool("update", false, "write the .want files anew")

// TestGoldenMail reads mail in the shapes that real programs give it. What is
// understood of NN-name.eml stands in NN-name.want.
func TestGoldenMail(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(golden, "*.eml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden mail: %v", err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(name, ".eml") + ".want")
		if !*update && (err != nil || !strings.HasPrefix(string(want), "envelope\n")) {
			continue // a mail that another package looks at
		}
		got := understood(t, raw)
		if *update {
			if err := os.WriteFile(strings.TrimSuffix(name, ".eml")+".want", []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if got != string(want) {
			t.Errorf("%s: understood\n%s\nwant\n%s", filepath.Base(name), got, want)
		}
	}
}

// understood writes down everything that is read from a mail.
func understood(t *testing.T, raw []byte) string {
	t.Helper()
	p := parse(t, raw)
	var b strings.Builder
	e := p.Envelope()
	b.WriteString("envelope\n")
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-12s %s\n", name, value)
		}
	}
	if !e.Date.IsZero() {
		line("date", e.Date.UTC().Format(time.RFC3339))
	}
	line("subject", e.Subject)
	line("title", Title(e.Subject))
	from, err := p.Header.Addresses("From")
	line("from", people(from))
	if err != nil {
		line("from", err.Error())
	}
	line("to", people(e.To))
	line("cc", people(e.Cc))
	line("id", e.MessageID)
	line("in reply to", strings.Join(e.InReplyTo, " "))
	line("references", strings.Join(p.Header.References(), " "))
	line("automatic", p.Automatic("someone@example.org"))
	b.WriteString("parts\n")
	outline(&b, p, "  ")
	if text := p.FirstText(); text != nil {
		s, _ := text.Unflowed()
		b.WriteString("letter\n" + indented(s))
	} else if page := p.FirstHTML(); page != nil {
		s, _ := page.Text()
		b.WriteString("letter, from HTML\n" + indented(HTMLToText(s)))
	}
	return b.String()
}

func people(list []Address) string {
	var out []string
	for _, a := range list {
		out = append(out, fmt.Sprintf("%q <%s>", a.Name, a.Addr()))
	}
	return strings.Join(out, ", ")
}

func outline(b *strings.Builder, p *Part, indent string) {
	fmt.Fprintf(b, "%s%s %s", indent, p.MediaType, p.Encoding)
	if p.IsAttachment() {
		fmt.Fprintf(b, " attachment %q", p.Filename)
	}
	if len(p.Children) == 0 {
		body, err := p.Body()
		fmt.Fprintf(b, ", %d octets, sha256 %x", len(body), sha256.Sum256(body))
		if err != nil {
			fmt.Fprintf(b, " (%v)", err)
		}
	}
	b.WriteString("\n")
	for _, c := range p.Children {
		outline(b, c, indent+"  ")
	}
}

func indented(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString("  | " + strings.TrimSuffix(line, "\n") + "\n")
	}
	return b.String()
}

// TestP7_NothingPanics cuts golden mail off at every place and spoils it at
// many: whatever is left must be parsed or refused, and can be served.
func TestP7_NothingPanics(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(golden, "*.eml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden mail: %v", err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) > 8<<10 {
			continue // cutting it everywhere takes long and shows nothing more
		}
		for i := 0; i < len(raw); i += 7 {
			checkMessage(t, raw[:i])
			spoilt := append([]byte(nil), raw...)
			spoilt[i] = "\x00\r\n\xff-:;\"="[i%9]
			checkMessage(t, spoilt)
		}
	}
}

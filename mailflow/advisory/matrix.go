package advisory

import (
	"fmt"
	"strings"
)

// Matrix is the vendors' words as plain text of 72 columns: a table, then what each
// said. Statements stand as they were written, each line behind a bar; lines that
// are too long are broken between words. It is empty where there is nothing to
// show.
func Matrix(a Advisory) string {
	var b strings.Builder
	if len(a.Products) > 0 {
		b.WriteString(row("vendor", "product", "status"))
	}
	for _, p := range a.Products {
		b.WriteString(row(p.vendor(), orElse(line(p.Name), "-"), p.status()))
	}
	if a.Silent > 0 {
		b.WriteString(wrap("  ", "  ", silent(a.Silent, len(a.Products) > 0)))
	}
	for _, p := range a.Products {
		b.WriteString(p.words())
	}
	return b.String()
}

func row(vendor, product, status string) string {
	return fmt.Sprintf("  %s  %s  %s\n", pad(vendor, 22), pad(product, 28), atMost(status, 16))
}

func silent(n int, more bool) string {
	who := "vendors have"
	if n == 1 {
		who = "vendor has"
	}
	if more {
		who = "more " + who
	}
	return fmt.Sprintf("%d %s said nothing for publication.", n, who)
}

// status is the word that a reader reads.
func (p Product) status() string {
	switch p.Status {
	case NotAffected:
		return "not affected"
	case Affected, Fixed, Investigating:
		return string(p.Status)
	}
	return "unknown"
}

// words are what a vendor said beyond its status, or nothing.
func (p Product) words() string {
	var b strings.Builder
	if s := line(p.Versions); s != "" && (p.Status == Affected || p.Status == Fixed) {
		b.WriteString(wrap("  affected versions: ", "      ", s))
	}
	if s := p.fix(); s != "" && p.Status == Fixed {
		b.WriteString(wrap("  ", "      ", s))
	}
	if s := line(p.Why); s != "" {
		b.WriteString(wrap("  it says: ", "      ", s))
	}
	if s := text(p.Statement); s != "" {
		b.WriteString("  statement:\n" + quoted("  | ", s))
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n" + wrap("", "    ", p.called()) + b.String()
}

// fix says in which version a fix is, and from when; empty where neither is known.
func (p Product) fix() string {
	s := ""
	if v := line(p.FixedIn); v != "" {
		s = "fixed in " + v
	}
	if !p.FixedOn.IsZero() {
		s = orElse(s, "fixed") + ", from " + p.FixedOn.UTC().Format("Mon 2 Jan 2006")
	}
	return s
}

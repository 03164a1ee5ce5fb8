package mailflow

import (
	"fmt"
	"strings"

	"parley/mailflow/advisory"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// advisoryShow is `advisory show [PARTY]`: what would be published as things stand,
// or what the advisory stage would bring to one vendor. The files go with the
// answer where that is a mail.
func advisoryShow(s *sitting, p *phrase) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	if p.more() {
		return s.showDraft(c, p)
	}
	a, err := s.wholeAdvisory(s.tx, c, &looks{})
	if err != nil {
		return "", err
	}
	made, err := publish(a)
	if err != nil {
		return "", err
	}
	events, err := s.events(c)
	if err != nil {
		return "", err
	}
	out := s.showHead(a) + section("Vendors", made.Matrix) + section("Timeline", advisory.Timeline(events)) + s.attach(made.Files)
	if !publicToAll(c, cvd.Public) {
		out += fmt.Sprintf("The policy %s does not mark its public stage TLP:CLEAR: each vendor gets its own row alone.\n", c.Policy.Name)
	}
	return strings.TrimRight(out, "\n"), nil
}

// showDraft shows what one vendor gets with the advisory stage.
func (s *sitting) showDraft(c cvd.Case, p *phrase) (string, error) {
	name, err := p.next("the name of the party")
	if err != nil {
		return "", err
	}
	if err := p.end(); err != nil {
		return "", err
	}
	who, err := s.takesPart(c, name)
	if err != nil {
		return "", err
	}
	if !who.Has(cvd.RoleVendor) {
		return "", notDone("%s is no vendor of %s, and gets no draft", who.Party, c.ID)
	}
	made, err := s.publicationFor(s.tx, c, who, cvd.Advisory, &looks{})
	if err != nil {
		return "", err
	}
	return strings.TrimRight(fmt.Sprintf("What %s gets with its advisory stage:\n", who.Party)+section("Its row", made.Matrix)+s.attach(made.Files), "\n"), nil
}

func (s *sitting) showHead(a advisory.Advisory) string {
	var b strings.Builder
	fact := func(label, value string) {
		if value != "" {
			b.WriteString(strings.TrimRight(fmt.Sprintf("%-10s %s", label, value), " ") + "\n")
		}
	}
	title := a.Title
	switch {
	case title == "" && a.Description == "":
		title = "(no text yet: write it to " + s.DeskAlias(cvd.PartyID(cvd.Public), cvd.CaseID(a.Tag)) + ")"
	case title == "":
		title = "(none: the text does not begin with a short line and an empty one)"
	}
	fact("Title", title)
	fact("CVE", strings.Join(a.CVEs, ", "))
	fact("Severity", a.Severity)
	fact("TLP", a.TLP)
	credits := strings.Join(a.Credits, ", ")
	if credits == "" {
		credits = "nobody; no finder asked to be named"
	}
	fact("Credits", credits)
	return b.String()
}

func section(title, text string) string {
	if text == "" {
		return ""
	}
	return "\n" + title + "\n" + text
}

// attach adds files to the answer, and names them in it.
func (s *sitting) attach(files []cvd.File) string {
	var b strings.Builder
	b.WriteString("\nFiles\n")
	for _, f := range files {
		fmt.Fprintf(&b, "  %s, %d octets\n", f.Name, len(f.Data))
		s.bring(asAttachment(f))
	}
	if s.by.Via == ViaOperator {
		b.WriteString("  They go with the answer where a coordinator asks by mail.\n")
	}
	return b.String()
}

// events are what a public timeline tells of a case: from its journal, without a
// name of anybody.
func (s *sitting) events(c cvd.Case) ([]advisory.Event, error) {
	var out []advisory.Event
	for _, n := range c.Reports {
		r, err := reports.Get(s.tx, store.Seq(n))
		if err != nil {
			return nil, err
		}
		out = append(out, advisory.Event{At: r.At, What: "report came in", Many: "reports came in"})
	}
	for _, e := range c.Embargoes {
		out = append(out, advisory.Event{At: e.At, What: "the embargo was set to end on " + e.End.UTC().Format("2006-01-02")})
	}
	if c.Exploited != nil {
		out = append(out, advisory.Event{At: c.Exploited.At, What: "attacks became known"})
	}
	more, err := journalEvents(s.tx, c.ID)
	if err != nil {
		return nil, err
	}
	if end := c.Embargo().End; c.Started() && !s.tx.Now.Before(end) {
		more = append(more, advisory.Event{At: end, What: "the embargo ended"})
	}
	return append(out, more...), nil
}

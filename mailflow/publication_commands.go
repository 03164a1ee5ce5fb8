package mailflow

import (
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/advisory"
	"parley/mailflow/cvd"
)

func publicationCommands() []command {
	return []command{
		{words: "cve", such: `cve CVE-2026-12345`, usage: "cve CVE-ID ... | drop CVE-ID ...",
			help: "The CVE IDs of the case, as a numbering authority gave them; drop takes one out. They stand in the CSAF document, and each has a CVE record attached to the advisory and public stages.", run: caseCVE},
		{words: "advisory show", such: `advisory show`, usage: "advisory show [PARTY]",
			help: "What would be published as things stand: title, credits, the matrix of the vendors' words, the timeline; with a party's name, the files that its advisory stage brings.", run: advisoryShow},
	}
}

// caseCVE is `cve CVE-… …` and `cve drop CVE-… …`.
func caseCVE(s *sitting, p *phrase) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	drop := p.word("drop")
	ids := slices.Clone(c.CVEs)
	for ok := true; ok; ok = p.more() {
		word, err := p.next("a CVE ID")
		if err != nil {
			return "", err
		}
		id, err := advisory.ParseCVE(strings.TrimSuffix(word, ","))
		if err != nil {
			return "", notDone("%v; write: %s", err, p.usage)
		}
		at := slices.Index(ids, id)
		switch {
		case drop && at < 0:
			return "", already("%s does not have %s", c.ID, id)
		case drop:
			ids = slices.Delete(ids, at, at+1)
		case at < 0:
			ids = append(ids, id)
		}
	}
	if slices.Equal(ids, c.CVEs) {
		return "", already("%s", cveWords(c))
	}
	s.undo = &undoRow{Verb: "cve", Case: c.ID, Case0: copyOf(c), Ref: strings.Join(ids, " ")}
	return s.setCVEs(c, ids)
}

func (s *sitting) setCVEs(c cvd.Case, ids []string) (string, error) {
	c.CVEs = ids
	if err := s.changeCase(c, "case.cve", strings.Join(ids, " ")); err != nil {
		return "", err
	}
	return cveWords(c), s.replan(s.tx, c.ID)
}

func cveWords(c cvd.Case) string {
	if len(c.CVEs) == 0 {
		return fmt.Sprintf("%s has no CVE ID", c.ID)
	}
	return fmt.Sprintf("%s has %s", c.ID, strings.Join(c.CVEs, ", "))
}

// uncve gives a case the CVE IDs back that it had.
func uncve(s *sitting, u undoRow) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	if strings.Join(c.CVEs, " ") != u.Ref {
		return "", changedSince("the CVE IDs", "say `cve` or `cve drop`")
	}
	return s.setCVEs(c, u.Case0.CVEs)
}

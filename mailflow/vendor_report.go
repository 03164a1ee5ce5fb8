package mailflow

import (
	"fmt"
	"regexp"
	"strconv"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// intakeVerbs are the commands that count before a report is part of a case, for
// whoever signs with the key that its receipt went to. All else is for the person
// who reads the report.
var intakeVerbs = []string{"STATE", "CREDIT", "ANONYMOUS", "LEAK", "EXPLOITED", "PUBLISHED"}

// reference is how receipts name a report.
func reference(n uint64) string { return fmt.Sprintf("intake-%d", n) }

var referencePattern = regexp.MustCompile(`(?i)\bintake-([1-9][0-9]{0,17})\b`)

// findReports lists the reports that a text names as receipts do.
func findReports(text string) []cvd.CaseID {
	var out []cvd.CaseID
	for _, m := range referencePattern.FindAllStringSubmatch(text, -1) {
		if n, err := strconv.ParseUint(m[1], 10, 64); err == nil {
			out = append(out, reportCase(n))
		}
	}
	return out
}

// parseReference reads the word that says which case a line is about: its tag, or
// the number of the report that it came from, which is all that a receipt names.
func parseReference(word string) (cvd.CaseID, error) {
	if found := findReports(word); len(found) == 1 && referencePattern.FindString(word) == word {
		return found[0], nil
	}
	return cvd.ParseCaseID(word)
}

// caseOrReport reads a case; of a report that belongs to none, one without a
// policy, vendors and dates.
func caseOrReport(tx *store.Tx, id cvd.CaseID) (cvd.Case, error) {
	if _, inReport := reportNumber(id); inReport {
		return cvd.Case{ID: id}, nil
	}
	return CaseByID(tx, id)
}

// spokenCase is how our answers name a case or a report.
func spokenCase(id cvd.CaseID) cvd.CaseID {
	if n, inReport := reportNumber(id); inReport {
		return cvd.CaseID(reference(n))
	}
	return id
}

// newCodeIn makes the code of an answer. There is none before a report is part of
// a case: it would not outlive that, and who gets the answer has signed.
func newCodeIn(id cvd.CaseID) string {
	if _, inReport := reportNumber(id); inReport {
		return ""
	}
	return cvd.NewCode()
}

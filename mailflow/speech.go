package mailflow

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// spoken says how a participant is spoken to: a vendor as its party in the
// directory is, a finder in the language that a coordinator said.
func spoken(who cvd.Participant, party cvd.Party) templates.To {
	if who.Party.IsFinder() {
		return templates.To{Language: who.Language}
	}
	return templates.To{Language: party.Language, Kind: party.Kind}
}

// spokenTo looks up how a participant is spoken to.
func spokenTo(tx *store.Tx, who cvd.Participant) (templates.To, error) {
	party, err := PartyByID(tx, who.Party)
	if errors.Is(err, ErrNoParty) { // a finder, or whoever asked for our key
		err = nil
	}
	return spoken(who, party), err
}

// language reads a language; English is the same as none.
func (s *sitting) language(text string) (string, error) {
	known := s.Templates.Languages()
	code := strings.ToLower(text)
	switch {
	case code == templates.English:
		return "", nil
	case !slices.Contains(known, code):
		return "", notDone("%q is not a language of our mails%s; say one of: %s", text, nearest(code, known), strings.Join(known, ", "))
	}
	return code, nil
}

func parseKind(text string) (cvd.VendorKind, error) {
	var known []string
	for _, k := range cvd.VendorKinds() {
		known = append(known, string(k))
	}
	kind := cvd.VendorKind(strings.ToLower(text))
	switch {
	case kind == cvd.VendorPSIRT:
		return "", nil // the same as that of who never named a kind
	case !slices.Contains(cvd.VendorKinds(), kind):
		return "", notDone("%q is not a kind of vendor%s; say one of: %s", text, nearest(text, known), strings.Join(known, ", "))
	}
	return kind, nil
}

// speechWords are the options that differ from everybody's, as `vendor edit`
// takes them.
func speechWords(p cvd.Party) []string {
	var out []string
	if p.Kind != "" {
		out = append(out, "kind "+string(p.Kind))
	}
	if p.Language != "" {
		out = append(out, "language "+p.Language)
	}
	return out
}

// spokenWords are speechWords in one line: what a yes to our words is bound to.
func spokenWords(p cvd.Party) string { return strings.Join(speechWords(p), "; ") }

// unusual leaves out who is spoken to as everybody is.
func unusual(spoken map[cvd.PartyID]string) map[cvd.PartyID]string {
	out := maps.Clone(spoken)
	maps.DeleteFunc(out, func(_ cvd.PartyID, how string) bool { return how == "" })
	return out
}

// finderLanguage is `report N language LANGUAGE`: our mails to whoever sent the
// report are in that language from now on, in whatever case they are.
func (s *sitting) finderLanguage(n uint64, p *phrase) (string, error) {
	r, err := s.reportKnown(n)
	if err != nil {
		return "", err
	}
	word, err := p.next("the language")
	if err != nil {
		return "", err
	}
	if err := p.end(); err != nil {
		return "", err
	}
	language, err := s.language(word)
	if err != nil {
		return "", err
	}
	id, party, err := threadNow(s.tx, reportCase(n), cvd.Finder)
	if err != nil {
		return "", err
	}
	who, err := ParticipantByID(s.tx, id, party)
	switch {
	case errors.Is(err, ErrNoParticipant):
		return "", notDone("a coordinator wrote report #%d down, and nobody is written to about it", n)
	case err != nil:
		return "", err
	case who.Language == language:
		return "", already("the finder of report #%d is written to in %s already", n, strings.ToLower(word))
	}
	who.Language = language
	if err := PutParticipant(s.tx, who); err != nil {
		return "", err
	}
	said := fmt.Sprintf("our mails to the finder of report #%d are in %s from now on; what waits to leave stays as it is", n, strings.ToLower(word))
	return said, s.reportRecord(r, "report.language", strings.ToLower(word))
}

package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// maxFileName is how many characters of a file's name leave.
const maxFileName = 80

// ourFiles are the names of files that mails of ours bring along anyway.
var ourFiles = []string{"our-key.asc", "embargo.ics"}

// letterFiles gives the files of a letter the names that leave: numbers, since a
// name may tell who made a file, or what the coordinator called them where the
// party's manner says so (rule V7). A name that is another party's (rule V2), that
// cannot stand in a header, or that the letter holds already is a number all the
// same.
func (b *Base) letterFiles(tx *store.Tx, id cvd.CaseID, files []cvd.File, to cvd.PartyID) ([]cvd.File, error) {
	p, err := PartyByID(tx, to)
	if err != nil && !errors.Is(err, ErrNoParty) { // the finder may be in no directory
		return nil, err
	}
	all := &names{}
	if p.Manner.FileNames {
		if all, err = b.namesIn(tx, id); err != nil {
			return nil, err
		}
	}
	used := slices.Clone(ourFiles)
	out := slices.Clone(files)
	for i, f := range files {
		if !p.Manner.FileNames || !mayKeepName(f.Name, all, to, used) {
			out[i].Name = fileNumber(i, f)
		}
		used = append(used, out[i].Name)
	}
	return out, nil
}

// fileNumber is the name of a letter's file that tells nothing of it.
func fileNumber(i int, f cvd.File) string {
	return fmt.Sprintf("file-%d%s", i+1, safeExtension(f.Name))
}

func mayKeepName(name string, all *names, to cvd.PartyID, used []string) bool {
	words := &spelled{}
	words.spell("", name)
	return name != "" && !strings.HasPrefix(name, ".") && utf8.RuneCountInString(name) <= maxFileName && message.CheckHeaderValue(name) == nil &&
		len(others(all.in(words.text), to)) == 0 &&
		!slices.ContainsFunc(used, func(u string) bool { return strings.EqualFold(u, name) })
}

// partyWords are the words that name parties: all their names and their domains.
func partyWords(all []cvd.Party) []string {
	var out []string
	for _, p := range all {
		out = append(out, string(p.ID))
		out = append(out, p.Aliases...)
		for _, a := range append(p.Origins(), p.Address) {
			out = append(out, a[strings.LastIndexByte(a, '@')+1:])
		}
	}
	return out
}

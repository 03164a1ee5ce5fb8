package mailflow

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// stageText is one version of the material of a stage, or of an annex.
type stageText struct {
	stage cvd.Stage
	at    time.Time
	words *spelled
	again []run // of the text that it is compared with: what of later runs stands in it
	files map[[32]byte]bool
}

// laterFile is a file of a text that is one of a stage's material, too.
type laterFile struct {
	name  string
	sum   [32]byte
	stage cvd.Stage
	at    time.Time
}

// findLater finds what a text shares with the material of its case.
func findLater(tx *store.Tx, q question, e *examined) error {
	all, err := materialOf(tx, q)
	if err != nil || len(all) == 0 {
		return err
	}
	e.material = all
	chosen := map[uint32][]int{}
	e.guard.hash.chosen(e.words.text, func(at int, print uint32) { chosen[print] = append(chosen[print], at) })
	e.findFiles(q.files, all)
	for _, m := range all {
		var places []int
		seen := map[uint32]bool{}
		e.guard.hash.chosen(m.words.text, func(_ int, print uint32) {
			if !seen[print] {
				seen[print], places = true, append(places, chosen[print]...)
			}
		})
		runs := e.guard.hash.runsAround(e.words.text, inOrder(places), m.words.text, runeRun)
		for _, r := range runs {
			e.later = append(e.later, laterRun{r, m.stage, m.at})
		}
	}
	e.findAgain()
	return nil
}

// findAgain finds which of the runs of later stages stand in other material, too.
func (e *examined) findAgain() {
	if len(e.later) == 0 {
		return
	}
	var parts []run
	for _, l := range e.later {
		parts = append(parts, l.run)
	}
	parts = merged(parts, coverRun)
	grams := e.guard.hash.gramsIn(e.words.text, parts, coverRun)
	for i, m := range e.material {
		e.material[i].again = grams.runsOf(parts, m.words.text)
	}
}

// materialOf reads every version of all material of a case that was written
// before a text, for everybody and for one participant; but not the text itself.
func materialOf(tx *store.Tx, q question) ([]stageText, error) {
	var all []cvd.Material
	for row, err := range materials.All(tx, tx.Name("material", string(q.id))) {
		if err != nil {
			return nil, err
		}
		if m := row.Value; m.Stage.Rank() > 0 && (q.at.IsZero() || m.At.Before(q.at)) {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(x, y cvd.Material) int {
		return cmp.Or(x.Stage.Rank()-y.Stage.Rank(), cmp.Compare(x.Party, y.Party), x.Version-y.Version)
	})
	var out []stageText
	for _, m := range all {
		words, _ := outgoing{text: m.Text, files: nameless(m.Files)}.spelled()
		out = append(out, stageText{stage: m.Stage, at: m.At, words: words, files: sumsOf(m.Files)})
	}
	return out, nil
}

// nameless are files without their names, which say nothing but their stage.
func nameless(files []cvd.File) []cvd.File {
	out := make([]cvd.File, len(files))
	for i, f := range files {
		out[i] = f
		out[i].Name = ""
	}
	return out
}

// laterThan are the runs of stages above one that a participant reaches, but
// for what stood in the material of a lower stage before. A finder knows what
// it found.
func (e *examined) laterThan(who cvd.Participant, reach cvd.Stage) []laterRun {
	if who.Party.IsFinder() {
		return nil
	}
	var out []laterRun
	for _, l := range e.later {
		if l.stage.Rank() <= reach.Rank() {
			continue
		}
		cover := make([]bool, len(e.words.text))
		for _, m := range e.material {
			if m.stage.Rank() <= reach.Rank() && m.at.Before(l.at) {
				mark(cover, []run{l.run}, m.again, coverRun)
			}
		}
		for _, r := range l.without(cover, runeRun) {
			out = append(out, laterRun{r, l.stage, l.at})
		}
	}
	return out
}

func sumsOf(files []cvd.File) map[[32]byte]bool {
	out := map[[32]byte]bool{}
	for _, f := range files {
		out[sha256.Sum256(f.Data)] = true
	}
	return out
}

// findFiles finds the files that belong to a stage, whatever is in them.
func (e *examined) findFiles(files []cvd.File, material []stageText) {
	for _, f := range files {
		sum := sha256.Sum256(f.Data)
		for _, m := range material {
			if m.files[sum] {
				e.files = append(e.files, laterFile{f.Name, sum, m.stage, m.at})
			}
		}
	}
}

// laterFiles are the files of stages above one that a participant reaches, but
// for those that a lower stage had before.
func (e *examined) laterFiles(who cvd.Participant, reach cvd.Stage) []Crossing {
	var out []Crossing
	for _, f := range e.files {
		had := slices.ContainsFunc(e.material, func(m stageText) bool {
			return m.stage.Rank() <= reach.Rank() && m.at.Before(f.at) && m.files[f.sum]
		})
		c := Crossing{Kind: crossFile, Piece: f.name, Stage: f.stage}
		if !who.Party.IsFinder() && f.stage.Rank() > reach.Rank() && !had && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

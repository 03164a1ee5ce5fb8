package mailflow

import (
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

func ofStage(all []cvd.Notice, s cvd.Stage) []cvd.Notice {
	var out []cvd.Notice
	for _, n := range all {
		if n.Kind == cvd.KindStage && n.Stage == s {
			out = append(out, n)
		}
	}
	return out
}

// saidBefore says whether the material of a stage is as it left, with the stage
// or with a reminder of it.
func saidBefore(all []cvd.Notice, s cvd.Stage, words string) bool {
	for _, n := range all {
		if n.Stage == s && (n.Kind == cvd.KindStage || n.Kind == cvd.KindReminder) && n.State == cvd.Sent && n.Words == words {
			return true
		}
	}
	return false
}

// remindsAnew says that the next reminder of a stage would say something else than
// what left. Those after it are asked about when it has gone.
func remindsAnew(tx *store.Tx, h home, n cvd.Notice, l *looks) (bool, error) {
	for _, o := range h.All {
		if o.Kind == cvd.KindReminder && o.Stage == n.Stage && o.Nth < n.Nth && !o.State.Over() {
			return false, nil
		}
	}
	var made []string
	if n.Stage != cvd.HeadsUp {
		words, err := l.wordsOf(tx, n)
		if err != nil {
			return false, err
		}
		made = madeOf(words)
	}
	return !saidBefore(h.All, n.Stage, digestAll(made)), nil
}

func madeOf(words []wording) []string {
	return []string{words[0].Digest, words[1].Digest, words[2].Digest}
}

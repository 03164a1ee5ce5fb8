package mailflow

import (
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// mayRemind: a reminder goes only about the last thing that a participant was
// told, while that has no answer and nothing leaked, on a day on which its reader
// works, and not where the next reminder is due as well.
func mayRemind(q Question) *Answer {
	c, p, n := q.Case, q.Participant, q.Notice
	switch {
	case len(c.Leaks) > 0:
		return no(Never, "it leaked, and nobody is reminded any more")
	case n.Stage != p.Reached || !n.Stage.Asks():
		return no(Never, "%s was told something else since", p.Party)
	case !q.Now.Before(c.Embargo().End):
		return no(Never, "the embargo has ended")
	case len(q.Participant.Unanswered(ofStage(q.Prior, n.Stage))) == 0:
		return no(Never, "%s answered", p.Party)
	}
	for _, o := range q.Prior {
		if o.Kind == cvd.KindReminder && o.Stage == n.Stage && o.Nth > n.Nth && o.State != cvd.Cancelled && !q.Now.Before(o.Due) {
			return no(Never, "a later reminder goes in its place")
		}
	}
	zone := cvd.ZoneOf(q.Party.Zone)
	if at := c.Policy.Days.BusinessDay(q.Now, zone); at.After(q.Now) {
		return later(at, "nobody works there today")
	}
	return nil
}

func ofStage(all []cvd.Notice, s cvd.Stage) []cvd.Notice {
	var out []cvd.Notice
	for _, n := range all {
		if n.Kind == cvd.KindStage && n.Stage == s {
			out = append(out, n)
		}
	}
	return out
}

// mayRepeat: a reminder says once more what left. Where that has changed since,
// it needs the yes that the stage needed.
func mayRepeat(q Question) *Answer {
	if saidBefore(q.Prior, q.Notice.Stage, q.Words) {
		return nil
	}
	return mayApproval(q)
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

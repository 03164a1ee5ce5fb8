package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// leakRow remembers what the desk was shown of a case of which something is
// public.
type leakRow struct {
	Case  cvd.CaseID
	Shown string // digest of who was named as not handed over; empty for nobody
	Text  bool   // the task about the missing public text is open
}

var leakRows = store.Versioned[leakRow]("leaks")

func leakKey(tx *store.Tx, id cvd.CaseID) []byte { return tx.Name("leak", string(id)) }

func leakTask(id cvd.CaseID) string     { return "leak:" + string(id) }
func leakTextTask(id cvd.CaseID) string { return "leak-text:" + string(id) }

// missed is a vendor that was not handed a leak, and why.
type missed struct {
	cvd.Participant
	notice cvd.Notice
	why    string
}

// leakWatch is how a case stands after a leak, at an instant.
type leakWatch struct {
	row    leakRow
	c      cvd.Case
	missed []missed
	shown  string    // what leakRow.Shown should be
	text   bool      // and Text
	next   time.Time // when it reads differently by itself
}

// behind says whether the tasks of the case do not say how it stands.
func (w leakWatch) behind() bool { return w.row.Shown != w.shown || w.row.Text != w.text }

// watchLeak lets the clockwork watch a case, and shows what is to be shown.
func (b *Base) watchLeak(tx *store.Tx, c cvd.Case) error {
	row, err := leakRows.Get(tx, leakKey(tx, c.ID))
	if errors.Is(err, store.ErrNotFound) {
		row, err = leakRow{Case: c.ID}, leakRows.Put(tx, caseScope(c.ID), leakKey(tx, c.ID), leakRow{Case: c.ID})
	}
	if err != nil {
		return err
	}
	w, err := b.leakWatch(tx, row, tx.Now)
	if err != nil {
		return err
	}
	return b.showLeak(tx, w)
}

func (b *Base) leakWatch(tx *store.Tx, row leakRow, now time.Time) (w leakWatch, err error) {
	w.row = row
	if w.c, err = CaseByID(tx, row.Case); err != nil {
		return w, err
	}
	leak := w.c.Leak()
	if leak.Level == "" || !w.c.Closed.IsZero() {
		return w, nil
	}
	w.text = now.Before(w.c.Embargo().End) && leak.Level != cvd.Rumour && !hasMaterial(tx, row.Case, cvd.Public, "")
	if by := leak.At.Add(leak.Within); now.Before(by) {
		w.next = by
		return w, nil
	}
	if w.missed, err = missedOf(tx, w.c, leak.Level); err != nil || len(w.missed) == 0 {
		return w, err
	}
	var what []any
	for _, m := range w.missed {
		what = append(what, m.Party, m.why)
	}
	w.shown = digestAll(what...)
	return w, nil
}

// missedOf are the vendors whose notice of a leak was not handed over, in the
// order in which they were to get it.
func missedOf(tx *store.Tx, c cvd.Case, level cvd.Level) ([]missed, error) {
	ps, err := Participants(tx, c.ID)
	if err != nil {
		return nil, err
	}
	byFootprint(ps)
	var out []missed
	for _, p := range ps {
		if !inKit(p) {
			continue
		}
		all, err := Notices(tx, c.ID, p.Party)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(all, func(n cvd.Notice) bool { return n.Kind == cvd.KindLeak && n.Level == level && n.State != cvd.Cancelled })
		if i < 0 || all[i].State == cvd.Sent && all[i].Bounced.IsZero() {
			continue
		}
		out = append(out, missed{p, all[i], whyMissed(all[i])})
	}
	return out, nil
}

// whyMissed says why nobody may have read the notice of a leak.
func whyMissed(n cvd.Notice) string {
	switch n.State {
	case cvd.Queued:
		return fmt.Sprintf("not accepted yet by the next mail server (D%d)", n.Delivery)
	case cvd.Sent:
		return fmt.Sprintf("their server took it and gave it back (D%d)", n.Delivery)
	}
	return planState(n)
}

// showLeak puts the tasks of a case right.
func (b *Base) showLeak(tx *store.Tx, w leakWatch) error {
	if w.row.Shown != w.shown {
		if err := b.alarmLeak(tx, w); err != nil {
			return err
		}
	}
	if w.row.Text != w.text {
		if err := b.alarmText(tx, w); err != nil {
			return err
		}
	}
	if !w.behind() {
		return nil
	}
	w.row.Shown, w.row.Text = w.shown, w.text
	return leakRows.Put(tx, caseScope(w.c.ID), leakKey(tx, w.c.ID), w.row)
}

// alarmLeak names who does not have it, with how to reach a person there.
func (b *Base) alarmLeak(tx *store.Tx, w leakWatch) error {
	id := w.c.ID
	if len(w.missed) == 0 {
		return b.taskDone(tx, leakTask(id))
	}
	leak := w.c.Leak()
	var lines []string
	for _, m := range w.missed {
		reach, err := toReachLine(tx, m.Participant)
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("    %s: %s", m.Party, m.why), "        "+reach)
	}
	text := fmt.Sprintf("%s\n\n%s\n\n%s\n    case %s\n    record PARTY called \"...\"\n%s\n",
		templates.Fill("", fmt.Sprintf("The leak of %s in %s was to be with every vendor by %s. These do not have it:", leak.Level, id, instant(leak.At.Add(leak.Within)))),
		inColumns(lines),
		templates.Fill("", "Call them: tell no more by phone than they were told before, ask for a key that can be used, and file what was said, in a mail to control@"+b.DeskDomain), id,
		templates.Fill("", "Who cannot be mailed is told by hand after a signed `vendor edit PARTY channel hand`, and `record PARTY delivered "+string(leak.Level.Stage())+" via \"...\"` files it. This goes when all have it."))
	return b.task(tx, leakTask(id), Post{Case: id, Kind: "leak", Text: text,
		Subject: fmt.Sprintf("ALARM: the leak in %s is not with %s", id, plural(len(w.missed), "vendor", "vendors"))})
}

// toReachLine says how a person there can be reached.
func toReachLine(tx *store.Tx, p cvd.Participant) (string, error) {
	known, err := PartyByID(tx, p.Party)
	if err != nil {
		return "", err
	}
	line := "write or call " + p.Address
	if known.Second != "" {
		line += ", or its second contact " + known.Second
	}
	if known.Zone != "" {
		line += "; it is in " + known.Zone
	}
	return line, nil
}

// nextForLeak says what a person does about a leak that is held: minutes count,
// and a call may open the way that a mail needs.
func (b *Base) nextForLeak(tx *store.Tx, n cvd.Notice) (string, error) {
	who, err := ParticipantByID(tx, n.Case, n.Party)
	if err != nil {
		return "", err
	}
	reach, err := toReachLine(tx, who)
	if err != nil {
		return "", err
	}
	next := "see to it at once: " + reach + ". Then\n"
	known, err := PartyByID(tx, n.Party)
	if err != nil {
		return "", err
	}
	if known.Channel == cvd.ChannelHand {
		return next + fmt.Sprintf("hand over what stands below, and file that, to control@%s\n    case %s\n    record %s delivered %s via \"...\"", b.DeskDomain, n.Case, n.Party, n.Stage), nil
	}
	return next + b.nextFor(n), nil
}

// alarmText asks for what the public is told, while nobody wrote it.
func (b *Base) alarmText(tx *store.Tx, w leakWatch) error {
	id := w.c.ID
	if !w.text {
		return b.taskDone(tx, leakTextTask(id))
	}
	r, err := b.Templates.Refusal(refusal("what the public is told of "+string(id),
		fmt.Sprintf("The embargo ends %s since it leaked, and the public notice has no text: it would be held then.", instant(w.c.Embargo().End)), "",
		fmt.Sprintf("write it in a mail to\n    public.%s@%s\nand have it approved; or let the joint text stand in for it, in a mail to\n    advisory.%s@%s", id.Lower(), b.DeskDomain, id.Lower(), b.DeskDomain)))
	if err != nil {
		return err
	}
	_, text, _ := strings.Cut(r.Text, "\n")
	return b.task(tx, leakTextTask(id), Post{Case: id, Kind: "leak", Text: strings.TrimLeft(text, "\n"),
		Subject: fmt.Sprintf("ALARM: the public text is missing, and %s ends %s", id, instant(w.c.Embargo().End))})
}

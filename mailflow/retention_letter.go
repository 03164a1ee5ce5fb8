package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
	"parley/templates"
)

// askedCase is a case in a letter, and what would go with it.
type askedCase struct {
	Case         cvd.CaseID
	Mails, Files int
	Since        time.Time
}

// letterRow is a letter that asks about closed cases. It holds no word of them: each
// time the letter is written they are read from the case.
type letterRow struct {
	Number uint64
	Of     cvd.CaseID // the one that it is about, where not everybody may see that; or ""
	Cases  []askedCase
}

var retentionLetters = store.Versioned[letterRow]("retentionletters")

func askedLetterKey(tx *store.Tx, n uint64) []byte { return tx.Name("retentionletter", fmt.Sprint(n)) }

func letterTask(n uint64) string { return fmt.Sprintf("retention:%d", n) }

// scope seals a letter and what is known of it.
func (l letterRow) scope() store.Scope {
	if l.Of != "" {
		return caseScope(l.Of)
	}
	return DeskScope
}

// ask puts one letter about closed cases into INBOX; of is the case where not
// everybody may see it.
func (b *Base) ask(tx *store.Tx, of cvd.CaseID, about []askedCase) error {
	n, err := tx.Next("retention")
	if err != nil {
		return err
	}
	for _, a := range about {
		c, err := CaseByID(tx, a.Case)
		if err != nil {
			return err
		}
		r, err := retainedOf(tx, a.Case)
		if err == nil && r.Letter != 0 {
			err = b.leaveLetter(tx, &r)
		}
		if err != nil {
			return err
		}
		r.Asked, r.Again, r.Letter = tx.Now, time.Time{}, n
		if err := b.putRetained(tx, c, r); err != nil {
			return err
		}
		b.moved(tx, c.ID)
		if err := record(tx, journal.Record{Case: string(c.ID), Actor: byItself, Kind: "shred.proposed"}); err != nil {
			return err
		}
	}
	l := letterRow{n, of, about}
	if err := retentionLetters.Put(tx, l.scope(), askedLetterKey(tx, n), l); err != nil {
		return err
	}
	return b.postAsked(tx, l)
}

// leaveLetter takes a case out of the letter that asks about it. The caller writes
// its row.
func (b *Base) leaveLetter(tx *store.Tx, r *retainedRow) error {
	key := askedLetterKey(tx, r.Letter)
	l, err := retentionLetters.Get(tx, key)
	r.Letter = 0
	if err != nil {
		return err
	}
	l.Cases = slices.DeleteFunc(l.Cases, func(a askedCase) bool { return a.Case == r.Case })
	if len(l.Cases) == 0 {
		if err := b.taskDone(tx, letterTask(l.Number)); err != nil {
			return err
		}
		return retentionLetters.Delete(tx, key)
	}
	if err := retentionLetters.Put(tx, l.scope(), key, l); err != nil {
		return err
	}
	switch open, err := readTask(tx, letterTask(l.Number)); {
	case err != nil || open.Number == 0: // somebody said that nothing is left to do
		return err
	default:
		return b.postAsked(tx, l)
	}
}

// postAsked writes a letter anew.
func (b *Base) postAsked(tx *store.Tx, l letterRow) error {
	var about []string
	for _, a := range l.Cases {
		c, err := CaseByID(tx, a.Case)
		if err != nil {
			return err
		}
		about = append(about, askedWords(c, a))
	}
	subject := count(len(l.Cases), "closed case") + " could be destroyed"
	if len(l.Cases) == 1 {
		subject = fmt.Sprintf("%s, which is closed, could be destroyed", l.Cases[0].Case)
	}
	again := ""
	if b.Retention.Closed > 0 {
		again = " It asks again in " + cvd.FormatDuration(b.Retention.Closed) + "."
	}
	text := paragraphs("What was closed long ago is still here, all of it. Parley destroys none of it by itself: this letter asks, and nothing happens without an answer."+again) +
		"\n" + strings.Join(about, "\n") + "\n" +
		paragraphs("To destroy a case for good: write its first line to control@"+b.DeskDomain+", signed. A second coordinator is asked then, who says yes signed, too, and seven days pass in which one person can stop it. To keep a copy, `export case` first.",
			"To keep it: write its second line, with the time and the reason that are right (`keep TAG until DATE`; `keep TAG forever` is a legal hold).")
	return b.task(tx, letterTask(l.Number), Post{Case: l.Of, Kind: "retention", Subject: subject, Text: text})
}

// askedWords are the lines about one case.
func askedWords(c cvd.Case, a askedCase) string {
	n := shredCount{a.Mails, a.Files, a.Since}
	return templates.Fill("", strings.TrimSpace(string(c.ID)+" "+c.Title)) + "\n" +
		templates.Fill("  ", fmt.Sprintf("closed on %s; what goes: %s", c.Closed.UTC().Format("Mon 2 Jan 2006"), n)) + "\n" +
		fmt.Sprintf("    shred %s\n    keep %s for 365d because \"...\"\n", c.ID, c.ID)
}

// askAnew forgets what the desk was asked: what it answered after a backup was taken
// is not known in the store that was put back.
func (b *Base) askAnew(tx *store.Tx) error {
	all, err := collect(retained.All(tx, nil), nil)
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.Letter == 0 {
			continue
		}
		c, err := CaseByID(tx, r.Case)
		if err != nil {
			return err
		}
		r.Asked = time.Time{}
		if err := b.putRetained(tx, c, r); err != nil {
			return err
		}
	}
	return nil
}

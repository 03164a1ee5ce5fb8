package mailflow

import (
	"time"

	"parley/mailflow/calendar"
	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// caseFile is the newest mail of a case's folder, ready to replace the one
// before it.
type caseFile struct {
	post     Post
	hash     string
	sequence int
	fresh    bool // it reads differently
}

func caseFileKey(id cvd.CaseID) string { return "casefile:" + string(id) }

// renderCaseFile writes the case file as it should read now. Where it reads as
// the one before does, its picture is not drawn.
func (b *Base) renderCaseFile(tx *store.Tx, c cvd.Case) (f caseFile, err error) {
	l, err := b.look(tx, c)
	if err != nil {
		return f, err
	}
	v, picture, dates := l.view(), l.picture(), l.calendar(tx, b.DeskDomain)
	v.Pictured = c.Started()
	text, err := b.Templates.CaseFile(v)
	if err != nil {
		return f, err
	}
	if f.hash, err = digestOf(text.Subject, text.Text, picture, dates); err != nil {
		return f, err
	}
	row, err := readTask(tx, caseFileKey(c.ID))
	if err != nil {
		return f, err
	}
	if f.fresh = row.Hash != f.hash; !f.fresh {
		return f, nil
	}
	f.sequence = row.Sequence
	f.post = Post{Folder: "Case file", Case: c.ID, Subject: text.Subject, Text: text.Text, Kind: "casefile"}
	if !v.Pictured {
		return f, nil
	}
	drawn, err := picture.Draw()
	if err != nil {
		return f, err
	}
	f.post.Attachments = []message.Attachment{{Filename: "timeline.png", MediaType: "image/png", Inline: true,
		Description: l.alt(), Data: drawn}}
	return f, f.attach(c.ID, dates, l.now)
}

// attach adds the dates of the case as a calendar. Each version replaces the
// one before, since its sequence is higher.
func (f *caseFile) attach(id cvd.CaseID, dates []calendar.Entry, now time.Time) error {
	if len(dates) == 0 {
		return nil
	}
	f.sequence++
	ics, err := calendar.All(dates, f.sequence, calendar.Publish, now)
	if err != nil {
		return err
	}
	f.post.Attachments = append(f.post.Attachments, message.Attachment{Filename: id.Lower() + ".ics", MediaType: "text/calendar",
		Params: map[string]string{"method": calendar.Publish, "charset": "utf-8"}, Data: ics})
	return nil
}

// putCaseFile puts it in the place of the one before, which is gone: it only
// showed what the records say.
func (b *Base) putCaseFile(tx *store.Tx, f caseFile) error {
	key := caseFileKey(f.post.Case)
	before, err := readTask(tx, key)
	if err != nil {
		return err
	}
	if err := b.task(tx, key, f.post); err != nil {
		return err
	}
	if err := dropReplaced(tx, before.Message); err != nil {
		return err
	}
	row, err := readTask(tx, key)
	if err != nil {
		return err
	}
	row.Hash, row.Sequence = f.hash, f.sequence
	return tasks.Put(tx, caseScope(f.post.Case), tx.Name("task", key), row)
}

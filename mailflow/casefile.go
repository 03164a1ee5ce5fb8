package mailflow

import (
	"time"

	"parley/mailflow/calendar"
	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
	"parley/mailflow/timeline"
)

// caseFile is the newest mail of a case's folder, ready to replace the one
// before it.
type caseFile struct {
	post     Post
	hash     string
	picture  string // digest of what its picture shows
	sequence int
	fresh    bool // it reads differently
}

func caseFileKey(id cvd.CaseID) string { return "casefile:" + string(id) }

// renderCaseFile writes the case file as it should read now. Where it reads as
// the one before does, its picture is not drawn.
func (b *Base) renderCaseFile(tx *store.Tx, l caseLook) (f caseFile, err error) {
	c := l.Case
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
	if f.picture, err = digestOf(picture); err != nil {
		return f, err
	}
	drawn, err := b.drawn(tx, picture, f.picture, row)
	if err != nil {
		return f, err
	}
	f.post.Attachments = []message.Attachment{{Filename: pictureName, MediaType: "image/png", Inline: true,
		Description: l.alt(), Data: drawn}}
	return f, f.attach(c, dates, l.now)
}

// pictureName is the name of the picture in a case file.
const pictureName = "timeline.png"

// drawn is the picture of a case file. Most of what changes in a case changes
// nothing in it: it is then that of the case file before, since drawing takes
// longer than all else.
func (b *Base) drawn(tx *store.Tx, p timeline.Picture, digest string, before taskRow) ([]byte, error) {
	if before.Picture == digest {
		if same := b.pictureOf(tx, before.Message); same != nil {
			return same, nil
		}
	}
	if b.Draw != nil {
		return b.Draw(p)
	}
	return p.Draw()
}

// pictureOf is the picture in a case file; nil where it cannot be read any more,
// whatever the reason: a new one takes its place.
func (b *Base) pictureOf(tx *store.Tx, id uint64) (picture []byte) {
	m, err := tx.Message(id)
	if err != nil {
		return nil
	}
	raw, err := tx.Bytes(m.Served)
	if err != nil {
		return nil
	}
	root, err := message.Parse(raw, ownLimits(b.Limits))
	if err != nil {
		return nil
	}
	root.Walk(func(part *message.Part) bool {
		if part.Filename == pictureName {
			picture, err = part.Body()
		}
		return true
	})
	if err != nil {
		return nil
	}
	return picture
}

// attach adds the dates of the case as a calendar. Each version replaces the
// one before, since its sequence is higher (RFC 5545 section 3.8.7.4). That of a
// closed case takes them back.
func (f *caseFile) attach(c cvd.Case, dates []calendar.Entry, now time.Time) error {
	if len(dates) == 0 {
		return nil
	}
	f.sequence++
	method := calendar.Publish
	if !c.Closed.IsZero() {
		method = calendar.Cancel
	}
	ics, err := calendar.All(dates, f.sequence, method, now)
	if err != nil {
		return err
	}
	f.post.Attachments = append(f.post.Attachments, message.Attachment{Filename: c.ID.Lower() + ".ics", MediaType: "text/calendar",
		Params: map[string]string{"method": method, "charset": "utf-8"}, Data: ics})
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
	row.Hash, row.Sequence, row.Picture = f.hash, f.sequence, f.picture
	return putTask(tx, caseScope(f.post.Case), row)
}

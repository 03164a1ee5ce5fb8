package mailflow

import (
	"errors"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// leastTitle is how many characters a title must have to be looked for.
const leastTitle = 6

// dropTold drops what tells of a case under another key: digests, and what the
// gateway or a coordinator's client put before the desk that names its tag, or its
// title where no other case has that.
func (b *Base) dropTold(tx *store.Tx, f family) error {
	for _, c := range f.cases {
		if err := recallDigestsFrom(tx, c, func(Coordinator) bool { return false }); err != nil {
			return err
		}
	}
	words, err := called(tx, f)
	if err != nil {
		return err
	}
	ids, err := b.telling(tx, f, words)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := unfileEverywhere(tx, id); err != nil {
			return err
		}
		if err := tx.DropMessage(id); err != nil {
			return err
		}
	}
	return dropTasksOf(tx, f, ids)
}

// calledNames are what a case and those that became part of it are called, in
// lower case.
type calledNames struct{ tags, titles []string }

// called finds them; a title that another case has, too, is none.
func called(tx *store.Tx, f family) (w calledNames, err error) {
	all, err := Cases(tx)
	if err != nil {
		return w, err
	}
	for _, c := range f.cases {
		w.tags = append(w.tags, c.ID.Lower())
		title := plainly(c.Title)
		other := slices.ContainsFunc(all, func(o cvd.Case) bool { return !f.has(o.ID) && strings.Contains(plainly(o.Title), title) })
		if len([]rune(title)) >= leastTitle && !other {
			w.titles = append(w.titles, title)
		}
	}
	return w, nil
}

// plainly is a text as it is compared: in lower case, on one line.
func plainly(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// telling lists the messages under other keys that tell of a case: all of the
// desk's own and each coordinator's that do, and of another case what the
// gateway put into Status or INBOX. The letters and notes of other cases stay.
func (b *Base) telling(tx *store.Tx, f family, w calledNames) ([]uint64, error) {
	var ids []uint64
	scopes := f.scopes()
	for m, err := range tx.MessagesFrom(0) {
		if unreadableMessage(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		_, only := onlyFor(m.Scope)
		shared := only || m.Scope == DeskScope
		told := m.Direction == "system" && slices.Contains(toldKinds, m.Kind)
		if slices.Contains(scopes, m.Scope) || !shared && !told {
			continue
		}
		raw, err := tx.Bytes(m.Served)
		if err != nil {
			return nil, err
		}
		names := w.titles
		if !shared {
			names = nil // of another case, which may be called alike
		}
		if tellsOf(raw, b.Limits, w.tags, names) {
			ids = append(ids, m.ID)
		}
	}
	return ids, nil
}

// toldKinds are mails of the gateway that may tell of several cases.
var toldKinds = []string{"transcript", "digest"}

// tellsOf says whether a mail says one of these tags, or titles.
func tellsOf(raw []byte, l message.Limits, tags, titles []string) bool {
	root, err := message.Parse(raw, ownLimits(l))
	if err != nil {
		return says(string(raw), tags, titles)
	}
	found := says(root.Header.Text("Subject"), tags, titles)
	root.Walk(func(p *message.Part) bool {
		found = found || says(string(raw[:min(len(raw), int(p.Structure().HeaderEnd))]), tags, nil) || says(p.Filename, tags, titles)
		if body, err := p.Body(); err == nil {
			found = found || says(string(body), tags, titles)
		}
		return !found
	})
	return found
}

func says(text string, tags, titles []string) bool {
	text = plainly(text)
	for _, t := range tags {
		if saysTag(text, t) {
			return true
		}
	}
	return slices.ContainsFunc(titles, func(t string) bool { return strings.Contains(text, t) })
}

// saysTag looks for a tag that does not go on: PAR-2026-0007 is not in
// PAR-2026-00071.
func saysTag(text, tag string) bool {
	for {
		_, rest, found := strings.Cut(text, tag)
		if !found {
			return false
		}
		if rest == "" || rest[0] < '0' || rest[0] > '9' {
			return true
		}
		text = rest
	}
}

// dropTasksOf forgets the tasks whose mails are gone.
func dropTasksOf(tx *store.Tx, f family, gone []uint64) error {
	all, err := collect(tasks.All(tx, nil), nil)
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.Key == "" || !f.has(r.Case) && !slices.Contains(gone, r.Message) {
			continue
		}
		if err := tx.Unfile(r.Mailbox, r.UID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := dropTask(tx, r, r.Key); err != nil {
			return err
		}
	}
	return nil
}

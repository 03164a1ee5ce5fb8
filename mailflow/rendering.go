package mailflow

import (
	"errors"
	"fmt"

	"parley/mailflow/message"
	"parley/mailflow/store"
)

// inlineView is up to how large a view is sealed inside the transaction that
// files it. A larger one is sealed outside, where nobody waits for it, and
// the transaction runs again.
const inlineView = 64 << 10

// rendering is one view of a mail, sealed.
type rendering struct {
	tree  *message.Part
	bytes []byte
	draft *store.Draft
}

// errSealFirst asks for the transaction to be run again after sealing what is
// large.
var errSealFirst = errors.New("a large view is sealed first")

// theirs ends our words in every view. What stands below the first such line was
// written by whoever wrote the mail, however much it may look like ours.
const theirs = "------- below this line: the mail as it was written -------"

// rendering makes a view once; the transaction that files it may run more
// than once. mask takes out of it what the desk is not to read.
func (in *Intake) rendering(a *arrival, fields []message.Field, note string, mask func(view []byte)) (*rendering, error) {
	head, err := message.FormatFields(fields)
	if err != nil {
		return nil, fmt.Errorf("present mail: %w", err)
	}
	note = laidOut(note)
	key := string(head) + note
	if r := a.views[key]; r != nil && r.draft != nil {
		return r, nil
	}
	r := &rendering{}
	if a.shown == nil || a.broken != "" {
		r.bytes, err = message.PresentOpaque(a.opaque(), fields, note)
	} else {
		r.bytes, err = message.PresentCut(a.shown, fields, note+"\n"+theirs, a.documents(), a.cut())
	}
	if err != nil {
		return nil, fmt.Errorf("present mail: %w", err)
	}
	mask(r.bytes)
	if r.tree, err = message.Parse(r.bytes, ownLimits(in.Limits)); err != nil {
		return nil, fmt.Errorf("read our own view: %w", err)
	}
	maskEncoded(r.tree, mask)
	if len(r.bytes) > inlineView {
		if a.views == nil {
			a.views = map[string]*rendering{}
		}
		a.views[key] = r
		return nil, errSealFirst
	}
	r.draft, err = in.Store.SealBytes(r.bytes)
	return r, err
}

// sealViews seals what was too large to be sealed in a transaction.
func (in *Intake) sealViews(a *arrival) error {
	for _, r := range a.views {
		if r.draft != nil {
			continue
		}
		var err error
		if r.draft, err = in.Store.SealBytes(r.bytes); err != nil {
			return err
		}
		r.bytes = nil
	}
	return nil
}

// dropViews gives up what was sealed and not kept.
func (a *arrival) dropViews() {
	for _, r := range a.views {
		if r.draft != nil {
			r.draft.Drop()
		}
	}
}

package mailflow

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"parley/mailflow/cvd"
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

// printedCode is a one-time code as our notices print it.
var printedCode = regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}\b`)

// maskCodes gives what masks the unused one-time codes of a participant where it
// quotes a notice of ours: who reads the desk's mail must not answer for it. All
// else keeps its place, since the mask is as long as a code. What a mail client
// wrote in base64 stays as it is.
func maskCodes(tx *store.Tx, p place) (func(view []byte), error) {
	nothing := func([]byte) {}
	if !p.thread() {
		return nothing, nil
	}
	who, err := ParticipantByID(tx, p.Case, p.Party)
	if errors.Is(err, ErrNoParticipant) || err == nil && !slices.ContainsFunc(who.Codes, func(c cvd.Code) bool { return c.Used.IsZero() }) {
		return nothing, nil
	}
	return func(view []byte) {
		tried := map[string]bool{}
		for _, at := range printedCode.FindAllIndex(view, -1) {
			word := string(view[at[0]:at[1]])
			live, known := tried[word]
			if !known {
				if len(tried) == maxCodeWords {
					return
				}
				live = who.Knows(word)
				tried[word] = live
			}
			if live {
				copy(view[at[0]:at[1]], maskedCode)
			}
		}
	}, err
}

// maxCodeWords is how many different words of a mail are tried as codes.
const maxCodeWords = 10_000

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

package mailflow

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// What the desk sees of a mail that left says what became of it: waiting,
// delayed, accepted with the server's answer, refused, bounced. Since the bytes of a
// UID never change, each such step is a message of its own, which takes the place
// of the one before with all its marks. Small steps are none: of a mail that is
// tried again and again only the first time is told.

// deliveryField and deliveryLine begin what is said of a delivery, in the header
// and at the top of the text.
const (
	deliveryField = "Parley-Delivery"
	deliveryLine  = "Its delivery: "
)

// fate is what became of a mail, in a word for programs, and in words.
type fate struct {
	word  string
	lines []string
}

// fateOf says what became of a delivery.
func fateOf(it queue.Item, n cvd.Notice) fate {
	at, name := instant(it.Last), it.String()
	switch {
	case it.State == queue.Sent && !n.Bounced.IsZero() && n.Delivery == it.ID:
		return fate{"bounced", append(filled("BOUNCED on "+instant(n.Bounced)+" ("+name+"):", "accepted and given back later, so nobody may have read it"), returned(n)...)}
	case it.State == queue.Sent && !n.Delayed.IsZero() && n.Delivery == it.ID:
		return fate{"delayed", append(filled("DELAYED since "+instant(n.Delayed)+" ("+name+"):", "accepted, and a server of theirs still tries"), returned(n)...)}
	case it.State == queue.Sent:
		return fate{"accepted", append([]string{"accepted on " + at + " (" + name + ")"}, replied(it)...)}
	case it.State == queue.Failed:
		return fate{"refused", append(filled("REFUSED on "+at+" ("+name+"),", "they do not have it"), replied(it)...)}
	case it.State == queue.Unknown:
		return fate{"unknown", append([]string{"UNKNOWN since " + at + " (" + name + ")", "did it arrive?"}, replied(it)...)}
	case it.State == queue.Dropped:
		return fate{"dropped", []string{"taken back (" + name + "), it did not leave"}}
	case it.Attempts > 0:
		return fate{"delayed", append(filled("DELAYED since "+instant(it.First)+" ("+name+"),", "tried again"), replied(it)...)}
	}
	return fate{"waiting", []string{"waiting (" + name + ")"}}
}

// waiting is the fate of a mail before its delivery has a number.
var waiting = fate{"waiting", []string{"waiting to leave"}}

// answerColumns is how much of a server's answer fits into a line.
const answerColumns = 72 - len(deliveryLine)

// replied is what a server answered, or what came instead of an answer.
func replied(it queue.Item) []string {
	words := it.Reply
	if _, codes, ok := strings.Cut(words, " answered "); ok {
		words = codes + " " + it.Said
	}
	words = plainWords(words)
	if words == "" {
		return nil
	}
	return filled("the answer:", words)
}

// returned is what a server wrote later of a mail that it had accepted.
func returned(n cvd.Notice) []string {
	if words := plainWords(n.Returned); words != "" {
		return filled("it says:", words)
	}
	return nil
}

// plainWords makes a text one that looks the same in every encoding of a mail, so
// that it can be found in one and replaced.
func plainWords(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '=':
			return ':'
		case r < ' ' || r > '~':
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// note is what the top of the text says.
func (f fate) note() string {
	var b strings.Builder
	for _, l := range f.lines {
		b.WriteString("\n" + deliveryLine + l)
	}
	return b.String()
}

func (f fate) field() message.Field { return message.Field{Name: deliveryField, Value: f.word} }

var errNoFate = errors.New("a view of a mail that left does not say what became of it")

// in gives a view of a mail that left, with what became of it by now. Nothing
// else changes: no encoding, no boundary, no file.
func (f fate) in(view []byte) ([]byte, error) {
	mark, line := []byte("\r\n"+deliveryField+": "), []byte("\r\n"+deliveryLine)
	field := bytes.Index(view, mark)
	text := bytes.Index(view, line)
	if field < 0 || text < field {
		return nil, errNoFate
	}
	out := append(slices.Clone(view[:field]), mark...)
	out = append(out, f.word...)
	fieldEnd := field + len(mark) + bytes.Index(view[field+len(mark):], []byte("\r\n"))
	out = append(out, view[fieldEnd:text]...)
	out = append(out, strings.ReplaceAll(f.note(), "\n", "\r\n")...)
	end := text
	for bytes.HasPrefix(view[end:], line) {
		next := bytes.Index(view[end+2:], []byte("\r\n"))
		if next < 0 {
			return nil, errNoFate
		}
		end += 2 + next
	}
	return append(out, view[end:]...), nil
}

// restates are deliveries whose views no longer say how it stands, by number.
var restates = store.Versioned[struct{}]("sent-restate")

// restate has the view of a delivery brought up to date, after this transaction.
func restate(tx *store.Tx, id uint64, c cvd.CaseID) error {
	if id == 0 {
		return nil
	}
	tx.Changed(store.Change{Topic: "prepare"})
	return restates.Put(tx, caseScope(c), store.Seq(id), struct{}{})
}

// Delayed notes that an attempt came to nothing and is made again, in the queue's
// own transaction. The desk sees it after the first.
func (b *Base) Delayed(tx *store.Tx, it queue.Item) error {
	if it.Attempts != 1 {
		return nil
	}
	return restate(tx, it.ID, cvd.CaseID(it.Case))
}

const (
	restateAgain  = time.Minute // after a failure
	restateBatch  = 64          // views in one go, so that notices do not wait for them
	restateAtOnce = 8           // of these in memory, so that they are committed together
)

// RestateSent brings the views of mails that left up to date. All that it goes by
// is in the store; it returns when it wants to be called next.
func (b *Base) RestateSent(now time.Time) (next time.Time, err error) {
	ids, err := b.toRestate()
	if len(ids) == restateBatch {
		next = now
	}
	for i, failed := range doEach(ids, restateAtOnce, b.restateOne) {
		if failed != nil {
			next, err = now.Add(restateAgain), errors.Join(err, fmt.Errorf("show what became of %s: %w", queue.Name(ids[i]), failed))
		}
	}
	return next, err
}

func (b *Base) toRestate() (ids []uint64, err error) {
	err = b.Store.View(func(tx *store.Tx) error {
		for r, err := range restates.All(tx, nil) {
			switch {
			case errors.Is(err, store.ErrShredded):
				continue // its case is gone, and the view with it
			case err != nil:
				return err
			}
			if ids = append(ids, numberOf(r.Key)); len(ids) == restateBatch {
				return nil
			}
		}
		return nil
	})
	return ids, err
}

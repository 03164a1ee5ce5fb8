package mailflow

import (
	"errors"
	"fmt"
	"slices"

	"parley/mailflow/store"
)

// What one delivery may hear of itself. A server that warns every four hours and
// then gives up writes thirty mails; who writes more than that fills a disk. At
// either limit the address ends, and answers as one that never was (rule M1):
// nothing that was accepted is thrown away.
const (
	bounceMails  = 50
	bounceOctets = 64 << 20 // the mail that goes beyond it is the last one taken
)

// bounceTally is what came to the address to which one delivery comes back.
type bounceTally struct {
	Mails  int
	Octets int64
	Told   bool // the desk knows that no more is taken
}

var bounceTallies = store.Versioned[bounceTally]("bouncetallies")

func (t bounceTally) full() bool { return t.Mails >= bounceMails || t.Octets >= bounceOctets }

// tallyOf reads what came to a bounce address. What cannot be read counts as
// nothing: whether the address is ours is told by its own row.
func tallyOf(tx *store.Tx, token string) (bounceTally, error) {
	t, err := bounceTallies.Get(tx, tx.Name("bounce", token))
	if errors.Is(err, store.ErrNotFound) {
		return bounceTally{}, nil
	}
	return t, err
}

// bounces says whether a mail comes to an address at which mail is counted.
func (in *Intake) bounces(env Envelope) bool {
	return slices.ContainsFunc(env.To, func(rcpt string) bool {
		local, _ := in.localPart(rcpt)
		kind, _ := splitLocal(local)
		return kind == prefixBounce
	})
}

// countBounces adds a mail to the tallies of its recipients, in the transaction
// that accepts it. One that was full by then, since others came between RCPT and
// the end of DATA, refuses it.
func (in *Intake) countBounces(tx *store.Tx, env Envelope, size int64) error {
	for _, rcpt := range env.To {
		local, _ := in.localPart(rcpt)
		kind, token := splitLocal(local)
		if kind != prefixBounce {
			continue
		}
		row, err := bounces.Get(tx, tx.Name("bounce", token))
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrShredded) {
			continue // it ended since RCPT: the mail is for a person
		}
		t, tallied := tallyOf(tx, token)
		if err := errors.Join(err, tallied); err != nil {
			return err
		}
		if t.full() {
			return replyNoMailbox
		}
		t.Mails, t.Octets = t.Mails+1, t.Octets+size
		if err := bounceTallies.Put(tx, caseScope(row.Case), tx.Name("bounce", token), t); err != nil {
			return err
		}
	}
	return nil
}

// bouncesFull tells the desk, once for each delivery and in one task for each
// participant, that its address takes no more.
func (in *Intake) bouncesFull(tx *store.Tx, p place) error {
	local, _ := in.localPart(p.Via)
	_, token := splitLocal(local)
	t, err := tallyOf(tx, token)
	if err != nil || !t.full() || t.Told {
		return err
	}
	t.Told = true
	if err := bounceTallies.Put(tx, caseScope(p.Case), tx.Name("bounce", token), t); err != nil {
		return err
	}
	id, party, err := threadNow(tx, p.Case, p.Party)
	if err != nil {
		return err
	}
	r, err := in.Templates.Refusal(refusal(
		fmt.Sprintf("mails of servers about what went to %s in %s", party, id),
		fmt.Sprintf("%d mails came about one delivery and are in Status. Further ones are refused, as for a mailbox that does not exist; no date and no stage changed.", t.Mails),
		"a server that works says once that a mail is late and once that it came back: one is broken, or somebody who saw the envelope of the delivery forges them",
		fmt.Sprintf("ask %s, another way, whether the mail arrived, and who runs their mail server", party)))
	if err != nil {
		return err
	}
	return in.task(tx, threadTask("bounces", id, party), Post{Case: id, Kind: "bounces",
		Subject: fmt.Sprintf("Too many bounces: %s in %s", party, id), Text: r.Text})
}

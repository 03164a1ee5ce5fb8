package main

import (
	"errors"
	"fmt"
	"time"

	"parley/testdata/live"
)

// kill ends Parley with SIGKILL while it takes mail, and starts it again. What it said
// 250 to until then must be there all the same.
func (b *bench) kill() error {
	mails, err := b.letters(b.o.mails)
	if err != nil {
		return err
	}
	before, ended := b.parley.answered(), make(chan error, 1)
	go func() { ended <- b.parley.takes(mails, true) }()
	for b.parley.answered() < before+len(mails)/2 {
		select {
		case err := <-ended:
			return fmt.Errorf("nothing was under way to be killed: %w", err)
		case <-time.After(time.Millisecond):
		}
	}
	err = b.gateway.Kill()
	if broke := <-ended; broke == nil {
		err = errors.Join(err, errors.New("all was answered before the kill"))
	}
	if err != nil {
		return err
	}
	for _, l := range mails {
		b.unsure = append(b.unsure, live.MessageID(l.raw))
	}
	fmt.Printf("parley was killed when %d of %d mails were answered\n", b.parley.answered()-before, len(mails))
	return b.startParley()
}

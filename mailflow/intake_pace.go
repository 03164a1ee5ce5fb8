package mailflow

import (
	"context"
	"sync"
	"time"
)

// filedWithin is how old a mail becomes at most before it is filed whoever else sends. What
// comes in a rush of mail is no longer hidden from the desk than that, as far as the
// processors can file it.
const filedWithin = 5 * time.Second

// It is a rush when so many mails came within so much time, that is more than 200 in a
// second.
const (
	rushMails = 10
	rushSpan  = 50 * time.Millisecond
)

// A pace lets those who wait for their 250 come before what was accepted already: in a
// rush nothing is filed until it ends or a mail is overdue, and then one at a time, so that
// the machine is there for taking mail. Opening one takes many times what taking it does. A
// client that is slow to send its text holds nothing up: a mail comes when all of it is
// here. The zero value is ready.
type pace struct {
	now   func() time.Time // nil: time.Now. A fake clock stands still, and the processors do not.
	mu    sync.Mutex
	came  [rushMails]time.Time // when the last ones came, in turn
	next  int
	look  chan struct{} // closed when it is time to look again; nil where nobody waits
	alone chan struct{} // holds a token while an overdue mail is filed in a rush
}

func (p *pace) time() time.Time {
	if p.now != nil {
		return p.now()
	}
	return time.Now()
}

// arrived notes that a mail came, and its client waits for the answer.
func (p *pace) arrived() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.came[p.next] = p.time()
	p.next = (p.next + 1) % rushMails
}

// wait returns when a mail may be filed, and what is called when it is, or the error of ctx.
func (p *pace) wait(ctx context.Context, overdue func() bool) (filed func(), err error) {
	for {
		again, alone := p.rush()
		if again == nil {
			return func() {}, ctx.Err()
		}
		if !overdue() {
			alone = nil
		}
		select {
		case alone <- struct{}{}:
			return func() { <-alone }, nil
		case <-again:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// rush gives nil where there is none, and otherwise says when to look again, and what who files meanwhile puts a token into.
func (p *pace) rush() (again <-chan struct{}, alone chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.time().Sub(p.came[p.next]) > rushSpan {
		return nil, nil
	}
	if p.alone == nil {
		p.alone = make(chan struct{}, 1)
	}
	if p.look == nil {
		p.look = make(chan struct{})
		time.AfterFunc(rushSpan/5, p.wake)
	}
	return p.look, p.alone
}

func (p *pace) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.look)
	p.look = nil
}

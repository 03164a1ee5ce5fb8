package mailflow

import (
	"sync"
	"time"
)

// filedWithin is how old a mail becomes at most before it is filed whoever else sends. What
// a minute of much mail brings in is no longer hidden from the desk than that, as
// far as the processor can file it.
const filedWithin = 5 * time.Second

// A pace lets those who wait for their 250 come before what was accepted already:
// as long as mails come in, one at a time is filed, and the rest of the machine is for
// taking them. When one was filed and none came meanwhile, or where a mail is overdue,
// the others go side by side. One is always under way, so that filing never stands
// still, and no clock needs to wake it. A client that is slow to send its text holds
// nothing up: a mail comes when all of it is here. The zero value is ready.
type pace struct {
	mu     sync.Mutex
	came   uint64        // mails so far
	calm   bool          // none came while the last one was filed
	filing int           // how many are being filed
	turn   chan struct{} // closed when it may be somebody's turn; nil where nobody waits for one
}

// arrived notes that a mail came, and its client waits for the answer.
func (p *pace) arrived() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.came, p.calm = p.came+1, false
}

// enter waits for a mail's turn to be filed. It looks at overdue when another one was.
func (p *pace) enter(overdue func() bool) (leave func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.filing > 0 && !p.calm && !overdue() {
		p.wait()
	}
	p.filing++
	before := p.came
	return func() { p.leave(before) }
}

// wait is for whoever holds the lock, and does not while it waits.
func (p *pace) wait() {
	if p.turn == nil {
		p.turn = make(chan struct{})
	}
	turn := p.turn
	p.mu.Unlock()
	<-turn
	p.mu.Lock()
}

// leave ends the filing of one that began when so many had come.
func (p *pace) leave(before uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.filing--
	p.calm = p.came == before
	if p.turn != nil {
		close(p.turn)
		p.turn = nil
	}
}

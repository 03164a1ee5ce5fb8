package mailflow_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/gateway/auth"
	"parley/gateway/smtpd"
	"parley/mailflow"
	"parley/mailflow/mailtest"
)

// Several clients send over a port and do not stop. What they send is not filed, but all of
// it that has waited for so long, while they go on; and when the rush is over, everything
// that was acknowledged, once.
func TestT2_RushOverThePort(t *testing.T) {
	t.Parallel()
	r := mailflow.NewRush(t)
	c := &clients{t: t, addr: port(t, r.Intake), at: r.Wall.Now}
	c.start(4)
	c.until(func() bool { return c.count() >= mailflow.RushMails })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	for range 3 {
		more := c.count() + 2*mailflow.RushMails
		c.until(func() bool { return c.count() >= more })
		now := c.round(0)
		if n := of(now, r.Filed()); n != 0 {
			t.Errorf("%d mails of %q are filed in the rush", n, now)
		}
		waited := c.acknowledged()
		r.Wall.Advance(mailflow.FiledWithin)
		c.round(1)
		c.until(func() bool { return len(missing(waited, r.Filed())) == 0 })
	}
	c.stop()
	r.Machine.Advance(mailflow.RushSpan + 1)
	c.until(func() bool { return r.Left() == 0 })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	filed, sent := slices.Sorted(slices.Values(r.Filed())), slices.Sorted(slices.Values(c.acknowledged()))
	if !slices.Equal(filed, sent) {
		t.Errorf("%d are filed of %d that were acknowledged; lost: %q", len(filed), len(sent), missing(sent, filed))
	}
}

// port is the public one, on loopback.
func port(t *testing.T, in *mailflow.Intake) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := smtpd.New(smtpd.Config{Domain: in.Domain, Limits: smtpd.DefaultLimits(), Limiter: auth.NewLimiter(100, 100),
		Intake: in, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		<-ended
	})
	return l.Addr().String()
}

// clients send one mail after the other, each with a Subject of its own.
type clients struct {
	t    *testing.T
	addr string
	at   func() time.Time
	wg   sync.WaitGroup

	mu     sync.Mutex
	number int // of the round
	over   bool
	acked  []string
	err    error
}

func (c *clients) start(n int) {
	for i := range n {
		c.wg.Go(func() {
			for k := 0; c.goesOn(); k++ {
				c.send(fmt.Sprintf("%s mail %d of %d", c.round(0), k, i), fmt.Sprintf("jo%d@finder.example", i))
			}
		})
	}
	c.t.Cleanup(c.stop)
}

func (c *clients) send(subject, from string) {
	const to = "report@vdp.example.org"
	err := mailtest.Send(c.addr, from, to, mailtest.Plain(from, to, subject, subject+"\n", c.at()))
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.err = err
		return
	}
	c.acked = append(c.acked, subject)
}

func (c *clients) goesOn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.over && c.err == nil
}

// stop returns when nothing is on its way any more.
func (c *clients) stop() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.wg.Wait()
}

// round says in which one what is sent from now on stands; more begins another.
func (c *clients) round(more int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number += more
	return fmt.Sprintf("round %d,", c.number)
}

func (c *clients) acknowledged() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.acked)
}

func (c *clients) count() int { return len(c.acknowledged()) }

// until waits for something that comes, unless a client is refused.
func (c *clients) until(done func() bool) {
	c.t.Helper()
	for !done() {
		c.mu.Lock()
		err := c.err
		c.mu.Unlock()
		if err != nil {
			c.t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

// of counts the Subjects of a round.
func of(round string, subjects []string) (n int) {
	for _, s := range subjects {
		if strings.HasPrefix(s, round) {
			n++
		}
	}
	return n
}

// missing are those that are not among the others.
func missing(all, among []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(among, s) })
}

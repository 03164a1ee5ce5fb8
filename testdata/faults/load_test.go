package faults

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"parley/mailflow/mailtest"
)

// A letter is a mail that somebody sends until it is acknowledged, as mail servers do.
type letter struct {
	id, from, to string
	raw          []byte
	acknowledged bool
	tries        int
}

// load is several senders at work, over the rounds.
type load struct {
	g     *gateway
	p     *people
	sink  *sink
	case1 string // whose thread the vendors answer in
	reply map[*mailtest.Person]string

	mu      sync.Mutex
	letters []*letter
	again   []*letter            // not acknowledged, to be sent once more
	cases   map[string]time.Time // by tag: no notice of it may leave before
	bulk    int                  // octets that each new letter is longer
}

// next is a letter to send.
func (l *load) next(from *mailtest.Person) (*letter, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, x := range l.again {
		if x.from == from.Address {
			l.again = append(l.again[:i], l.again[i+1:]...)
			return x, nil
		}
	}
	to, subject := l.reply[from], "Re: ["+l.case1+"]"
	if to == "" {
		to, subject = "report@"+domain, fmt.Sprintf("Report %d", len(l.letters))
	}
	raw, err := l.p.report(from, to, subject, l.bulk)
	if err != nil {
		return nil, err
	}
	x := &letter{id: messageID(raw), from: from.Address, to: to, raw: raw}
	l.letters = append(l.letters, x)
	return x, nil
}

// sends is one sender: over one connection until it breaks.
func (l *load) sends(from *mailtest.Person, smtpAddr string) error {
	c, err := smtp.Dial(smtpAddr)
	if err != nil {
		return nil // killed already
	}
	defer func() { _ = c.Close() }()
	for {
		x, err := l.next(from)
		if err != nil {
			return err
		}
		x.tries++
		err = c.SendMail(x.from, []string{x.to}, strings.NewReader(string(x.raw)))
		l.mu.Lock()
		if err == nil {
			x.acknowledged = true
		} else {
			l.again = append(l.again, x)
		}
		l.mu.Unlock()
		if err != nil {
			return nil
		}
		time.Sleep(rand.N(2 * pace))
	}
}

// pace is how long a sender waits between two letters: a few dozen a second in all.
const pace = 30 * time.Millisecond

var openedCase = regexp.MustCompile(`OK: (\S+-\d{4}-\d{4}) `)

// round lets all send, and notices fall due, until a kill at a random instant.
func (l *load) round(t *testing.T) {
	t.Helper()
	must(t, l.g.start())
	began := time.Now()
	l.opensCase(t, "soon", began.Add(noticeWait))
	var wg sync.WaitGroup
	senders := append([]*mailtest.Person{l.p.finder, l.p.finder, l.p.finder, l.p.finder}, l.p.vendors[:2]...)
	errs := make(chan error, len(senders))
	for _, s := range senders {
		wg.Go(func() { errs <- l.sends(s, l.g.smtp) })
	}
	time.Sleep(time.Duration(50+rand.IntN(2700)) * time.Millisecond)
	l.g.kill()
	wg.Wait()
	close(errs)
	for err := range errs {
		must(t, err)
	}
}

func (l *load) opensCase(t *testing.T, policy string, earliest time.Time) {
	t.Helper()
	lines := []string{"case open \"Overflow\" policy " + policy}
	for _, v := range l.p.vendors {
		lines = append(lines, "invite "+v.Name+" wave 1 affects \"Player 9.1\"")
	}
	out, err := l.g.do(append(lines, "start now")...)
	must(t, err)
	m := openedCase.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no case: %s", out)
	}
	l.case1 = m[1]
	l.cases[m[1]] = earliest
}

// newLoad is a gateway with a case whose notices left, so that there are threads to answer in.
func newLoad(t *testing.T, k kind) *load {
	t.Helper()
	s := newSink(t)
	g := newGateway(t, k, filepath.Join(t.TempDir(), "gw"), s.addr)
	g.mustStart()
	l := &load{g: g, sink: s, p: g.hire("acme", "globex", "initech"), reply: map[*mailtest.Person]string{}, cases: map[string]time.Time{}}
	l.opensCase(t, "now", time.Time{})
	first := l.case1
	for _, v := range l.p.vendors {
		if !within(20*time.Second, func() bool { return len(s.mails(v.Address)) == 1 }) {
			t.Fatalf("%s was not told: %s %s", v.Name, g.log(), g.mustDo("case "+first, "plan"))
		}
		l.reply[v] = threadOf(s.mails(v.Address)[0].raw)
	}
	_, err := g.counted() // her first login, which makes her folders
	must(t, err)
	g.stop()
	return l
}

var fromField = regexp.MustCompile(`(?mi)^From: .*?(case\+[^@\s]+@[^>\s]+)`)

func threadOf(raw []byte) string {
	if m := fromField.FindSubmatch(raw); m != nil {
		return string(m[1])
	}
	return ""
}

// kept says what was acknowledged and is not there exactly once.
func (l *load) kept(t *testing.T) (f findings) {
	t.Helper()
	patience := 30 * time.Second // for what was accepted to be filed
	if l.g.program == broken {
		patience = 5 * time.Second
	}
	var lost []string
	var seen map[string]int
	within(patience, func() bool {
		time.Sleep(100 * time.Millisecond)
		var err error
		seen, err = l.g.counted()
		must(t, err)
		lost = nil
		for _, x := range l.letters {
			if x.acknowledged && seen[x.id] == 0 {
				lost = append(lost, x.id)
			}
		}
		return len(lost) == 0
	})
	if len(lost) > 0 {
		f.add("%d acknowledged mails are lost: %q…", len(lost), lost[0])
	}
	for _, x := range l.letters {
		if seen[x.id] > 1 {
			f.add("mail %s is there %d times after %d tries", x.id, seen[x.id], x.tries)
		}
	}
	return f
}

// killUnderLoad is the part: rounds of load that end with a kill.
func killUnderLoad(t *testing.T, k kind, n int) findings {
	t.Helper()
	l := newLoad(t, k)
	l.sink.misbehaves(func(at point, _ string) action {
		if at == atDot { // as a server that looks at a mail before it answers, so that kills come then too
			time.Sleep(50 * time.Millisecond)
		}
		return action{}
	})
	var f findings
	for i := range n {
		l.round(t)
		if err := l.g.whole(); err != nil {
			f.add("after round %d: %v", i+1, err)
		}
		must(t, l.g.start())
		f = append(f, l.kept(t)...)
		f = append(f, l.once(t)...)
		if len(f) > 0 {
			l.g.kill()
			return f
		}
		l.g.stop()
		if (i+1)%20 == 0 {
			t.Logf("%d kills under load so far, nothing found", i+1)
		}
	}
	must(t, l.g.start())
	lost, unknown := l.accounted(t)
	l.g.stop()
	acknowledged, tries := 0, 0
	for _, x := range l.letters {
		tries += x.tries
		if x.acknowledged {
			acknowledged++
		}
	}
	f = append(f, lost...)
	f.figures(t, "%d kills under load: %d mails acknowledged of %d tries, 0 lost, 0 twice; %d notices, 0 early, 0 sent twice, %d unknown until a person decided",
		n, acknowledged, tries, len(l.cases)*len(l.p.vendors), unknown)
	if acknowledged < n {
		f.add("only %d mails were acknowledged", acknowledged)
	}
	return f
}

func TestT2_KilledUnderLoad(t *testing.T) {
	t.Parallel()
	killUnderLoad(t, asReleased(), rounds(2, 100)).sound(t)
	control(t, "answer-first", 10, func(t *testing.T, k kind) findings { return killUnderLoad(t, k, 1) })
	control(t, "early", 2, func(t *testing.T, k kind) findings { return killUnderLoad(t, k, 2) })
	control(t, "again-by-itself", 10, func(t *testing.T, k kind) findings { return killUnderLoad(t, k, 10) }) // few kills come just then
}

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"parley/mailflow/mailtest"
	"parley/testdata/live"
)

// soak is a gateway with everybody who has to do with it.
type soak struct {
	gateway *live.Gateway
	sink    *mailtest.Sink
	ours    []byte // the gateway's key
	desk    []*live.Coordinator
	finders []*mailtest.Person
	vendors []*mailtest.Person

	mu      sync.Mutex
	acked   map[string]bool // Message-IDs that were answered with 250
	threads []thread        // that vendors can write into
	opened  []string        // tags of the cases that were started
	faults  []error
	waited  map[string][]time.Duration // since the last sample, by what was waited for
	did     map[string]int
}

// thread is where a vendor answers.
type thread struct {
	vendor  *mailtest.Person
	address string
}

// policy lets everything of a case fall due within a minute, with nobody asked.
const policy = `
[policy.soak]
embargo = "1m"
lead = "1m"
leak = "1m"
remind = []
[[policy.soak.stage]]
name = "heads-up"
at = "start"
[[policy.soak.stage]]
name = "scope"
at = "start+20s"
needs = ["accepted"]
approvals = 0
[[policy.soak.stage]]
name = "public"
at = "end"
approvals = 0
`

// parties are the vendors of every case.
var parties = []string{"acme", "globex", "initech", "umbrella"}

// begin makes a gateway with a desk of two and four vendors, and starts it.
func begin(program, home string) (*soak, error) {
	sink, err := mailtest.NewSink()
	if err != nil {
		return nil, err
	}
	s := &soak{sink: sink, acked: map[string]bool{}, waited: map[string][]time.Duration{}, did: map[string]int{}}
	s.gateway, err = live.Make(program, home, policy, live.Set("smarthost", `"smtp://`+sink.Addr+`"`), live.Set("undo", `"0s"`),
		live.Set("pause", `"0s"`), live.Set("digest", `"off"`), live.Set("guard", `"1MiB"`), live.Set("connections", "1000"), live.Set("connections_per_ip", "1000"))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"ana", "ben"} {
		c, err := s.gateway.Coordinator(name, "soak of "+name)
		if err != nil {
			return nil, err
		}
		s.desk = append(s.desk, c)
	}
	for n := range 8 {
		f, err := mailtest.NewPerson("Finder", fmt.Sprintf("finder%d@peer.example", n), time.Now)
		if err != nil {
			return nil, err
		}
		s.finders = append(s.finders, f)
	}
	for _, name := range parties {
		v, err := s.gateway.Vendor(name)
		if err != nil {
			return nil, err
		}
		s.vendors = append(s.vendors, v)
	}
	if s.ours, err = s.gateway.Key(); err != nil {
		return nil, err
	}
	return s, s.gateway.Start()
}

// fault notes what went wrong; the run goes on.
func (s *soak) fault(format string, a ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := fmt.Errorf(format, a...); len(s.faults) < 20 {
		s.faults = append(s.faults, err)
		fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), err)
	}
}

func (s *soak) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.faults...)
}

// took notes how long a peer waited for something.
func (s *soak) took(what string, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waited[what] = append(s.waited[what], time.Since(since))
	s.did[what]++
}

// syllables make words that nobody uses.
var syllables = []string{"ba", "cre", "do", "fli", "gu", "ha", "jo", "kle", "lu", "mi", "nor", "pa", "que", "rus", "sto", "ti", "va", "wen", "xa", "zu"}

// words is a text of about so many bytes, another for each number, as people who have
// nothing to do with each other write: what repeats itself, or others, is the guard's
// own work.
func words(n, size int) string {
	r := rand.New(rand.NewPCG(uint64(n), uint64(size)))
	var b strings.Builder
	for b.Len() < size {
		fmt.Fprintf(&b, "Frame %d of", n)
		for range 8 {
			b.WriteByte(' ')
			for range 2 + r.IntN(3) {
				b.WriteString(syllables[r.IntN(len(syllables))])
			}
		}
		b.WriteString(".\n")
	}
	return b.String()
}

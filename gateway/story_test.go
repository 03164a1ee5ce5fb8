package main

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// story is the disclosure of 2009 on the stage of the demo: one finder, three
// coordinators, and forty vendors in three waves.
type story struct {
	testing.TB
	*demo
	time    *mailtest.Clock
	cyd     *coordinator
	vendors []*storyVendor
	log     *storyLog

	// What the oracle goes by, as people did it.
	ends      []storyEnd
	yes       []storyYes
	leaked    time.Time
	answered  time.Time
	handed    map[cvd.Stage]time.Time // to the one that gets no mail, first
	handovers int

	breaths  atomic.Int64 // of the scheduler
	seenRest rest

	seen map[string]bool // requests that were said yes to
	away cvd.Stage       // of which nobody reads requests now
}

// storyLog keeps what the gateway logs.
type storyLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *storyLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *storyLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestStory2009 plays the disclosure of a flaw in a library that forty vendors
// have compiled in, over real SMTP, IMAP and OpenPGP: each mail is opened by its
// vendor when it comes, and judged by an oracle that knows what the vendor may know
// at that instant. It ends with who got what when.
func TestStory2009(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	for _, scene := range []func(){
		s.isReported, s.starts, s.beginsByHand, s.shortensTheEmbargo, s.renewsAKey, s.answersAll, s.tellsOneLate, s.waitsForAYes,
		s.leaks, s.publishes,
	} {
		scene()
	}
	for _, check := range []func(){
		s.courses, s.matrix, s.tallies, s.inOrder, func() { s.saysTheSame("embargo"); s.saysTheSame("letter") }, s.tellsTheFinder, s.leaves,
		s.refusesForgeries,
	} {
		check()
	}
}

// storyPolicy has long waves, so that the last one is not told yet when the flaw
// leaks.
const storyPolicy = `
[policy.atl]
embargo = "90d"
wave = "12d"
remind = ["3d", "7d"]
lead = "90d"
leak = "24h"
[[policy.atl.stage]]
name = "heads-up"
at = "start"
[[policy.atl.stage]]
name = "scope"
at = "start+1d"
needs = ["accepted"]
approval = "gesture"
[[policy.atl.stage]]
name = "details"
at = "start+3d"
needs = ["accepted"]
[[policy.atl.stage]]
name = "proof"
at = "start+10d"
needs = ["accepted"]
[[policy.atl.stage]]
name = "advisory"
at = "end-14d"
needs = ["accepted"]
[[policy.atl.stage]]
name = "public"
at = "end"
`

// storyLasts is the embargo as it starts: ninety days from a Monday are a Sunday,
// and the next day on which one publishes is a Tuesday.
const storyLasts = 92 * cvd.Day

func newStory(t testing.TB) *story {
	t.Helper()
	clock := mailtest.NewClock(storyBegins())
	s := &story{TB: t, time: clock, log: &storyLog{}, demo: &demo{out: t.Output()},
		handed: map[cvd.Stage]time.Time{}, seen: map[string]bool{}, away: cvd.Proof}
	s.clock = s.storyClock()
	s.edit = func(text []byte) []byte {
		return append(setLimit(setLimit(text, "connections"), "connections_per_ip"), storyPolicy...)
	}
	t.Cleanup(func() { s.must(s.close()) })
	s.must(s.build(world{os.Stdin, s.out, s.log}, true))
	s.gathers()
	return s
}

func (s *story) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(s.when(), err)
	}
}

// when is the instant of the story in words.
func (s *story) when() string {
	if s.cast.start.IsZero() {
		return "before the start"
	}
	passed := s.time.Now().Sub(s.cast.start)
	return fmt.Sprintf("day %2d %s", int(passed/cvd.Day), s.time.Now().Format("15:04"))
}

package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/textproto"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/testdata/live"
)

// guesser is a client that asks for one recipient after the other, each time it is
// sent away from another address of the loopback network.
type guesser struct {
	testing.TB
	addr  string
	calls int
	*textproto.Conn
}

// dials opens a connection as far as MAIL.
func (g *guesser) dials() {
	g.Helper()
	g.hangsUp()
	g.calls++
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+g.calls/250), byte(1+g.calls%250))}}
	conn, err := d.Dial("tcp", g.addr)
	if err != nil {
		g.Fatal(err)
	}
	g.Conn = textproto.NewConn(conn)
	if _, _, err := g.ReadResponse(220); err != nil {
		g.Fatal(err)
	}
	for _, line := range []string{"EHLO x.example", "MAIL FROM:<x@x.example>"} {
		if answer, _ := g.says(line); !strings.HasPrefix(answer, "250") {
			g.Fatalf("%s: %s", line, answer)
		}
	}
}

func (g *guesser) hangsUp() {
	if g.Conn != nil {
		_ = g.Close()
	}
}

// says gives the answer to a line, and how long it took from the last octet on.
func (g *guesser) says(line string) (answer string, took time.Duration) {
	g.Helper()
	begun := time.Now()
	if err := g.PrintfLine("%s", line); err != nil {
		g.Fatal(err)
	}
	for {
		got, err := g.ReadLine()
		if err != nil {
			g.Fatalf("after %q: %v", line, err)
		}
		if len(got) < 4 || got[3] != '-' {
			return got, time.Since(begun)
		}
	}
}

// guesses asks for one address; a connection that was used up is replaced.
func (g *guesser) guesses(rcpt string) (answer string, took time.Duration) {
	g.Helper()
	if g.Conn == nil {
		g.dials()
	}
	answer, took = g.says("RCPT TO:<" + rcpt + ">")
	if strings.HasPrefix(answer, "421") {
		g.dials()
		return g.says("RCPT TO:<" + rcpt + ">")
	}
	return answer, took
}

// guessed are the kinds of addresses that somebody tries who knows nothing, and how
// each is made.
func (g *facingGateway) guessed() map[string]func() string {
	live := g.thread(atReport)
	return map[string]func() string{
		"unknown thread":    func() string { return g.at("case+" + cvd.NewToken()) },
		"one letter off":    func() string { return strings.Replace(live, "@", "a@", 1) },
		"one letter else":   func() string { i := 5 + rand.IntN(20); return live[:i] + "0" + live[i+1:] },
		"unknown bounce":    func() string { return g.at("bounce+" + cvd.NewToken()) },
		"a case":            func() string { return g.at(strings.ToLower(g.tag)) },
		"no case":           func() string { return g.at("par-2031-0077") },
		"a case's vendor":   func() string { return g.at(atReport + "." + strings.ToLower(g.tag)) },
		"no vendor":         func() string { return g.at("frontdoos." + strings.ToLower(g.tag)) },
		"a login":           func() string { return g.at("ana") },
		"no login":          func() string { return g.at("ani") },
		"the desk's domain": func() string { return "control@" + g.app.set.DeskDomain },
		"another domain":    func() string { return "control@somewhere.example" },
		"garbage":           func() string { return g.at(fmt.Sprintf("%x", rand.Uint64())) },
	}
}

// ended are addresses that were good: whoever tries them had them from us.
func (g *facingGateway) ended() map[string]func() string {
	g.Helper()
	gone, back := g.thread(atThread), g.back(g.other.thread(atThread))
	for n := range 60 { // fifty are taken
		if g.tell("", back, facingReport("", back, "x@x.example", n)) != nil {
			break
		}
	}
	g.desk("case "+g.tag, "withdraw "+atThread+` because "not theirs"`, "invite "+atThread+" wave 1")
	return map[string]func() string{"ended thread": func() string { return gone }, "ended bounce": func() string { return back },
		"a bounce as a thread": func() string { return strings.Replace(back, "bounce+", "case+", 1) }}
}

// howManyGuesses is HOSTILE in the environment, or few.
func howManyGuesses() int {
	if n, err := strconv.Atoi(os.Getenv("HOSTILE")); err == nil && n > 0 {
		return n
	}
	return 6000
}

// Guesses over a real connection (few here, ten thousand by make hostile) are refused
// in one sentence, and whoever guesses cannot tell from the time what stands behind
// an address: the kinds take turns in an order of chance, and of each it is counted
// how often it takes longer than the others do. A half is nothing; what a look-up left
// out would take away is far more than what is allowed. Who had an address before it
// ended may see that, in a part of the time that the network takes.
func TestM2_GuessesOverThePort(t *testing.T) {
	a, b := newFacing(t)
	a.opens()
	b.opens()
	a.starts()
	pass(a, b, 5*time.Minute)
	_, err := a.coordinator(t.Context(), "ana")
	a.must(err)
	kinds := a.guessed()
	ended := a.ended()
	for name, how := range ended {
		kinds[name] = how
	}
	rested(a, b)
	took := manyGuesses(t, a.addr("smtp"), kinds, max(howManyGuesses()/len(kinds), 200))
	var lines []string
	for name, own := range took {
		var others []time.Duration
		for other, all := range took {
			if other != name && ended[other] == nil {
				others = append(others, all...)
			}
		}
		slices.Sort(others)
		longer, ratio := longerThan(own, others), float64(median(own))/float64(median(others))
		lines = append(lines, fmt.Sprintf("%8s, longer than others in %4.1f %%: %s", median(own), 100*longer, name))
		if ended[name] == nil && (longer < 0.4 || longer > 0.6) || ratio > 3 || ratio < 1./3 {
			t.Errorf("%s: the median is %.2f of the others', and %.1f %% are longer than theirs", name, ratio, 100*longer)
		}
	}
	slices.Sort(lines)
	t.Logf("medians of %d guesses each:\n%s", len(took["a case"]), strings.Join(lines, "\n"))
}

// manyGuesses asks for so many of each kind, and wants one answer to all.
func manyGuesses(t *testing.T, addr string, kinds map[string]func() string, each int) map[string][]time.Duration {
	t.Helper()
	g := &guesser{TB: t, addr: addr}
	t.Cleanup(g.hangsUp)
	var names []string
	for name := range kinds {
		names = append(names, name)
	}
	took, want := map[string][]time.Duration{}, ""
	for range each {
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for _, name := range names {
			answer, d := g.guesses(kinds[name]())
			if want == "" {
				want = answer
			}
			if answer != want || !strings.HasPrefix(answer, "550 5.1.1 ") {
				t.Fatalf("%s: %q, others hear %q", name, answer, want)
			}
			took[name] = append(took[name], d)
		}
	}
	return took
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// longerThan is the part of all pairs in which the first of a pair is longer (the
// rank statistic of Mann and Whitney); the others are sorted.
func longerThan(own, others []time.Duration) float64 {
	sum := 0.
	for _, d := range own {
		below, _ := slices.BinarySearch(others, d)
		upTo, _ := slices.BinarySearch(others, d+1)
		sum += float64(below+upTo) / 2
	}
	return sum / float64(len(own)) / float64(len(others))
}

// Whoever guesses on is sent away after so many commands of a connection, and an
// address has so many connections; who comes from elsewhere is served (rule M8).
func TestM2_M8_GuessesAreBounded(t *testing.T) {
	t.Parallel()
	gw := runs(t, "", live.Set("connections_per_ip", "2"))
	if err := gw.Start(); err != nil {
		t.Fatal(err)
	}
	g := &guesser{TB: t, addr: gw.Port("smtp")}
	t.Cleanup(g.hangsUp)
	g.dials()
	n, answer := 0, ""
	for ; !strings.HasPrefix(answer, "421") && n < 100_000; n++ {
		answer, _ = g.says("RCPT TO:<case+" + cvd.NewToken() + "@" + live.Domain + ">")
	}
	if answer != "421 4.7.0 Too many commands" {
		t.Errorf("after %d guesses: %q", n, answer)
	}
	if line, err := g.ReadLine(); err == nil {
		t.Errorf("it goes on: %q", line)
	}
	t.Logf("%d guesses a connection", n)
	for i, want := range []string{"220 ", "220 ", "421 4.7.0 "} {
		if got := holds(t, "tcp", g.addr, "127.0.3.1"); !strings.HasPrefix(got, want) {
			t.Errorf("connection %d: %q", i+1, got)
		}
	}
	to := "report@" + demoDomain
	if err := mailtest.Send(g.addr, "x@x.example", to, mailtest.Plain("x@x.example", to, "x", "y", time.Now())); err != nil {
		t.Errorf("an honest sender: %v", err)
	}
}

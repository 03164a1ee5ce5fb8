// Command hostile starts a gateway in a temporary directory and attacks it: many
// connections at once send bombs, from as many addresses, while an honest sender
// and two IMAP clients are served, and two others idle throughout. It prints what they
// waited and the most memory that the daemon took until all was filed, and exits 1
// where somebody honest was not served, who idled heard nothing of new mail, an attack
// ended the daemon, or it took more than -most.
//
//	go run ./testdata/hostile -parley bin/parley [-conns 50] [-time 60s] [-drain 10m] [-most 900]
//
// Linux only: it reads /proc, and its clients come from 127.0.0.0/8.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"parley/testdata/live"
)

const password = "correct horse battery"

func main() {
	parley := flag.String("parley", "bin/parley", "the program")
	conns := flag.Int("conns", 50, "hostile connections at once")
	last := flag.Duration("time", time.Minute, "how long it is attacked")
	drain := flag.Duration("drain", 10*time.Minute, "how long it may file afterwards")
	most := flag.Int("most", 900, "MiB that the daemon may take")
	flag.Parse()
	if err := run(*parley, *conns, *last, *drain, *most); err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
}

func run(parley string, conns int, last, drain time.Duration, most int) (err error) {
	dir, err := os.MkdirTemp("", "hostile")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	g, err := live.Make(parley, filepath.Join(dir, "gw"), "")
	if err != nil {
		return err
	}
	ana, err := g.Coordinator("ana", password)
	if err == nil {
		err = g.Start()
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Stop()) }()
	bombs, err := load(g)
	if err != nil {
		return err
	}
	var idlers [2]*idler
	for i := range idlers {
		if idlers[i], err = idle(ana); err != nil {
			return err
		}
	}
	before := memory(g, "VmHWM")
	mail, read := attack(g, bombs, conns, last)
	fmt.Printf("an honest mail: %s\nlogin, SELECT and FETCH by IMAP: %s\n", mail, read)
	begun := time.Now()
	if err := drained(g, drain); err != nil {
		return err
	}
	peak := memory(g, "VmHWM")
	fmt.Printf("all was filed %s later\n", time.Since(begun).Round(time.Second))
	fmt.Printf("memory of the daemon: %d MiB before, %d MiB at most; it may take %d\n", before, peak, most)
	switch {
	case peak == 0:
		return errors.New("the daemon has ended")
	case peak > most:
		return fmt.Errorf("the daemon took %d MiB", peak)
	}
	err = errors.Join(mail.bad("mail"), read.bad("IMAP"))
	for _, i := range idlers {
		err = errors.Join(err, i.end())
	}
	return err
}

// load makes the bombs for a gateway.
func load(g *live.Gateway) ([]bomb, error) {
	key, err := g.Key()
	if err != nil {
		return nil, err
	}
	return makeBombs(key)
}

// attack sends bombs for a while, beside an honest sender and two who read.
func attack(g *live.Gateway, bombs []bomb, conns int, last time.Duration) (mail, read *waits) {
	// Not a deadline: a dialer knows of one, and gives up an instant before the context says so.
	ctx, cancel := context.WithCancel(context.Background())
	defer time.AfterFunc(last, cancel).Stop()
	defer cancel()
	attacks, refused := make([]atomic.Int64, len(bombs)), make([]atomic.Int64, len(bombs))
	var all sync.WaitGroup
	for i := range conns {
		all.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				b := n % len(bombs)
				if send(ctx, g.Port("smtp"), fmt.Sprintf("127.0.1.%d", i+1), bombs[b].mail) != nil {
					refused[b].Add(1)
				}
				attacks[b].Add(1)
			}
		})
	}
	mail, read = new(waits), new(waits)
	all.Go(func() { mail.again(ctx, func() error { return send(ctx, g.Port("smtp"), "127.0.0.2", honest()) }) })
	for i := range 2 {
		all.Go(func() { read.again(ctx, func() error { return look(ctx, g, fmt.Sprintf("127.0.0.%d", i+3)) }) })
	}
	all.Wait()
	for i, b := range bombs {
		fmt.Printf("%5d times %s, %d KiB, of which refused or cut off %d\n", attacks[i].Load(), b.name, len(b.mail)>>10, refused[i].Load())
	}
	return mail, read
}

var spooled = regexp.MustCompile(`(?m)^parley_mails_spooled (\S+)$`)

// drained waits until every mail that was accepted is filed: reading the bombs takes
// more memory than taking them.
func drained(g *live.Gateway, within time.Duration) error {
	for end := time.Now().Add(within); ; time.Sleep(500 * time.Millisecond) {
		figures, err := g.Get("/metrics")
		if err != nil {
			return err
		}
		m := spooled.FindStringSubmatch(figures)
		if m == nil {
			return errors.New("the figures say nothing of the spool")
		}
		if m[1] == "0" {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("after %s there are still %s mails to be filed", within, m[1])
		}
	}
}

// waits are what somebody honest waited.
type waits struct {
	mu     sync.Mutex
	all    []time.Duration
	failed error
}

func (w *waits) again(ctx context.Context, do func() error) {
	for ctx.Err() == nil {
		begun := time.Now()
		err := do()
		w.mu.Lock()
		if err == nil {
			w.all = append(w.all, time.Since(begun))
		} else if ctx.Err() == nil {
			w.failed = err
		}
		w.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
	}
}

func (w *waits) bad(what string) error {
	if w.failed != nil {
		return fmt.Errorf("honest %s: %w", what, w.failed)
	}
	if len(w.all) == 0 {
		return fmt.Errorf("no honest %s was served", what)
	}
	return nil
}

func (w *waits) String() string {
	slices.Sort(w.all)
	if len(w.all) == 0 {
		return "never"
	}
	ms := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	return fmt.Sprintf("%d times, median %s, worst %s", len(w.all), ms(w.all[len(w.all)/2]), ms(w.all[len(w.all)-1]))
}

// memory reads a size in MiB from what the kernel knows of the daemon; 0 where it
// has ended.
func memory(g *live.Gateway, name string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.PID()))
	if err != nil {
		return 0
	}
	m := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		return 0
	}
	kb, _ := strconv.Atoi(string(m[1])) // digits
	return kb >> 10
}

// Command hostile starts a gateway in a temporary directory and attacks it: many
// connections at once send bombs, from as many addresses, while an honest sender
// and two IMAP clients are served. It prints what they waited and the most memory
// that the daemon took, and exits 1 where somebody honest was not served, an attack
// ended the daemon, or it took more than -most.
//
//	go run ./testdata/hostile -parley bin/parley [-conns 50] [-time 60s] [-most 900]
//
// Linux only: it reads /proc, and its clients come from 127.0.0.0/8.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	parley := flag.String("parley", "bin/parley", "the program")
	conns := flag.Int("conns", 50, "hostile connections at once")
	last := flag.Duration("time", time.Minute, "how long it is attacked")
	most := flag.Int("most", 900, "MiB that the daemon may take")
	flag.Parse()
	if err := run(*parley, *conns, *last, *most); err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
}

func run(parley string, conns int, last time.Duration, most int) (err error) {
	dir, err := os.MkdirTemp("", "hostile")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	g, err := start(parley, filepath.Join(dir, "gw"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.stop()) }()
	bombs, err := makeBombs(g.key)
	if err != nil {
		return err
	}
	idle := g.memory("VmHWM")
	ctx, cancel := context.WithTimeout(context.Background(), last)
	defer cancel()
	attacks, refused := make([]atomic.Int64, len(bombs)), make([]atomic.Int64, len(bombs))
	var all sync.WaitGroup
	for i := range conns {
		all.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				b := n % len(bombs)
				if send(ctx, g.smtp, fmt.Sprintf("127.0.1.%d", i+1), bombs[b].mail) != nil {
					refused[b].Add(1)
				}
				attacks[b].Add(1)
			}
		})
	}
	var mail, read waits
	all.Go(func() { mail.again(ctx, func() error { return send(ctx, g.smtp, "127.0.0.2", honest()) }) })
	for i := range 2 {
		all.Go(func() { read.again(ctx, func() error { return look(ctx, g, fmt.Sprintf("127.0.0.%d", i+3)) }) })
	}
	all.Wait()
	for i, b := range bombs {
		fmt.Printf("%5d times %s, %d KiB, of which refused or cut off %d\n", attacks[i].Load(), b.name, len(b.mail)>>10, refused[i].Load())
	}
	fmt.Printf("an honest mail: %s\nlogin, SELECT and FETCH by IMAP: %s\n", mail.String(), read.String())
	peak := g.memory("VmHWM")
	fmt.Printf("memory of the daemon: %d MiB before, %d MiB at most; it may take %d\n", idle, peak, most)
	switch {
	case peak == 0:
		return errors.New("the daemon has ended")
	case peak > most:
		return fmt.Errorf("the daemon took %d MiB", peak)
	}
	return errors.Join(mail.bad("mail"), read.bad("IMAP"))
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

// gateway is a daemon of ours.
type gateway struct {
	cmd        *exec.Cmd
	dir        string
	smtp, imap string
	key        []byte
	log        bytes.Buffer
}

const password = "correct horse battery"

func start(parley, dir string) (*gateway, error) {
	config := filepath.Join(dir, "parley.toml")
	pw := dir + ".pw"
	call := func(args ...string) ([]byte, error) {
		out, err := exec.Command(parley, args...).Output()
		if err != nil {
			return nil, fmt.Errorf("parley %s: %w: %s", args[0], err, out)
		}
		return out, nil
	}
	if err := os.WriteFile(pw, []byte(password+"\n"), 0o600); err != nil {
		return nil, err
	}
	if _, err := call("init", dir, "--domain", "vdp.example.org"); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(config)
	if err != nil {
		return nil, err
	}
	text = regexp.MustCompile(`(?m)^listen = "[^"]*"`).ReplaceAll(text, []byte(`listen = "127.0.0.1:0"`))
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return nil, err
	}
	if _, err := call("coordinator", "add", "ana", "--config", config, "--password-file", pw); err != nil {
		return nil, err
	}
	g := &gateway{dir: dir, cmd: exec.Command(parley, "serve", "--config", config)}
	if g.key, err = call("key", "export", "--config", config); err != nil {
		return nil, err
	}
	g.cmd.Stderr = &g.log
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("serve: %w: %s", err, &g.log), g.cmd.Process.Kill())
	}
	for word := range strings.FieldsSeq(line) {
		name, addr, _ := strings.Cut(word, "=")
		switch name {
		case "smtp":
			g.smtp = addr
		case "imap":
			g.imap = addr
		}
	}
	return g, nil
}

func (g *gateway) stop() error {
	_ = g.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	if err := g.cmd.Wait(); err != nil {
		return fmt.Errorf("serve: %w: %.2000s", err, &g.log)
	}
	return nil
}

// memory reads a size in MiB from what the kernel knows of the daemon; 0 where it
// has ended.
func (g *gateway) memory(name string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
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

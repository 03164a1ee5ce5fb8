// Command acceptbench measures how fast mail is taken: Parley beside a Postfix that
// holds what it takes, in one run. Both answer 250 after an fsync, Parley also seals.
//
//	go run ./testdata/acceptbench -parley bin/parley [-rounds 5] [-mails 2000] [-lone 200] [-w DIR] PEERS
//
// PEERS is a folder with postfix/start.sh, which starts Postfix on loopback, port 2610,
// under PEER_DIR. It is no part of this repository: without it, or without postfix,
// nothing is measured. For root, which start.sh needs; make bench-accept builds what it
// starts.
//
// The mails are reports of 4 kB, encrypted and signed, sealed before the clock runs; in
// each round both servers get the same ones from the same sender, one after the other.
// smtp-source, whose mails are in clear, is the second opinion. Parley takes these as
// it takes the others, and files them as reports in clear. It files while it takes, which
// costs it time that Postfix, that only holds, has for taking; the next turn begins when
// all is filed. Beside the clock stands the CPU time of each server's processes, Parley's
// with its filing: on a busy machine the scheduler serves many processes, as Postfix's
// are, before one. A lone session waits between its mails, and is compared with one Update
// of a bbolt database on the same disk, in turns.
//
// In Parley's configuration the connections that one address may have are raised, for
// all come from one, and DNS is not asked where mail came from, as Postfix does not. Its
// other limits are those of the shipped configuration. Work happens in DIR, else in a
// new directory below TMPDIR, which is removed; a tmpfs is refused, for it knows no fsync.
//
// Parley runs in a session of its own, as Postfix does: where the kernel shares its
// processors among sessions (autogroup), each has a share, beside that of the senders.
//
// In the end Parley is killed while it takes mail, and started again. It exits with 0
// only if all that was answered with 250 is there then: in Parley by the Message-IDs that
// a coordinator sees, and what smtp-source sent by its number; in Postfix by the number
// of mails that it holds. A target that is missed is told. That it fails shows
//
//	go build -tags faults -o bin/parley-faults ./gateway
//	PARLEY_FAULTS_BREAK=answer-first bin/acceptbench -parley bin/parley-faults -rounds 1 PEERS
//
// where 250 is said before the mail is on the disk.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

type options struct {
	program, work, peers string
	rounds, mails, lone  int
}

func main() {
	var o options
	flag.StringVar(&o.program, "parley", "bin/parley", "the program")
	flag.StringVar(&o.work, "w", "", "empty scratch folder on a disk, which is kept; else a new one that is removed")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; the median of them is printed")
	flag.IntVar(&o.mails, "mails", 2000, "mails of a round, to each server")
	flag.IntVar(&o.lone, "lone", 200, "mails of the lone session")
	flag.Parse()
	o.peers = flag.Arg(0)
	if why := o.lacks(); why != "" {
		fmt.Println("skipped:", why)
		return
	}
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "acceptbench:", err)
		os.Exit(1)
	}
}

// lacks says why nothing can be measured, or "".
func (o *options) lacks() string {
	if _, err := os.Stat(o.startPostfix()); err != nil {
		return fmt.Sprintf("there is no postfix/start.sh in %q; give the folder of the peers, PEERS=DIR", o.peers)
	}
	for _, program := range []string{"postfix", "smtp-source"} {
		if _, err := exec.LookPath(program); err != nil {
			return program + " is not installed"
		}
	}
	if os.Geteuid() != 0 {
		return "only root can start Postfix"
	}
	return ""
}

func (o *options) startPostfix() string { return filepath.Join(o.peers, "postfix", "start.sh") }

func (o *options) run() (err error) {
	if o.rounds < 1 || o.mails < sessions || o.lone < 1 {
		return fmt.Errorf("there must be a round, a lone mail, and a mail for each of %d sessions", sessions)
	}
	if o.work == "" {
		if o.work, err = os.MkdirTemp("", "parley-accept"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.work)) }()
	}
	if err := onDisk(o.work); err != nil {
		return err
	}
	b, err := begin(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.end()) }()
	for _, step := range []func() error{b.measure, b.alone, b.kill, b.count} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// onDisk opens a directory to Postfix's own user, and sees to it that fsync means something there.
func onDisk(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return err
	}
	if fs.Type == unix.TMPFS_MAGIC {
		return fmt.Errorf("%s is a tmpfs, on which nothing is durable: give a folder on a disk, -w DIR or TMPDIR", dir)
	}
	return nil
}

// row is one way of sending; each is measured in every round.
type row struct {
	name string
	send func(to *server, mails []letter) error
}

var rows = []row{
	{"encrypted, kept", func(to *server, mails []letter) error { return to.takes(mails, true) }},
	{"encrypted, new", func(to *server, mails []letter) error { return to.takes(mails, false) }},
	{"smtp-source, kept", func(to *server, mails []letter) error { return to.source(len(mails), "-d") }},
	{"smtp-source, new", func(to *server, mails []letter) error { return to.source(len(mails)) }},
}

// atLeast is how many times as much as Postfix Parley is to take.
const atLeast = 3.0

// turn is what a server needed for one round of mails.
type turn struct {
	rate, filed float64       // mails a second, until the last 250 and until the last is filed
	cpu         time.Duration // of its processes for each mail, until all are filed
}

func (b *bench) measure() error {
	fmt.Printf("%d rounds of %d mails, %d sessions; mails a second, and CPU microseconds a mail; the median round\n", b.o.rounds, b.o.mails, sessions)
	fmt.Printf("%-18s %7s %7s %6s %6s %-7s %8s %8s %6s %10s\n", "", "parley", "postfix", "ratio", "target", "", "CPU", "CPU", "ratio", "filed")
	for _, r := range rows {
		taken := map[*server][]turn{}
		for round := range b.o.rounds {
			mails, err := b.letters(b.o.mails)
			if err != nil {
				return err
			}
			for i := range 2 {
				to := []*server{b.parley, b.postfix}[(round+i)%2]
				t, err := b.turn(r, to, mails)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", r.name, to.name, err)
				}
				taken[to] = append(taken[to], t)
			}
		}
		show(r, taken[b.parley], taken[b.postfix])
	}
	return nil
}

// turn sends mails to a server.
func (b *bench) turn(r row, to *server, mails []letter) (t turn, err error) {
	before, err := cpuTime(to.pid)
	if err != nil {
		return t, err
	}
	perSecond := func(begun time.Time) float64 { return float64(len(mails)) / time.Since(begun).Seconds() }
	begun := time.Now()
	if err := r.send(to, mails); err != nil {
		return t, err
	}
	t.rate = perSecond(begun)
	if err := b.settle(); err != nil {
		return t, err
	}
	t.filed = perSecond(begun)
	after, err := cpuTime(to.pid)
	t.cpu = (after - before) / time.Duration(len(mails))
	return t, err
}

func show(r row, ours, theirs []turn) {
	rate := func(t turn) float64 { return t.rate }
	cpu := func(t turn) float64 { return float64(t.cpu) / float64(time.Microsecond) }
	ratio := middle(ours, rate) / middle(theirs, rate)
	fmt.Printf("%-18s %7.0f %7.0f %6.2f %6.1f %-7s %8.0f %8.0f %6.2f %10.0f\n", r.name, middle(ours, rate), middle(theirs, rate), ratio, atLeast, verdict(ratio >= atLeast),
		middle(ours, cpu), middle(theirs, cpu), middle(ours, cpu)/middle(theirs, cpu), middle(ours, func(t turn) float64 { return t.filed }))
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}

// middle is the median of what is looked at.
func middle[T any](all []T, of func(T) float64) float64 {
	var values []float64
	for _, one := range all {
		values = append(values, of(one))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

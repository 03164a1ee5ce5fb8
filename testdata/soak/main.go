// Command soak lets a real gateway work for a while, as a desk does on a bad day, and
// watches how it grows.
//
//	go run ./testdata/soak -parley bin/parley [-minutes 20] [-rate 20] [-sessions 20]
//
// Reports, encrypted and in clear, and letters of vendors come at a rate, each told
// apart by its Message-ID. Mail clients wait with IDLE, fetch, search and move. Cases
// are opened and started all the time, so that notices fall due, and vendors accept.
// Every ten seconds it reads how much memory, descriptors and goroutines the gateway
// has and how large its store is, and how long peers waited.
//
// It exits with 0 only if
//
//   - every mail that was answered with 250 is found among what a coordinator reads in
//     the end, in no folder twice, and every vendor got the first notice of each case
//     once;
//   - memory that is the process's own (RssAnon, without the pages of the store's file,
//     which the kernel takes back when it needs them), descriptors and goroutines are
//     flat once it is warm, after the first quarter. Flat is: the median of all slopes
//     between two samples (Theil and Sen), which no single peak moves, would by the end
//     of that time have added no more than a tenth of the median, or 8 MiB, 5
//     descriptors, 10 goroutines where that is more.
//
// What grows with mail and stays is in that room: for a report the key of its scope,
// which the key file is rewritten with, and its place among the threads of the guard,
// some 100 bytes. Beside it own memory may grow by two hundredths of what the store
// does, for bbolt's own note of each page that it used again: a profile of the heap shows
// nothing else that stays.
//
// The memory of the guard is bounded by the configuration: it has 1 MiB here, which is
// full after a minute, and forgets what is old from then on.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

type options struct {
	program  string
	minutes  float64
	rate     float64
	sessions int
}

func main() {
	var o options
	flag.StringVar(&o.program, "parley", "bin/parley", "the program")
	flag.Float64Var(&o.minutes, "minutes", 20, "how long it takes")
	flag.Float64Var(&o.rate, "rate", 20, "mails a second, beside those about cases that are started")
	flag.IntVar(&o.sessions, "sessions", 20, "mail clients")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "parley-soak")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program, err := filepath.Abs(o.program)
	if err != nil {
		return err
	}
	s, err := begin(program, filepath.Join(dir, "gateway"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.gateway.Stop()); s.sink.Close() }()
	stop := make(chan struct{})
	var working sync.WaitGroup
	s.mails(stop, &working, o.rate)
	working.Go(func() { s.cases(stop) })
	for n := range o.sessions {
		working.Go(func() { s.client(stop, n) })
	}
	watched, err := s.watch(ctx, time.Duration(o.minutes*float64(time.Minute)))
	close(stop)
	working.Wait()
	if err != nil {
		return err
	}
	err = s.settle()
	if err == nil { // else what still waits would count as lost
		err = s.count()
	}
	return errors.Join(judge(watched), err, s.err())
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const sampleEvery = 10 * time.Second

// sample is how the gateway is at an instant.
type sample struct {
	at          time.Duration // since the first
	rss, own    float64       // MiB: all that is in memory, and what is no page of a file
	heap        float64       // MiB in use by Go
	descriptors float64
	goroutines  float64
	store       float64 // MiB on the disk
	mails       int     // that were answered with 250 so far
	spooled     float64
	late        float64 // seconds
	load        string  // of the machine, one minute
	waits       string  // of peers since the sample before
}

const tableHead = "  time    RSS    own   heap   fds gorout.   store kB/mail  mails  rate spool late  load   since the line before, median and most in ms"

// watch samples until the time is over, and prints a line each time.
func (s *soak) watch(ctx context.Context, whole time.Duration) ([]sample, error) {
	fmt.Println(tableHead)
	begun, tick := time.Now(), time.NewTicker(min(sampleEvery, whole/6))
	defer tick.Stop()
	var all []sample
	for {
		now, err := s.sample(time.Since(begun))
		if err != nil {
			return nil, err
		}
		all = append(all, now)
		show(all)
		if now.at >= whole {
			return all, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("it was stopped")
		case <-tick.C:
		}
	}
}

func show(all []sample) {
	s := all[len(all)-1]
	rate := 0.0
	if len(all) > 1 {
		last := all[len(all)-2]
		rate = float64(s.mails-last.mails) / (s.at - last.at).Seconds()
	}
	fmt.Printf("%6s %6.1f %6.1f %6.1f %5.0f %7.0f %7.1f %7.1f %6d %5.1f %5.0f %4.0f %5s   %s\n", s.at.Round(time.Second), s.rss, s.own, s.heap, s.descriptors,
		s.goroutines, s.store, 1024*s.store/float64(max(s.mails, 1)), s.mails, rate, s.spooled, s.late, s.load, s.waits)
}

var anonymous = regexp.MustCompile(`RssAnon:\s+(\d+) kB`)

func (s *soak) sample(at time.Duration) (sample, error) {
	out := sample{at: at}
	figures, err := s.figures()
	if err != nil {
		return out, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.gateway.PID()))
	if err != nil {
		return out, err
	}
	if m := anonymous.FindSubmatch(status); m != nil {
		kB, _ := strconv.ParseFloat(string(m[1]), 64)
		out.own = kB / 1024
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return out, err
	}
	out.load, _, _ = strings.Cut(string(load), " ")
	out.rss, out.heap = figures["process_resident_memory_bytes"]/(1<<20), figures["go_memstats_heap_inuse_bytes"]/(1<<20)
	out.descriptors, out.goroutines = figures["process_open_fds"], figures["go_goroutines"]
	out.spooled, out.late = figures["parley_mails_spooled"], figures["parley_notices_late_seconds"]
	out.store = size(s.gateway.State())
	s.mu.Lock()
	defer s.mu.Unlock()
	out.mails, out.waits = len(s.acked), waits(s.waited)
	clear(s.waited)
	return out, nil
}

// figures are the metrics that have no labels.
func (s *soak) figures() (map[string]float64, error) {
	text, err := s.gateway.Get("/metrics")
	out := map[string]float64{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if f, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] = f
		}
	}
	return out, err
}

// size is that of all files below a directory, in MiB.
func size(dir string) (sum float64) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil // a file that just went
		}
		if info, err := e.Info(); err == nil {
			sum += float64(info.Size()) / (1 << 20)
		}
		return nil
	})
	return sum
}

func waits(all map[string][]time.Duration) string {
	var out []string
	for _, what := range []string{"mail to 250", "select", "list", "body", "search", "move", "folders"} {
		if took := all[what]; len(took) > 0 {
			slices.Sort(took)
			ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
			out = append(out, fmt.Sprintf("%s %.0f/%.0f", what, ms(took[len(took)/2]), ms(took[len(took)-1])))
		}
	}
	return strings.Join(out, ", ")
}

// noted is how much memory the engine takes of what the store grows: for each page of
// 4 KiB that it reuses it remembers which transaction took it, as long as the page stays
// in use, in some 40 octets of a map, and the collector lets as much again stand.
const noted = 2 * 40.0 / 4096

// flats are what may not grow: how it is called, how it is read, what may be added
// where a tenth of the median is less, and what part of the growth of the store beside it.
var flats = []struct {
	name  string
	of    func(sample) float64
	room  float64
	noted float64
}{
	{"own memory, MiB", func(s sample) float64 { return s.own }, 8, noted},
	{"descriptors", func(s sample) float64 { return s.descriptors }, 5, 0},
	{"goroutines", func(s sample) float64 { return s.goroutines }, 10, 0},
}

// judge says what is not flat after the first quarter.
func judge(all []sample) error {
	warm := slices.DeleteFunc(slices.Clone(all), func(s sample) bool { return s.at < all[len(all)-1].at/4 })
	var wrong []string
	for _, f := range flats {
		added, median := grown(warm, f.of)
		stored, _ := grown(warm, func(s sample) float64 { return s.store })
		most := max(f.room, median/10) + f.noted*max(stored, 0)
		fmt.Printf("%s: median %.1f, the slope adds %+.1f in %s, and may add %.1f", f.name, median, added, (warm[len(warm)-1].at - warm[0].at).Round(time.Second), most)
		if f.noted > 0 {
			fmt.Printf(", %.1f of it for the %.0f MiB that the store grew", f.noted*stored, stored)
		}
		fmt.Println()
		if !(added <= most) {
			wrong = append(wrong, f.name)
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("not flat: %s", strings.Join(wrong, ", "))
	}
	return nil
}

// grown is what the median of all slopes adds over the time of the samples, and their
// median. Without two samples it is not a number, which is not flat.
func grown(all []sample, of func(sample) float64) (added, median float64) {
	var slopes, values []float64
	for i, a := range all {
		values = append(values, of(a))
		for _, b := range all[i+1:] {
			slopes = append(slopes, (of(b)-of(a))/(b.at-a.at).Seconds())
		}
	}
	if len(slopes) == 0 {
		return math.NaN(), math.NaN()
	}
	slices.Sort(slopes)
	slices.Sort(values)
	return slopes[len(slopes)/2] * (all[len(all)-1].at - all[0].at).Seconds(), values[len(values)/2]
}

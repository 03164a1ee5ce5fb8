package main

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"parley/testdata/live"
)

// settleWithin is how long the gateway may do nothing of what it still has to do.
const settleWithin = 3 * time.Minute

// settle waits until nothing is left in the spool, and all that was started has told
// its vendors, as long as it gets less.
func (s *soak) settle() error {
	least := math.Inf(1)
	for end := time.Now().Add(settleWithin); time.Now().Before(end); time.Sleep(time.Second) {
		f, err := s.figures()
		if err != nil {
			return err
		}
		left := f["parley_mails_spooled"] + f["parley_deliveries_waiting"] + f["parley_deliveries_under_way"]
		if left += float64(len(s.untold())); left == 0 {
			return nil
		}
		if left < least {
			least, end = left, time.Now().Add(settleWithin)
		}
	}
	return fmt.Errorf("%.0f mails and notices still wait; not told of their case: %q", least, s.untold())
}

// told counts the first notices that each vendor got of each case.
func (s *soak) told() map[string]int {
	out := map[string]int{}
	for _, v := range s.vendors {
		for _, m := range s.sink.To(v.Address) {
			if o, err := v.Open(m.Raw, s.ours); err == nil {
				if stage := stageOf.FindStringSubmatch(o.Subject); stage != nil && stage[2] == "Heads-up" {
					out[stage[1]+" "+v.Name]++
				}
			}
		}
	}
	return out
}

// untold are the vendors that do not know of a case that was started.
func (s *soak) untold() (out []string) {
	told := s.told()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tag := range s.opened {
		for _, v := range parties {
			if told[tag+" "+v] == 0 {
				out = append(out, tag+" "+v)
			}
		}
	}
	return out
}

// count compares what was answered with 250 with what a coordinator reads.
func (s *soak) count() error {
	c, err := s.desk[0].IMAP(nil)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // only read
	folders, err := live.Folders(c)
	if err != nil {
		return err
	}
	lost, twice := maps.Clone(s.acked), 0
	for _, f := range folders {
		found, err := live.IDs(c, f)
		if err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
		for id, n := range found { // a task shows a mail that stands in its thread as well
			if s.acked[id] && n > 1 {
				twice++
			}
			delete(lost, id)
		}
	}
	told, again := s.told(), 0
	for _, n := range told {
		again += n - 1
	}
	fmt.Printf("%d mails were answered with 250: %d are lost, %d stand twice in one folder\n", len(s.acked), len(lost), twice)
	fmt.Printf("%d cases were started, %d vendors told of one, %d of them twice, %d mails left the gateway\n", len(s.opened), len(told), again, len(s.sink.Mails()))
	fmt.Printf("clients did: %v\n", s.did)
	switch {
	case len(lost) > 0:
		return errors.New("mail that was acknowledged is lost")
	case twice > 0 || again > 0:
		return errors.New("something came twice")
	case len(s.acked) == 0 || len(told) == 0:
		return errors.New("nothing happened")
	}
	return nil
}

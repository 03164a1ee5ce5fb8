package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"parley/mailflow"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/testdata/live"
)

var canaryApproval = regexp.MustCompile(`(?m)^\s*approve (\S+)\r?$`)

// shreds lets two people give the case up, and its days pass while nothing else runs.
func (s *canaryStory) shreds() {
	s.Helper()
	s.must(s.gateway.Start("--debug"))
	s.must(s.ana.Signs(s.ours, "case "+s.tag, `case close because "it is over"`, "shred "+s.tag))
	ben := mailClient(s.T, s.ben)
	id := awaits(s.T, "the request to shred", func() (string, bool, error) {
		all, err := live.Read(ben, "Approvals")
		for _, m := range all {
			if found := canaryApproval.FindSubmatch(m.Raw); found != nil && strings.Contains(string(m.Raw), "destroy") {
				return string(found[1]), true, nil
			}
		}
		return "", false, err
	})
	s.must(s.ben.Signs(s.ours, "approve "+id))
	awaits(s.T, "the day on which it goes", func() (bool, bool, error) {
		all, err := live.Read(ben, "Scheduled")
		return true, slices.ContainsFunc(all, func(m live.Mail) bool { return bytes.Contains(m.Raw, []byte("for good")) }), err
	})
	s.must(s.gateway.Stop())

	at := time.Now().Add(8 * cvd.Day)
	a := s.opened(at)
	scheduler := &mailflow.Scheduler{Base: a.base, Outbox: &mailflow.Outbox{Base: a.base}}
	gone := func() bool {
		err := a.base.Store.View(func(tx *store.Tx) error {
			_, err := mailflow.CaseByID(tx, cvd.CaseID(s.tag))
			return err
		})
		return errors.Is(err, mailflow.ErrNoCase)
	}
	for tries := 0; !gone(); tries++ {
		if tries == 3 {
			s.Fatal("the case is still there")
		}
		_, err := scheduler.ShredsDue(at.Add(time.Duration(tries) * 2 * cvd.Day))
		s.must(err)
	}
	s.must(a.Close())
}

// canaryScraps are rows that make the store worth to be compacted once they are gone.
var canaryScraps = store.WriteOnce[[]byte]("canary-scraps")

// compacts leaves more free pages in the store than it has in use, and opens it again,
// which writes it anew.
func (s *canaryStory) compacts() {
	s.Helper()
	const rows, size = 80, 1 << 20
	db := filepath.Join(s.gateway.State(), "parley.db")
	each := func(do func(tx *store.Tx, n uint64) error) {
		a := s.opened(time.Now().Add(20 * cvd.Day))
		defer func() { s.must(a.Close()) }()
		for n := range uint64(rows) {
			s.must(a.base.Store.Update(func(tx *store.Tx) error { return do(tx, n) }))
		}
	}
	each(func(tx *store.Tx, n uint64) error {
		return canaryScraps.Put(tx, mailflow.DeskScope, store.Seq(n), make([]byte, size))
	})
	each(func(tx *store.Tx, n uint64) error { return canaryScraps.Delete(tx, store.Seq(n)) })
	before, err := os.Stat(db)
	s.must(err)
	s.must(s.opened(time.Now().Add(21 * cvd.Day)).Close())
	after, err := os.Stat(db)
	s.must(err)
	if after.Size()*2 > before.Size() {
		s.Errorf("it was not compacted: %d bytes of %d are left", after.Size(), before.Size())
	}
}

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"parley/testdata/live"
)

// idleFor is how long a client waits in IDLE each round. Between the rounds of one a
// list of the newest mails, two bodies, a search, and a move.
const idleFor = 20 * time.Second

// newest is how many mails a client lists.
const newest = 100

// client is one mail client until stop: it works in Intake, and every third round in
// the folder of a case.
func (s *soak) client(stop chan struct{}, n int) {
	c, err := s.desk[n%len(s.desk)].IMAP(nil)
	if err != nil {
		s.fault("client %d logs in: %w", n, err)
		return
	}
	defer func() { _ = c.Close() }() // Logout has, unless something failed
	for round := n; ; round++ {
		if err := s.round(c, round); err != nil {
			s.fault("client %d: %w", n, err)
			return
		}
		idle, err := c.Idle()
		if err != nil {
			s.fault("client %d waits: %w", n, err)
			return
		}
		over := false
		select {
		case <-stop:
			over = true
		case <-time.After(idleFor):
		}
		if err := idle.Close(); err != nil {
			s.fault("client %d waited: %w", n, err)
			return
		}
		s.took("idle", time.Now())
		if over {
			_ = c.Logout().Wait() // it did its work
			return
		}
	}
}

func (s *soak) round(c *imapclient.Client, round int) error {
	folder := "Intake"
	if round%3 == 2 {
		folder = s.caseFolder(c, round)
	}
	begun := time.Now()
	box, err := c.Select(folder, nil).Wait()
	if err != nil {
		return fmt.Errorf("select: %w", err)
	}
	s.took("select", begun)
	if box.NumMessages == 0 {
		return nil
	}
	if err := s.fetches(c, box.NumMessages); err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	begun = time.Now()
	if _, err := c.UIDSearch(&imap.SearchCriteria{Text: []string{fmt.Sprintf("Frame %d of", round)}}, nil).Wait(); err != nil {
		return fmt.Errorf("search: %w", err)
	}
	s.took("search", begun)
	if folder == "Intake" {
		return s.moves(c)
	}
	return nil
}

// fetches lists the newest mails, and reads two.
func (s *soak) fetches(c *imapclient.Client, have uint32) error {
	last := imap.SeqSet{}
	last.AddRange(have-min(have-1, newest-1), have)
	begun := time.Now()
	list, err := c.Fetch(last, &imap.FetchOptions{UID: true, Flags: true, Envelope: true, RFC822Size: true}).Collect()
	if err != nil {
		return err
	}
	s.took("list", begun)
	for _, m := range list[:min(2, len(list))] {
		begun = time.Now()
		if _, err := c.Fetch(imap.UIDSetNum(m.UID), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{{}}}).Collect(); err != nil {
			return err
		}
		s.took("body", begun)
	}
	return nil
}

// moves declares the oldest report in clear spam. Another client may have been faster.
func (s *soak) moves(c *imapclient.Client) error {
	found, err := c.UIDSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: "Clear "}}}, nil).Wait()
	if err != nil {
		return fmt.Errorf("search for a mail to move: %w", err)
	}
	uids := found.AllUIDs()
	if len(uids) == 0 {
		return nil
	}
	begun := time.Now()
	if _, err := c.Move(imap.UIDSetNum(uids[0]), "Do/Spam").Wait(); err != nil && !strings.Contains(err.Error(), "not here any more") {
		return fmt.Errorf("move: %w", err)
	}
	s.took("move", begun)
	return nil
}

// caseFolder is one of a vendor's threads, or Intake while there is none.
func (s *soak) caseFolder(c *imapclient.Client, round int) string {
	begun := time.Now()
	all, err := live.Folders(c)
	if err != nil {
		return "Intake" // the next command fails as well, and is told
	}
	s.took("folders", begun)
	var threads []string
	for _, f := range all {
		if strings.Contains(f, "/Vendor ") {
			threads = append(threads, f)
		}
	}
	if len(threads) == 0 {
		return "Intake"
	}
	return threads[round%len(threads)]
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"parley/mailflow/mailtest"
	"parley/testdata/live"
)

// sessions is how many send at once.
const sessions = 10

// report is where all mail goes, to either server.
const report = "report@" + live.Domain

// letter is a mail of one of the finders.
type letter struct {
	from string
	raw  []byte
}

// textBytes is how long a report is for its mail to have 4 kB, encrypted and armored.
const textBytes = 2250

// letters seals so many reports of the finders in turn, each one another.
func (b *bench) letters(n int) ([]letter, error) {
	out := make([]letter, n)
	for i := range out {
		f := b.finders[i%len(b.finders)]
		armored, err := f.Seal(mailtest.Entity("Overflow in the frame parser", text()), b.ours, true)
		if err != nil {
			return nil, err
		}
		out[i] = letter{f.Address, mailtest.PGPMIME(f.Address, report, time.Now(), armored)}
	}
	return out, nil
}

// text is one that nobody else writes.
func text() string {
	var b strings.Builder
	for b.Len() < textBytes {
		for range 8 {
			fmt.Fprintf(&b, "%x ", rand.Uint32())
		}
		b.WriteString("\n")
	}
	return b.String()
}

// server is one that takes mail.
type server struct {
	name, addr string
	pid        int

	mu    sync.Mutex
	acked []string // Message-IDs that were answered with 250
	plain int      // mails of smtp-source that were
}

// takes hands over mails in as many sessions at once as there are; each keeps its
// connection for all of its mails, or has a new one for each.
func (s *server) takes(mails []letter, keep bool) error {
	work, errs := make(chan letter, len(mails)), make([]error, sessions)
	for _, l := range mails {
		work <- l
	}
	close(work)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			for l := range work {
				var c *smtp.Client
				if c, errs[i] = s.connect(); errs[i] != nil {
					return
				}
				errs[i] = s.take(c, l)
				for keep && errs[i] == nil {
					next, more := <-work
					if !more {
						break
					}
					errs[i] = s.take(c, next)
				}
				if errs[i] = errors.Join(errs[i], c.Quit()); errs[i] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (s *server) connect() (*smtp.Client, error) {
	c, err := smtp.Dial(s.addr)
	if err != nil {
		return nil, err
	}
	return c, c.Hello("peer.example")
}

func (s *server) take(c *smtp.Client, l letter) error {
	if err := c.SendMail(l.from, []string{report}, bytes.NewReader(l.raw)); err != nil {
		return err
	}
	s.took(l)
	return nil
}

func (s *server) took(l letter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked = append(s.acked, live.MessageID(l.raw))
}

// answered is how many mails were answered with 250 so far, without those of smtp-source.
func (s *server) answered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acked)
}

// takesAlone hands over one mail, and tells how long it took from the first octet
// after 354 to the 250.
func (s *server) takesAlone(c *smtp.Client, l letter) (time.Duration, error) {
	if err := errors.Join(c.Mail(l.from, nil), c.Rcpt(report, nil)); err != nil {
		return 0, err
	}
	w, err := c.Data()
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	if _, err := w.Write(l.raw); err != nil {
		return 0, err
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	took := time.Since(begun)
	s.took(l)
	return took, nil
}

// source lets smtp-source send, which fails if one mail is not answered with 250.
func (s *server) source(mails int, more ...string) error {
	args := append(more, "-s", fmt.Sprint(sessions), "-m", fmt.Sprint(mails), "-l", "4096", "-f", "source@peer.example", "-t", report, s.addr)
	if out, err := exec.Command("smtp-source", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("smtp-source: %w: %s", err, out)
	}
	s.plain += mails
	return nil
}

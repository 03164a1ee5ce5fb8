package main

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"parley/mailflow/mailtest"
	"parley/testdata/live"
)

// senders is how many connections mails come on.
const senders = 8

// letter is a mail on its way to the gateway.
type letter struct {
	from, to string
	raw      []byte
}

// mails sends mails at a rate until stop: every second one an encrypted report, every
// fourth one in clear, and every fourth one a letter of a vendor, encrypted and signed,
// once there is a case to write about.
func (s *soak) mails(stop chan struct{}, working *sync.WaitGroup, rate float64) {
	work := make(chan int, senders)
	working.Go(func() {
		defer close(work)
		tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			select {
			case work <- n:
			default: // all are busy: the ticker waits with them, and the table shows the rate
				select {
				case work <- n:
				case <-stop:
					return
				}
			}
		}
	})
	for range senders {
		working.Go(func() { s.sender(work) })
	}
}

// sender sends what there is to send on one connection.
func (s *soak) sender(work chan int) {
	var c *smtp.Client
	for n := range work {
		l, err := s.letter(n)
		if err == nil && c == nil {
			c, err = smtp.Dial(s.gateway.Port("smtp"))
		}
		if err == nil {
			err = s.sends(c, l)
		}
		if err != nil {
			s.fault("send a mail: %w", err)
			if c != nil {
				_ = c.Close() // the next mail dials again
			}
			c = nil
		}
	}
	if c != nil {
		_ = c.Quit() // nothing is lost by it
	}
}

func (s *soak) letter(n int) (letter, error) {
	f, report := s.finders[n%len(s.finders)], "report@"+live.Domain
	switch t, ok := s.thread(n); {
	case n%4 == 1:
		return letter{f.Address, report, mailtest.Plain(f.Address, report, fmt.Sprintf("Clear %d", n), words(n, 3000), time.Now())}, nil
	case n%4 == 3 && ok:
		return s.sealed(t.vendor, t.address, fmt.Sprintf("Re: letter %d", n), words(n, 1500))
	}
	return s.sealed(f, report, fmt.Sprintf("Report %d", n), words(n, 3000), mailtest.File{Name: "key.asc", Type: "application/pgp-keys", Data: string(f.PublicKey())})
}

func (s *soak) sealed(from *mailtest.Person, to, subject, text string, files ...mailtest.File) (letter, error) {
	armored, err := from.Seal(mailtest.Entity(subject, text, files...), s.ours, true)
	return letter{from.Address, to, mailtest.PGPMIME(from.Address, to, time.Now(), armored)}, err
}

// thread is one that a vendor can write into, another each time.
func (s *soak) thread(n int) (thread, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.threads) == 0 {
		return thread{}, false
	}
	return s.threads[n/4%len(s.threads)], true
}

// sends hands over a mail, and remembers that it was taken.
func (s *soak) sends(c *smtp.Client, l letter) error {
	begun := time.Now()
	if err := c.SendMail(l.from, []string{l.to}, bytes.NewReader(l.raw)); err != nil {
		return err
	}
	s.took("mail to 250", begun)
	id := live.MessageID(l.raw)
	if id == "" {
		return errors.New("it has no Message-ID")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked[id] = true
	return nil
}

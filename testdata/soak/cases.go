package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"parley/mailflow/mailtest"
	"parley/testdata/live"
)

const (
	caseEvery = 15 * time.Second
	readEvery = 500 * time.Millisecond
)

var caseTag = regexp.MustCompile(`PAR-\d{4}-\d{4}`)

// cases opens and starts a case every while, and lets vendors answer their notices.
func (s *soak) cases(stop chan struct{}) {
	opens, reads := time.NewTicker(caseEvery), time.NewTicker(readEvery)
	defer opens.Stop()
	defer reads.Stop()
	s.opens(0)
	read := 0
	for n := 1; ; {
		select {
		case <-stop:
			return
		case <-opens.C:
			s.opens(n)
			n++
		case <-reads.C:
			read = s.answers(read)
		}
	}
}

// opens starts a case of all vendors, with what belongs to its stages.
func (s *soak) opens(n int) {
	out, err := s.gateway.Do(fmt.Sprintf(`case open "soak %d" policy soak`, n))
	tag := caseTag.FindString(out)
	if err != nil || tag == "" {
		s.fault("open a case: %q: %w", out, err)
		return
	}
	for _, stage := range []string{"scope", "public"} {
		if err := s.desk[0].Writes(stage+"."+strings.ToLower(tag), stage, words(n, 500)); err != nil {
			s.fault("write the material of %s: %w", tag, err)
		}
	}
	var commands []string
	for _, v := range parties {
		commands = append(commands, fmt.Sprintf("invite %s wave 1 affects %q", v, "Player of "+v))
	}
	commands = append([]string{"case " + tag}, append(commands, "start now")...)
	if err := s.desk[0].Signs(s.ours, commands...); err != nil {
		s.fault("start %s: %w", tag, err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = append(s.opened, tag)
}

var (
	stageOf = regexp.MustCompile(`\[(PAR-\d{4}-\d{4})\] \d/\d ([A-Z][a-z-]+)`)
	codeOf  = regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}\b`)
)

// answers lets vendors read what came since, and accept what they are asked.
func (s *soak) answers(read int) int {
	mails := s.sink.Mails()
	for _, m := range mails[read:] {
		i := slices.IndexFunc(s.vendors, func(v *mailtest.Person) bool { return v.Address == m.To })
		if i < 0 {
			continue // a receipt
		}
		v := s.vendors[i]
		o, err := v.Open(m.Raw, s.ours)
		if err != nil {
			s.fault("%s opens its mail: %w", v.Name, err)
			continue
		}
		stage := stageOf.FindStringSubmatch(o.Subject)
		if stage == nil || stage[2] != "Heads-up" {
			continue
		}
		s.accepts(v, live.Thread(m.Raw), stage[1], codeOf.FindString(strings.ReplaceAll(o.Text, stage[1], "")))
	}
	return len(mails)
}

func (s *soak) accepts(v *mailtest.Person, to, tag, code string) {
	s.mu.Lock()
	s.threads = append(s.threads, thread{v, to})
	s.mu.Unlock()
	l, err := s.sealed(v, to, "Re: ["+tag+"]", fmt.Sprintf("ACCEPT %s v1 %s\n", tag, code))
	if err != nil {
		s.fault("%s accepts: %w", v.Name, err)
		return
	}
	c, err := smtp.Dial(s.gateway.Port("smtp"))
	if err != nil {
		s.fault("%s accepts: %w", v.Name, err)
		return
	}
	defer func() { _ = c.Close() }() // Quit has, unless something failed
	if err := s.sends(c, l); err != nil {
		s.fault("%s accepts: %w", v.Name, err)
		return
	}
	_ = c.Quit() // it was taken
}

package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"parley/mailflow/mailtest"
)

// cast is who takes part in the story.
type cast struct {
	finder   *mailtest.Person
	ana, ben *coordinator
	vendors  []*robot
	tag      string    // of the case
	start    time.Time // of the plan
}

// robot is a vendor that answers by itself.
type robot struct {
	*mailtest.Person
	party   string
	product string
	manner  string // what it does, for the table
	// answer gives the lines to reply with to a notice; nothing is silence.
	answer func(stage, tag, code string) string
	signs  bool

	demo *demo
	read int        // mails of the sink that it has read
	got  []gotStage // in order
}

// gotStage is a stage that a robot was told.
type gotStage struct {
	stage string
	at    time.Time
	mail  *mailtest.Opened
}

// gather makes the people and gives the coordinators their logins.
func (d *demo) gather(ctx context.Context) error {
	finder, err := mailtest.NewPerson("Robin Finder", "robin@finder.example", d.clock.Now)
	if err != nil {
		return err
	}
	d.cast.finder = finder
	for _, c := range []struct {
		name string
		into **coordinator
	}{{"ana", &d.cast.ana}, {"ben", &d.cast.ben}} {
		if *c.into, err = d.coordinator(ctx, c.name); err != nil {
			return err
		}
	}
	for _, r := range []*robot{
		{party: "acme", product: "Player 9.1", manner: "goes all the way", signs: true, answer: eager},
		{party: "globex", product: "Viewer 4", manner: "declines", answer: unwilling},
		{party: "initech", product: "Codec 2", manner: "is silent", answer: func(string, string, string) string { return "" }},
	} {
		if r.Person, err = mailtest.NewPerson(r.party, "psirt@"+r.party+".example", d.clock.Now); err != nil {
			return err
		}
		r.demo = d
		d.cast.vendors = append(d.cast.vendors, r)
	}
	return nil
}

// coordinator adds one of the desk by the command line, as an operator does.
func (d *demo) coordinator(ctx context.Context, name string) (*coordinator, error) {
	p, err := mailtest.NewPerson(name, name+"@"+d.app.set.DeskDomain, d.clock.Now)
	if err != nil {
		return nil, err
	}
	var secret [9]byte
	_, _ = rand.Read(secret[:]) // never fails (crypto/rand)
	c := &coordinator{Person: p, password: hex.EncodeToString(secret[:]), demo: d}
	key, err := d.file(name+".asc", p.PublicKey())
	if err != nil {
		return nil, err
	}
	pw, err := d.file(name+".pw", []byte(c.password+"\n"))
	if err != nil {
		return nil, err
	}
	if err := d.command(ctx, "coordinator", "add", name, "--config", d.path, "--password-file", pw, "--key", key); err != nil {
		return nil, err
	}
	return c, c.login()
}

func (d *demo) file(name string, data []byte) (string, error) {
	path := filepath.Join(d.dir, name)
	return path, os.WriteFile(path, data, 0o600)
}

// command runs one of parley's own commands against the running gateway.
func (d *demo) command(ctx context.Context, args ...string) error {
	var out, errs strings.Builder
	if code := run(ctx, args, world{os.Stdin, &out, &errs}); code != exitDone {
		return fmt.Errorf("parley %s: exit %d: %s%s", strings.Join(args, " "), code, errs.String(), out.String())
	}
	return nil
}

func eager(stage, tag, code string) string {
	switch stage {
	case "heads-up":
		return fmt.Sprintf("ACCEPT %s v1 %s", tag, code)
	case "details":
		return fmt.Sprintf("STATUS %s affected 9.0-9.1.2 %s", tag, code)
	case "proof":
		return fmt.Sprintf("STATUS %s fixed 9.1.3 %s", tag, code)
	}
	return ""
}

func unwilling(stage, tag, code string) string {
	if stage != "heads-up" {
		return ""
	}
	return fmt.Sprintf("DECLINE %s %s we ship this library no longer", tag, code)
}

var (
	subjectStage = regexp.MustCompile(`\[(\S+-\d{4}-\d{4})\] \d/\d ([A-Z][a-z-]+)( \(reminder\))?`)
	printedCode  = regexp.MustCompile(`\b([0-9A-Z]{4}-[0-9A-Z]{4})\b`)
)

// reads opens what came for a robot, and answers.
func (r *robot) reads() error {
	ours, err := r.demo.ours()
	if err != nil {
		return err
	}
	mails := r.demo.sink.To(r.Address)
	for ; r.read < len(mails); r.read++ {
		m := mails[r.read]
		o, err := r.Open(m.Raw, ours)
		if err != nil {
			return fmt.Errorf("%s cannot open its mail: %w", r.party, err)
		}
		stage := subjectStage.FindStringSubmatch(o.Subject)
		if stage == nil {
			continue // an answer to an answer
		}
		name := strings.ToLower(stage[2])
		if stage[3] == "" { // a reminder tells nothing new
			r.got = append(r.got, gotStage{name, m.At, o})
		}
		r.demo.say("  day %2d  %-8s reads %q", r.demo.day(m.At), r.party, o.Subject)
		code := printedCode.FindString(strings.ReplaceAll(o.Text, stage[1], ""))
		if text := r.answer(name, stage[1], code); text != "" {
			if err := r.replies(m, stage[1], text, ours); err != nil {
				return err
			}
		}
	}
	return nil
}

var fromField = regexp.MustCompile(`(?mi)^From: .*?(case\+[^@\s]+@[^>\s]+)`)

func (r *robot) replies(m mailtest.Received, tag, text string, ours []byte) error {
	from := fromField.FindSubmatch(m.Raw)
	if from == nil {
		return fmt.Errorf("%s finds no address to answer to", r.party)
	}
	armored, err := r.Seal(mailtest.Entity("Re: ["+tag+"]", text+"\n"), ours, r.signs)
	if err != nil {
		return err
	}
	r.demo.say("          %-8s answers %q", r.party, text)
	to := string(from[1])
	return mailtest.Send(r.demo.addr("smtp"), r.Address, to, mailtest.PGPMIME(r.Address, to, r.Now(), armored))
}

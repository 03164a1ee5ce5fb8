package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/mailtest"
)

// secretWords stand in the material of one stage each, to be looked for where
// they must not be.
var secretWords = map[string]string{
	"scope": "libquux-1.4", "details": "off-by-one in frame_init", "proof": "frame-of-ninety-bytes",
	"advisory": "update to libquux 1.5", "public": "libquux 1.5 is out",
}

// story plays the whole of it.
func (d *demo) story(ctx context.Context, take time.Duration) error {
	for _, scene := range []func(context.Context) error{d.gather, d.report, d.open, d.material, d.invite} {
		if err := scene(ctx); err != nil {
			return err
		}
	}
	days := 90 * 24 * time.Hour
	d.fast.setSpeed(float64(days) / float64(take))
	end := d.cast.start.Add(days + 12*time.Hour)
	shown := 0
	for d.clock.Now().Before(end) || !d.finished() {
		if d.clock.Now().After(end.Add(90 * 24 * time.Hour)) {
			return nil // the table says what is missing
		}
		if err := d.everybody(ctx); err != nil {
			return err
		}
		if day := d.day(d.clock.Now()); day >= shown+10 && day <= 91 {
			shown = day / 10 * 10
			d.say("  %s day %d of 90", bar(day), min(day, 90))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

func bar(day int) string {
	n := min(day, 90) * 45 / 90
	return "[" + strings.Repeat("=", n) + strings.Repeat(" ", 45-n) + "]"
}

// finished says whether every vendor was told the end.
func (d *demo) finished() bool {
	for _, r := range d.cast.vendors {
		if len(r.got) == 0 || r.got[len(r.got)-1].stage != "public" {
			return false
		}
	}
	return true
}

func (d *demo) everybody(context.Context) error {
	for _, r := range d.cast.vendors {
		if err := r.reads(); err != nil {
			return err
		}
	}
	return d.approve()
}

func (d *demo) report(context.Context) error {
	d.say("A finder mails an encrypted, signed report to report@%s.", demoDomain)
	return d.reports("Overflow in the initialisation of libquux", "Long frames overflow a buffer when libquux starts.\n",
		mailtest.File{Name: "poc.bin", Type: "application/octet-stream", Data: "frame"})
}

// reports lets the finder report something, with its key inside, and waits for
// the receipt.
func (d *demo) reports(subject, text string, files ...mailtest.File) error {
	f := d.cast.finder
	ours, err := d.ours()
	if err != nil {
		return err
	}
	entity := mailtest.Entity(subject, text, append(files, mailtest.File{Name: "my-key.asc", Type: "application/pgp-keys", Data: string(f.PublicKey())})...)
	armored, err := f.Seal(entity, ours, true)
	if err != nil {
		return err
	}
	to := "report@" + demoDomain
	if err := mailtest.Send(d.addr("smtp"), f.Address, to, mailtest.PGPMIME(f.Address, to, f.Now(), armored)); err != nil {
		return err
	}
	if err := d.sink.Next(0, 10*time.Second); err != nil {
		return fmt.Errorf("no receipt: %w", err)
	}
	receipt, err := f.Open(d.sink.To(f.Address)[0].Raw, ours)
	if err != nil {
		return err
	}
	d.say("The finder has a receipt, encrypted and signed: %q.", receipt.Subject)
	return nil
}

// ours is the certificate that the gateway signs with, armored.
func (d *demo) ours() ([]byte, error) { return d.app.base.Own.Signing().Certificate().Armor() }

func (d *demo) open(ctx context.Context) error {
	ana := d.cast.ana
	mails, err := eventually(ctx, func() ([]seen, error) { return ana.reads("Intake") })
	if err != nil {
		return fmt.Errorf("intake: %w", err)
	}
	d.say("ana reads it over IMAP: %q, and drops it into Do/New case.", mails[0].subject)
	if err := ana.drops(mails[0], "Do/New case"); err != nil {
		return err
	}
	tag := regexp.MustCompile(`^Cases/([A-Z]+-\d{4}-\d{4})`)
	_, err = eventually(ctx, func() ([]string, error) {
		all, err := ana.folders()
		for _, f := range all {
			if m := tag.FindStringSubmatch(f); m != nil {
				d.cast.tag = m[1]
				return m, nil
			}
		}
		return nil, err
	})
	d.say("A folder appears: Cases/%s.", d.cast.tag)
	return err
}

// eventually asks until there is an answer, for ten seconds.
func eventually[T any](ctx context.Context, ask func() ([]T, error)) ([]T, error) {
	for range 200 {
		got, err := ask()
		if err != nil || len(got) > 0 {
			return got, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil, fmt.Errorf("nothing came within ten seconds")
}

func (d *demo) material(context.Context) error {
	d.say("ana writes what belongs to each stage, a mail for each.")
	for stage, words := range secretWords {
		to := fmt.Sprintf("%s.%s@%s", stage, strings.ToLower(d.cast.tag), d.app.set.DeskDomain)
		if err := d.cast.ana.writes(to, stage, "What matters here: "+words+"."); err != nil {
			return err
		}
	}
	return nil
}

// invite tells the gateway, in mails signed by ana, whom to inform. The keys
// come by the operator, who compared the fingerprints.
func (d *demo) invite(ctx context.Context) error {
	d.say("ana names three vendors in a signed mail to control@; their keys are compared and confirmed.")
	var add, ask []string
	for _, r := range d.cast.vendors {
		add = append(add, fmt.Sprintf("vendor add %s %s", r.party, r.Address))
		ask = append(ask, fmt.Sprintf("invite %s wave 1 affects %q", r.party, r.product))
	}
	if err := d.cast.ana.signs(add...); err != nil {
		return err
	}
	for _, r := range d.cast.vendors {
		f, err := keyring.ParseFingerprint(r.Fingerprint())
		if err != nil {
			return err
		}
		path, err := d.file(r.party+".asc", r.PublicKey())
		if err != nil {
			return err
		}
		if err := d.command(ctx, "key", "import", path, "--party", r.party, "--confirm", string(f), "--config", d.path); err != nil {
			return err
		}
	}
	d.cast.start = d.clock.Now()
	if err := d.cast.ana.signs(append(append([]string{"case " + d.cast.tag, "case severity high"}, ask...), "start now")...); err != nil {
		return err
	}
	return d.transcripts()
}

// transcripts fails where the desk refused a command.
func (d *demo) transcripts() error {
	all, err := d.cast.ana.reads("Status")
	for _, m := range all {
		if strings.Contains(m.text, "NOT DONE") {
			return fmt.Errorf("the desk refuses: %s", m.text)
		}
	}
	return err
}

var approvalCode = regexp.MustCompile(`code ([0-9a-f]{4}-[0-9a-f]{4})`)

// approve lets ben read what waits for a second person: a gesture where that
// is enough, a signed mail where the policy wants one.
func (d *demo) approve() error {
	ben := d.cast.ben
	all, err := ben.reads("Approvals")
	if err != nil {
		return err
	}
	for _, m := range all {
		id := approvalCode.FindStringSubmatch(m.text)
		if id == nil {
			return fmt.Errorf("an approval without a code: %s", m.subject)
		}
		if strings.Contains(m.text, "Do/Approve") {
			d.say("          ben      drops %q into Do/Approve", m.subject)
			err = ben.drops(m, "Do/Approve")
		} else {
			d.say("          ben      approves %q, signed", m.subject)
			err = ben.signs("approve " + id[1])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

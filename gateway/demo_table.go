package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
)

// demanded is what the story demands of each vendor: nothing more, nothing
// less, in this order. Who declined or said nothing is late: it is told five
// days before the end, and never the proof.
var demanded = map[string][]cvd.Stage{
	"acme":    cvd.Stages(),
	"globex":  {cvd.HeadsUp, cvd.Scope, cvd.Details, cvd.Advisory, cvd.Public},
	"initech": {cvd.HeadsUp, cvd.Scope, cvd.Details, cvd.Advisory, cvd.Public},
}

// table shows who got what when, from what the vendors opened, and fails
// where that is not what the story demands.
func (d *demo) table() error {
	d.say("\nWho got what, on which day\n")
	line := fmt.Sprintf("%-10s", "")
	for _, s := range cvd.Stages() {
		line += fmt.Sprintf("%-10s", s)
	}
	d.say("%s", line)
	var errs []error
	for _, r := range d.cast.vendors {
		line := fmt.Sprintf("%-10s", r.party)
		for _, s := range cvd.Stages() {
			line += fmt.Sprintf("%-10s", d.cell(r, s))
		}
		d.say("%s%s", line, r.manner)
		errs = append(errs, d.check(r))
	}
	d.say("")
	return errors.Join(errs...)
}

func (d *demo) cell(r *robot, s cvd.Stage) string {
	for _, g := range r.got {
		if g.stage == string(s) {
			return fmt.Sprintf("day %d", d.day(g.at))
		}
	}
	return "-"
}

// check compares what a vendor got with what it may have got: the stages, the
// signature, the earliest day, and no words of other stages or vendors.
func (d *demo) check(r *robot) error {
	var got []cvd.Stage
	var errs []error
	ours := string(d.app.base.Own.Signing().Certificate().Fingerprint())
	for _, g := range r.got {
		got = append(got, cvd.Stage(g.stage))
		if g.mail.Signer != ours {
			errs = append(errs, fmt.Errorf("%s: %s is not signed by the gateway", r.party, g.stage))
		}
		for stage, words := range secretWords {
			if has := strings.Contains(g.mail.Text, words); has != (stage == g.stage) {
				errs = append(errs, fmt.Errorf("%s: %s holds the words of %s: %v", r.party, g.stage, stage, has))
			}
		}
		for _, o := range d.cast.vendors {
			if o != r && strings.Contains(strings.ToLower(string(g.mail.Inner)), o.party) {
				errs = append(errs, fmt.Errorf("%s: %s names %s", r.party, g.stage, o.party))
			}
		}
		rule, _ := d.app.set.Policies["default"].Rule(cvd.Stage(g.stage))
		if due := rule.At.In(d.cast.start, d.cast.start.Add(d.app.set.Policies["default"].Embargo)); g.at.Before(due) {
			errs = append(errs, fmt.Errorf("%s: %s came on %s, before it was due", r.party, g.stage, g.at))
		}
	}
	if !slices.Equal(got, demanded[r.party]) {
		errs = append(errs, fmt.Errorf("%s got %v; the story demands %v", r.party, got, demanded[r.party]))
	}
	return errors.Join(errs...)
}

// explain says how to look around with a mail client.
func (d *demo) explain() {
	d.say("The gateway stays up until you press Ctrl-C. Log in with a mail client:\n")
	d.say("  IMAP, TLS         %s", d.addr("imap"))
	d.say("  submission, TLS   %s", d.addr("submission"))
	for _, c := range []*coordinator{d.cast.ana, d.cast.ben} {
		d.say("  login %s, password %s", c.Name, c.password)
	}
	_, imap, _ := strings.Cut(d.addr("imap"), ":")
	_, submission, _ := strings.Cut(d.addr("submission"), ":")
	d.say("\n  mutt -e 'set folder=imaps://ana@localhost:%s/ spoolfile=+INBOX smtp_url=smtps://ana@localhost:%s/' \\", imap, submission)
	d.say("       -e 'set from=ana@%s copy=no confirmappend=no' -e 'bind editor <space> noop' -f =INBOX", d.app.set.DeskDomain)
	d.say("\nThe certificate is self-signed: %s", d.app.set.CertFile)
}

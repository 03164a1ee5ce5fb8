package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"parley/gateway/ctl"
	"parley/templates"
)

type doctorCommand struct {
	configFlag
	Offline bool `help:"Ask neither DNS nor the smarthost."`
}

// finding is one line of what the doctor saw.
type finding struct {
	grave  grade
	what   string
	advice string // what to do, where something is to be done
}

type grade string

const (
	fine  grade = "ok"
	later grade = "look" // it works, and somebody should look at it
	wrong grade = "BAD"
)

// doctorTime bounds each question to somebody else.
const doctorTime = 20 * time.Second

// Run looks at the machine, the files and the store, and asks DNS and the smarthost,
// as those who use the gateway would. It changes nothing. It exits 1 where
// something is BAD.
func (c doctorCommand) Run(ctx context.Context, w world) error {
	set, err := loadSettings(c.Config)
	if err != nil {
		return err
	}
	all := set.examineFiles(time.Now())
	all = append(all, examineMachine(set)...)
	if !c.Offline {
		all = append(all, set.examineDNS(ctx, net.DefaultResolver)...)
		all = append(all, set.examineSmarthosts(ctx)...)
	}
	flags := map[string]string{}
	if c.Offline {
		flags["offline"] = "yes"
	}
	answer, err := c.ask(ctx, w, set, ctl.Request{Command: "doctor", Flags: flags})
	if err != nil {
		all = append(all, finding{wrong, "the store cannot be looked at: " + err.Error(), "see what keeps it from opening"})
	}
	text, bad := prescription(all)
	if _, err := io.WriteString(w.out, text+answer.Out); err != nil {
		return err
	}
	if answer.Code != exitDone || strings.Contains("\n"+answer.Out, "\n"+string(wrong)) {
		bad++
	}
	if bad > 0 {
		return errors.New("something is not as it should be; the lines that begin with BAD say what to do")
	}
	return nil
}

// prescription writes findings, each with its advice below it.
func prescription(all []finding) (text string, bad int) {
	var b strings.Builder
	for _, f := range all {
		if f.grave == wrong {
			bad++
		}
		head := fmt.Sprintf("%-5s ", f.grave)
		b.WriteString(head + strings.TrimLeft(templates.Fill(strings.Repeat(" ", len(head)), f.what), " ") + "\n")
		if f.advice != "" {
			b.WriteString(templates.Fill(strings.Repeat(" ", len(head)), "-> "+f.advice) + "\n")
		}
	}
	return b.String(), bad
}

// resolver is what the doctor asks of DNS.
type resolver interface {
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// examineDNS looks for the records that init printed.
func (s *settings) examineDNS(ctx context.Context, r resolver) []finding {
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	all := []finding{s.examineMX(ctx, r), s.examineNullMX(ctx, r)}
	for _, t := range []struct{ name, begins, why string }{
		{s.Domain, "v=spf1 ", "says who sends for it (SPF, RFC 7208)"},
		{"_dmarc." + s.Domain, "v=DMARC1", "says what others should do with forged mail (DMARC, RFC 7489)"},
		{s.DeskDomain, "v=spf1 -all", "says that nobody sends for it"},
	} {
		all = append(all, examineTXT(ctx, r, t.name, t.begins, t.why))
	}
	return all
}

const initRecords = "publish the records that parley init printed"

func (s *settings) examineMX(ctx context.Context, r resolver) finding {
	mx, err := r.LookupMX(ctx, s.Domain)
	switch {
	case err != nil || len(mx) == 0:
		return finding{wrong, fmt.Sprintf("no MX record of %s can be found: reports do not arrive", s.Domain), initRecords}
	case mx[0].Host == ".":
		return finding{wrong, fmt.Sprintf("the MX record of %s says that it takes no mail", s.Domain), initRecords}
	}
	return finding{fine, fmt.Sprintf("mail for %s goes to %s", s.Domain, strings.TrimSuffix(mx[0].Host, ".")), ""}
}

// examineNullMX sees that nobody is led to mail coordinators from outside (RFC 7505).
func (s *settings) examineNullMX(ctx context.Context, r resolver) finding {
	mx, err := r.LookupMX(ctx, s.DeskDomain)
	if err == nil && len(mx) == 1 && mx[0].Host == "." {
		return finding{fine, s.DeskDomain + " takes no mail from outside (RFC 7505)", ""}
	}
	var missing *net.DNSError
	if err != nil && !errors.As(err, &missing) {
		return finding{later, fmt.Sprintf("the MX record of %s cannot be looked up: %v", s.DeskDomain, err), ""}
	}
	return finding{later, s.DeskDomain + " has no null MX record: somebody may try to mail coordinators there, and is refused only then", initRecords}
}

func examineTXT(ctx context.Context, r resolver, name, begins, why string) finding {
	all, err := r.LookupTXT(ctx, name)
	for _, text := range all {
		if strings.HasPrefix(text+" ", begins) {
			return finding{fine, fmt.Sprintf("the TXT record of %s %s", name, why), ""}
		}
	}
	what := fmt.Sprintf("no TXT record of %s begins with %q: none %s", name, begins, why)
	var missing *net.DNSError
	if err != nil && !errors.As(err, &missing) {
		what += fmt.Sprintf(" (%v)", err)
	}
	return finding{later, what, initRecords}
}

// examineSmarthosts connects to each as for a mail, with TLS and login.
func (s *settings) examineSmarthosts(ctx context.Context) (all []finding) {
	if len(s.Smarthosts) == 0 {
		return []finding{{wrong, "no smarthost is set: no mail leaves, all of it waits in the queue", "set [outbound] smarthost"}}
	}
	for i, h := range s.Smarthosts {
		all = append(all, h.examine(ctx, s.nameOf(i)))
	}
	return all
}

func (h smarthost) examine(ctx context.Context, name string) finding {
	c, err := h.courier()
	if err != nil {
		return finding{wrong, fmt.Sprintf("what %s needs cannot be read: %v", name, err), "see that root can read it"}
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	c.Timeout = doctorTime
	if err := c.Probe(ctx); err != nil {
		return finding{wrong, fmt.Sprintf("%s does not take us in: %v", name, err), "mail waits meanwhile, or goes by another, and is never sent over less than verified TLS; ask who runs it"}
	}
	return finding{fine, name + " takes us in", ""}
}

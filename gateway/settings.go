package main

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"parley/config"
	"parley/mailflow"
	"parley/mailflow/cvd"
	"parley/mailflow/message"
)

// settings are the values that the words of a configuration mean.
type settings struct {
	File       string // the configuration itself
	read       *config.Config
	Domain     string
	DeskDomain string
	CasePrefix string
	StateDir   string
	Unlock     credential
	Templates  string          // folder, or empty
	templated  config.Position // where the file names it
	CertFile   string
	KeyFile    string

	Listen listen
	Origin bool // SPF, DKIM and DMARC of what comes in are looked up

	Smarthosts []smarthost // in order; none: nothing leaves
	Subject    string
	Retry      []time.Duration
	GiveUp     time.Duration

	Plaintext string
	CVEOrg    string
	Undo      time.Duration
	CoolOff   time.Duration
	Digest    mailflow.DigestTime
	Zone      string // of coordinators without one of their own
	KeyPause  time.Duration
	Retention mailflow.Retention
	Discovery discovery
	Message   message.Limits
	Limits    limits
	Policies  map[string]cvd.Policy

	Warnings []*config.Error
}

// listen holds host:port per endpoint; of Monitor also unix:PATH. SMTP, LMTP or
// Monitor may be empty: not served.
type listen struct{ SMTP, LMTP, Submission, IMAP, Monitor string }

// limits bound connections and what goes over them (rule M8).
type limits struct {
	Recipients       int
	Connections      int
	ConnectionsPerIP int
	Command          time.Duration
	Data             time.Duration
	AuthFailures     int
	Guard            int64 // bytes
	Reserve          int64 // bytes; 0: none
}

// loadSettings reads a configuration file all the way. The error joins one
// *config.Error for each key that is wrong.
func loadSettings(path string) (*settings, error) {
	c, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	return newSettings(c)
}

func newSettings(c *config.Config) (*settings, error) {
	r := &reader{c: c}
	s := &settings{
		File:       c.Path(),
		read:       c,
		Domain:     r.domain(c.Domain, "domain"),
		CasePrefix: r.prefix(),
		StateDir:   c.Resolve(r.text(c.StateDir, "state_dir")),
		Unlock:     r.credential(c.Unlock, "unlock"),
		Templates:  c.Resolve(c.Templates),
		CertFile:   c.Resolve(r.text(c.TLS.Cert, "tls", "cert")),
		KeyFile:    c.Resolve(r.text(c.TLS.Key, "tls", "key")),
		Listen:     r.listeners(),
		Origin:     c.SMTP.Origin,
		Plaintext:  r.oneOf(c.Reports.Plaintext, []string{"accept", "refuse"}, "reports", "plaintext"),
		Undo:       r.duration(c.Desk.Undo, 0, "desk", "undo"),
		CoolOff:    r.duration(c.Desk.CoolOff, 0, "desk", "cool_off"),
		Digest:     r.digest(),
		Zone:       r.zone(c.Desk.Zone, "desk", "zone"),
		KeyPause:   r.duration(c.Keys.Pause, 0, "keys", "pause"),
		Retention:  r.retention(),
		Discovery:  r.discovery(),
		CVEOrg:     r.cveOrg(),
		Message:    r.message(),
		Limits:     r.limits(),
	}
	if s.DeskDomain = c.DeskDomain; c.Has("desk_domain") { // else it follows from domain, and so does what is wrong with it
		s.DeskDomain = r.domain(c.DeskDomain, "desk_domain")
	}
	if s.DeskDomain = strings.ToLower(s.DeskDomain); s.Domain == s.DeskDomain {
		r.fail([]string{"desk_domain"}, "is the same as domain: mail of strangers and of coordinators needs two")
	}
	if s.Templates != "" {
		s.templated = c.Where("templates")
	}
	r.outbound(s)
	s.Policies = r.policies()
	s.Warnings = r.warnings
	return s, r.failure()
}

// reader takes the words of a configuration one by one and gathers what is
// wrong with them.
type reader struct {
	c        *config.Config
	errs     []*config.Error
	warnings []*config.Error
}

// failure joins what is wrong, in the order of the file.
func (r *reader) failure() error {
	slices.SortStableFunc(r.errs, func(a, b *config.Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	errs := make([]error, len(r.errs))
	for i, e := range r.errs {
		errs[i] = e
	}
	return errors.Join(errs...)
}

func (r *reader) fail(path []string, why string, a ...any) {
	r.errs = append(r.errs, r.c.Errorf(path, why, a...))
}

func (r *reader) warn(path []string, why string, a ...any) {
	r.warnings = append(r.warnings, r.c.Errorf(path, why, a...))
}

var prefixPattern = regexp.MustCompile(`^[A-Z][A-Z0-9]{0,9}$`)

func (r *reader) prefix() string {
	p := r.c.CasePrefix
	if !prefixPattern.MatchString(p) {
		r.fail([]string{"case_prefix"}, "is %q; it can be up to ten capital letters and digits, a letter first", p)
	}
	return p
}

// leastMessage is the smallest size limit that makes sense: RFC 5321 section
// 4.5.3.1.7 asks for this much.
const leastMessage = 64 << 10

// message reads the limits of one mail. Twice the largest message has to fit
// into memory beside everything else, hence the upper bound.
func (r *reader) message() message.Limits {
	l := r.c.Limits
	m := message.Limits{
		Size:        r.size(l.Message, leastMessage, 1<<30, "limits", "message"),
		HeaderBytes: int(r.size(l.Header, 4<<10, 16<<20, "limits", "header")),
		Depth:       r.number(l.Depth, 1, 100, "limits", "depth"),
		Parts:       r.number(l.Parts, 1, 100_000, "limits", "parts"),
		Received:    r.number(l.Received, 1, 1000, "limits", "received"),
	}
	if m.Size >= leastMessage && int64(m.HeaderBytes) > m.Size {
		r.fail([]string{"limits", "header"}, "is larger than a whole message")
	}
	return m
}

func (r *reader) limits() limits {
	l := r.c.Limits
	return limits{
		Recipients:       r.number(l.Recipients, 1, 10_000, "limits", "recipients"),
		Connections:      r.number(l.Connections, 1, 100_000, "limits", "connections"),
		ConnectionsPerIP: r.number(l.ConnectionsPerIP, 1, 100_000, "limits", "connections_per_ip"),
		Command:          r.duration(l.Command, time.Second, "limits", "command"),
		Data:             r.duration(l.Data, time.Second, "limits", "data"),
		AuthFailures:     r.number(l.AuthFailures, 1, 1000, "limits", "auth_failures"),
		Guard:            r.size(l.Guard, mailflow.LeastGuard, mailflow.MostGuard, "limits", "guard"),
		Reserve:          r.reserve(),
	}
}

// reserve reads how much of the disk mail does not get. From 1 MiB on the store can
// note what became of a few mails.
func (r *reader) reserve() int64 {
	v := r.c.Limits.Reserve
	if n, err := parseSize(v); err == nil && n == 0 {
		return 0
	}
	return r.size(v, 1<<20, 1<<40, "limits", "reserve")
}

func (r *reader) credential(v string, path ...string) credential {
	c, err := parseCredential(v, r.c.Resolve)
	if err != nil {
		r.fail(path, "is wrong: %v", err)
	}
	return c
}

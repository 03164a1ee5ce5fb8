package origin

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"

	"blitiri.com.ar/go/spf"
	"golang.org/x/net/publicsuffix"

	"parley/keyring/discover"
)

// A Mail is what is known of a mail while it comes in.
type Mail struct {
	Client string // address of the client; empty where a server in front of us took the mail, and nobody knows
	Hello  string // what it called itself
	From   string // reverse-path without brackets, "" for the null one
	Head   []byte // the header, or as much of it as was looked at
}

// Answers are what DNS said, and all that Judge needs beside the mail.
type Answers struct {
	SPF       Result
	SPFDomain string            `json:",omitempty"` // whose policy it is
	Why       string            `json:",omitempty"` // there is no result, in words
	Author    string            `json:",omitempty"` // the domain in From
	Policy    Answer            // the DMARC record of that domain, or of its organisation
	Keys      map[string]Answer `json:",omitempty"` // DKIM records by name
}

// An Answer is that of one question for TXT records.
type Answer struct {
	Texts []string `json:",omitempty"`
	Fault Result   `json:",omitempty"` // temperror or permerror; empty is that there are these records, or none
}

// Ask asks DNS what will be needed to judge a mail, all at once. It comes back when ctx ends at the latest: what has not been
// answered by then is a temperror. It never fails.
func Ask(ctx context.Context, dns Resolver, m Mail) Answers {
	g := newGuard(dns)
	a := Answers{Author: authorDomain(m.Head), Keys: map[string]Answer{}, SPF: TempError, Policy: Answer{Fault: TempError}}
	if from := domainOf(m.From); isName(from) {
		a.SPFDomain = strings.ToLower(from)
	}
	names := keyNames(m.Head)
	for _, n := range names {
		a.Keys[n] = Answer{Fault: TempError}
	}
	var mu sync.Mutex // what comes later than ctx allows must not be written any more
	over := false
	var all sync.WaitGroup
	part := func(ask func() func()) {
		all.Go(func() {
			defer func() { _ = recover() }() // a library that fails on what strangers publish must not end the daemon (rule P7)
			take := ask()
			mu.Lock()
			defer mu.Unlock()
			if !over {
				take()
			}
		})
	}
	part(func() func() {
		r := senderPolicy(ctx, g, m)
		return func() { a.SPF, a.SPFDomain, a.Why = r.SPF, r.SPFDomain, r.Why }
	})
	part(func() func() { r := authorPolicy(ctx, g, a.Author); return func() { a.Policy = r } })
	for _, n := range names {
		part(func() func() { r := g.answer(ctx, n); return func() { a.Keys[n] = r } })
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	mu.Lock()
	defer mu.Unlock()
	over = true
	return a
}

// answer asks for TXT records.
func (g *guard) answer(ctx context.Context, name string) Answer {
	all, err := g.LookupTXT(ctx, name)
	var gone *net.DNSError
	switch {
	case err == nil:
		return Answer{Texts: all}
	case errors.As(err, &gone) && gone.IsNotFound:
		return Answer{}
	case errors.As(err, &gone), ctx.Err() != nil:
		return Answer{Fault: TempError}
	}
	return Answer{Fault: PermError}
}

// senderPolicy asks whether the client may send for the domain of the envelope. The local part of the sender is told to
// nobody: a policy that asks for it (RFC 7208 section 7.2, macros s and l) would put who reports into the DNS.
func senderPolicy(ctx context.Context, g *guard, m Mail) Answers {
	ip, err := netip.ParseAddr(m.Client)
	domain := domainOf(m.From)
	if m.From == "" {
		domain = m.Hello
	}
	out := Answers{SPF: None, SPFDomain: strings.ToLower(domain)}
	switch {
	case m.Client == "":
		return Answers{SPF: None, Why: "a server in front took the mail"}
	case err != nil || !discover.Public(ip):
		return Answers{SPF: None, Why: "it came from our own network"}
	case !isName(domain):
		return Answers{SPF: None, Why: "no domain says that it sent it"}
	}
	hello := m.Hello
	if !isName(hello) {
		hello = domain
	}
	result, _ := spf.CheckHostWithSender(ip.Unmap().AsSlice(), hello, g.secret+"@"+domain, spf.WithResolver(g), spf.WithContext(ctx))
	out.SPF = Result(result)
	g.mu.Lock()
	told := g.told
	g.mu.Unlock()
	if told {
		out.SPF, out.Why = None, "its policy asks for the name of who wrote, which we tell nobody"
	} else if ctx.Err() != nil {
		out.SPF = TempError
	}
	return out
}

// authorPolicy asks for the DMARC record of a domain, else for that of its organisation (RFC 7489 section 6.6.3).
func authorPolicy(ctx context.Context, g *guard, domain string) Answer {
	if domain == "" {
		return Answer{}
	}
	a := g.answer(ctx, "_dmarc."+domain)
	if a.Texts = dmarcOnly(a.Texts); len(a.Texts) > 0 || a.Fault != "" {
		return a
	}
	if org := organisation(domain); org != domain {
		a = g.answer(ctx, "_dmarc."+org)
		a.Texts = dmarcOnly(a.Texts)
	}
	return a
}

func dmarcOnly(all []string) (out []string) {
	for _, t := range all {
		if strings.HasPrefix(t, "v=DMARC1") {
			out = append(out, t)
		}
	}
	return out
}

// organisation is the domain that a registry gave out (RFC 7489 section 3.2).
func organisation(domain string) string {
	if org, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		return org
	}
	return domain
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// isName says whether something can be a domain that is asked for.
func isName(s string) bool {
	_, err := netip.ParseAddr(s)
	return len(s) <= maxName && strings.Contains(s, ".") && err != nil && !strings.ContainsFunc(s, notInNames)
}

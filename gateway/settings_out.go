package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"time"

	"parley/config"
	"parley/mailflow/courier"
	"parley/mailflow/message"
)

// A smarthost takes our mail, on its own terms.
type smarthost struct {
	courier.Smarthost
	Password *credential // of its login; nil: none
	CA       string      // PEM file of the authorities of its certificate; empty: the machine's
	Hello    string      // our name in EHLO
}

// outbound reads how mail leaves.
func (r *reader) outbound(s *settings) {
	o := r.c.Outbound
	s.Subject = r.text(o.Subject, "outbound", "subject")
	if err := message.CheckHeaderValue(o.Subject); err != nil {
		r.fail([]string{"outbound", "subject"}, "cannot be a Subject: %v", err)
	}
	if len(o.Retry) == 0 {
		r.fail([]string{"outbound", "retry"}, "is empty: name at least one duration")
	}
	s.Retry = r.durations(o.Retry, time.Second, "outbound", "retry")
	s.GiveUp = r.duration(o.GiveUp, time.Second, "outbound", "give_up")
	all, at := o.Smarthosts()
	if o.Smarthost == "" && len(o.Next) == 0 {
		r.warn([]string{"outbound", "smarthost"}, "is not set: no mail leaves, all of it waits in the queue")
	}
	for i, one := range all {
		h := r.smarthost(s, one, at[i])
		if one.Smarthost == "" {
			continue
		}
		if slices.ContainsFunc(s.Smarthosts, func(o smarthost) bool { return o.Address() == h.Address() }) {
			r.fail(below(at[i], "smarthost"), "has the address of one before it: it would fail in the same way")
		}
		s.Smarthosts = append(s.Smarthosts, h)
	}
}

// smarthost reads one of them; at is the table that its keys stand in.
func (r *reader) smarthost(s *settings, c config.Smarthost, at []string) smarthost {
	h := smarthost{CA: r.c.Resolve(c.CA), Hello: s.Domain}
	if c.Password != "" {
		p := r.credential(c.Password, below(at, "password")...)
		if p.kind == fromPrompt {
			r.fail(below(at, "password"), "cannot be asked at a prompt: use file:PATH, credential:NAME or env:NAME")
		}
		h.Password = &p
	}
	if c.Hello != "" {
		var ok bool
		if h.Hello, ok = validDomain(c.Hello); !ok {
			r.fail(below(at, "hello"), "is %q, not a host name such as mail.example.org", c.Hello)
		}
	}
	if c.Smarthost == "" {
		if len(r.c.Outbound.Next) > 0 {
			r.fail(below(at, "smarthost"), "is not set, and other keys of it are")
		}
		return h
	}
	var err error
	if h.Smarthost, err = courier.ParseSmarthost(c.Smarthost); err != nil {
		r.fail(below(at, "smarthost"), "is wrong: %v", err)
		return h
	}
	if c.TLSName != "" {
		if err := h.SetTLSName(c.TLSName); err != nil {
			r.fail(below(at, "tls_name"), "is wrong: %v", err)
		}
	}
	switch {
	case c.CA != "" && h.Security == courier.Loopback:
		r.fail(below(at, "ca"), "is set, and smtp:// has no TLS")
	case h.User != "" && h.Password == nil:
		r.fail(below(at, "smarthost"), "names the login %q, and password is not set", h.User)
	case h.User == "" && h.Password != nil:
		r.fail(below(at, "password"), "is set, and smarthost names no login: write user@host")
	}
	return h
}

func below(table []string, key string) []string { return append(slices.Clone(table), key) }

// couriers reads what the smarthosts need, in their order.
func (s *settings) couriers() (all []*courier.Courier, err error) {
	for i, h := range s.Smarthosts {
		c, err := h.courier()
		if err != nil {
			return nil, fmt.Errorf("prepare %s: %w", s.nameOf(i), err)
		}
		c.Timeout = sendTime
		all = append(all, c)
	}
	return all, nil
}

// nameOf is how people are told which smarthost is meant.
func (s *settings) nameOf(i int) string {
	if len(s.Smarthosts) == 1 {
		return fmt.Sprintf("the smarthost %s", s.Smarthosts[i])
	}
	return fmt.Sprintf("smarthost %d, %s,", i+1, s.Smarthosts[i])
}

// courier reads the password and the authorities of a smarthost.
func (h smarthost) courier() (*courier.Courier, error) {
	c := &courier.Courier{Smarthost: h.Smarthost, Hello: h.Hello}
	if h.Password != nil {
		password, err := h.Password.read(nil)
		if err != nil {
			return nil, err
		}
		c.Password = func() (string, error) { return string(password), nil }
	}
	if h.CA != "" {
		text, err := os.ReadFile(h.CA)
		if err != nil {
			return nil, fmt.Errorf("read ca %s: %w", h.CA, pathless(err))
		}
		c.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
		if !c.TLS.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("read ca %s: it holds no certificate in PEM", h.CA)
		}
	}
	return c, nil
}

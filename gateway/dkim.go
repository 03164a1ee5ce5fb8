package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"parley/gateway/ctl"
	"parley/mailflow"
	"parley/mailflow/dkim"
	"parley/mailflow/store"
)

type dkimCommand struct {
	List dkimList `cmd:"" help:"List the keys that sign for our domain, with the records that must be published."`
	New  dkimNew  `cmd:"" help:"Make the next key and print its record. It does not sign yet."`
	Sign dkimSign `cmd:"" help:"Let the next key sign, once its record is seen in DNS, in place of the one before."`
	Stop dkimStop `cmd:"" help:"End a key with none in its place."`
}

type dkimList struct{ configFlag }

func (c dkimList) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "dkim list"})
}

type dkimNew struct {
	configFlag
	Algorithm string `default:"rsa2048" enum:"rsa2048,ed25519" help:"Kind of the key: rsa2048, which everybody verifies, or ed25519 (RFC 8463), which signs beside it."`
}

func (c dkimNew) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "dkim new", Flags: map[string]string{"algorithm": c.Algorithm}})
}

type dkimSign struct {
	configFlag
	Selector string `arg:"" help:"The selector of the next key, as dkim list prints it."`
	Unseen   bool   `help:"Although this machine does not see its record: you answer for it."`
}

func (c dkimSign) Run(ctx context.Context, w world) error {
	flags := map[string]string{}
	if c.Unseen {
		flags["unseen"] = "yes"
	}
	return c.call(ctx, w, ctl.Request{Command: "dkim sign", Args: []string{c.Selector}, Flags: flags})
}

type dkimStop struct {
	configFlag
	Selector string `arg:"" help:"The selector of the key."`
}

func (c dkimStop) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "dkim stop", Args: []string{c.Selector}})
}

func newDomainKey(_ context.Context, a *app, r ctl.Request) (string, error) {
	k, err := a.base.NewDomainKey(operator, dkim.Algorithm(r.Flags["algorithm"]))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("made %s, which does not sign yet. Publish this record, on one line:\n\n%s\nThen, once it can be seen everywhere (an hour is enough for most):\n    parley dkim sign %s\n",
		k.Selector, zoneLine(k, a.set.Domain), k.Selector), nil
}

// zoneLine is the record of a key as it stands in a zone file.
func zoneLine(k mailflow.DomainKey, domain string) string {
	return dkim.Name(k.Selector, domain) + ". IN TXT " + dkim.Zone(k.Record) + "\n"
}

func beginDomainKey(ctx context.Context, a *app, r ctl.Request) (string, error) {
	seen := func(name string) ([]string, error) { return txtOf(ctx, a.dns, name) }
	if r.Flags["unseen"] != "" {
		seen = nil
	}
	k, err := a.base.BeginDomainKey(operator, r.Args[0], seen)
	if err != nil {
		return "", err
	}
	old := ""
	for _, o := range a.base.DomainKeys.All() {
		if o.State == mailflow.DomainKeyOld && o.Algorithm == k.Algorithm && o.Since.Equal(k.Since) {
			old = fmt.Sprintf("%s signs no more, and its secret is destroyed. Keep its record published:\n`parley dkim list` says when it may go.\n", o.Selector)
		}
	}
	return fmt.Sprintf("%s signs every mail from now on.\n", k.Selector) + old, nil
}

func stopDomainKey(_ context.Context, a *app, r ctl.Request) (string, error) {
	k, err := a.base.StopDomainKey(operator, r.Args[0])
	if err != nil {
		return "", err
	}
	said := fmt.Sprintf("%s is gone; its record need not be published.\n", k.Selector)
	if k.State == mailflow.DomainKeySigning {
		said = fmt.Sprintf("%s signs no more, and its secret is destroyed. Keep its record published:\n`parley dkim list` says when it may go.\n", k.Selector)
		if !signsRSA(a.base.DomainKeys.All()) {
			said += "Nothing of ours signs for the domain now: unless the smarthost does, mail that DMARC\nprotects will be refused.\n"
		}
	}
	return said, nil
}

func signsRSA(all []mailflow.DomainKey) bool {
	for _, k := range all {
		if k.State == mailflow.DomainKeySigning && k.Algorithm == dkim.RSA2048 {
			return true
		}
	}
	return false
}

// listDomainKeys gives one line for each key, and below it its record, or what is
// to become of that.
func listDomainKeys(_ context.Context, a *app, _ ctl.Request) (string, error) {
	var b strings.Builder
	err := a.store.View(func(tx *store.Tx) error {
		for _, k := range a.base.DomainKeys.All() {
			fmt.Fprintf(&b, "%s  %s  %s  since %s\n", k.Selector, k.Algorithm, k.State, utc(k.Since))
			if k.State != mailflow.DomainKeyOld {
				b.WriteString(zoneLine(k, a.set.Domain))
				continue
			}
			needed, err := a.stillNeeded(tx, k)
			if err != nil {
				return err
			}
			if needed == "" {
				needed = "nothing on its way needs its record: it may be removed"
			}
			b.WriteString(needed + "\n")
		}
		return nil
	})
	return b.String(), err
}

// stillNeeded says why the record of an old key must stay, or "".
func (a *app) stillNeeded(tx *store.Tx, k mailflow.DomainKey) (string, error) {
	until, waiting, err := a.base.NeededBy(tx, k)
	switch {
	case err != nil:
		return "", err
	case waiting > 0:
		return fmt.Sprintf("its record must stay: %d mails that it signed have not left for good", waiting), nil
	case a.base.Clock.Now().Before(until):
		return "its record must stay until " + utc(until) + ", while mails that it signed are on their way", nil
	}
	return "", nil
}

// txtOf looks TXT records up; a name that is not there has none.
func txtOf(ctx context.Context, r resolver, name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	all, err := r.LookupTXT(ctx, name)
	var missing *net.DNSError
	if errors.As(err, &missing) && missing.IsNotFound {
		return nil, nil
	}
	return all, err
}

// whyNeeded says of each old key why its record must stay; none stands there whose
// record may go.
func (a *app) whyNeeded(tx *store.Tx) (map[string]string, error) {
	out := map[string]string{}
	for _, k := range a.base.DomainKeys.All() {
		if k.State != mailflow.DomainKeyOld {
			continue
		}
		why, err := a.stillNeeded(tx, k)
		if err != nil {
			return nil, err
		}
		out[k.Selector] = why
	}
	return out, nil
}

// examineDomainKeys compares what is published with what signs. Without a resolver
// it says only what signs.
func (a *app) examineDomainKeys(ctx context.Context, r resolver, needed map[string]string) []finding {
	keys := a.base.DomainKeys.All()
	var all []finding
	if !signsRSA(keys) {
		all = append(all, finding{later, "no key of ours signs for our domain (DKIM): unless the smarthost does, mail that DMARC protects is refused", "parley dkim list; publish the record of the next key, and parley dkim sign SELECTOR; parley dkim new makes one"})
	}
	for _, k := range keys {
		if f := a.examineDomainKey(ctx, r, k, needed[k.Selector]); f.what != "" {
			all = append(all, f)
		}
	}
	return all
}

func (a *app) examineDomainKey(ctx context.Context, r resolver, k mailflow.DomainKey, needed string) finding {
	if r == nil {
		if k.State == mailflow.DomainKeySigning {
			return finding{fine, fmt.Sprintf("our DKIM key %s (%s) signs since %s", k.Selector, k.Algorithm, k.Since.UTC().Format(time.DateOnly)), ""}
		}
		return finding{}
	}
	published, err := txtOf(ctx, r, dkim.Name(k.Selector, a.set.Domain))
	if err != nil {
		return finding{later, fmt.Sprintf("the DKIM record of %s cannot be looked up: %v", k.Selector, err), ""}
	}
	return judgeDomainKey(k, dkim.Fits(k.Record, published), needed)
}

// judgeDomainKey says what is to be done about a key, from what is wrong with its
// record and why that is still needed.
func judgeDomainKey(k mailflow.DomainKey, fault error, needed string) finding {
	state := fmt.Sprintf("our DKIM key %s (%s)", k.Selector, k.Algorithm)
	switch {
	case k.State == mailflow.DomainKeySigning && fault != nil:
		return finding{wrong, fmt.Sprintf("%s signs, and its TXT record does not fit: %v. Receivers take our mail for forged", state, fault), "publish what parley dkim list prints; or parley dkim stop " + k.Selector}
	case k.State == mailflow.DomainKeySigning:
		return finding{fine, state + " signs, and its record fits", ""}
	case k.State == mailflow.DomainKeyNext && fault != nil:
		return finding{later, fmt.Sprintf("%s waits for its TXT record: %v", state, fault), "publish what parley dkim list prints"}
	case k.State == mailflow.DomainKeyNext:
		return finding{later, state + " is published and does not sign yet", "parley dkim sign " + k.Selector}
	case needed != "" && fault != nil:
		return finding{wrong, fmt.Sprintf("%s signed before, and its TXT record does not fit: %v; %s", state, fault, needed), "publish it again"}
	case needed == "" && !errors.Is(fault, dkim.ErrNoRecord) && !errors.Is(fault, dkim.ErrRevoked):
		return finding{later, state + " signs no more, and nothing on its way needs its record", "remove its TXT record from DNS"}
	}
	return finding{}
}

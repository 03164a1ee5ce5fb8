package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"parley/keyring"
	"parley/mailflow"
	"parley/mailflow/cvd"
	"parley/templates"
)

// securityTxtLife is the longest that a security.txt lasts: RFC 9116, section
// 2.5.5, recommends less than a year.
const securityTxtLife = 365 * cvd.Day

// site gathers what the pages say. cut tells that security.txt has to end with
// our key, before it was asked to.
func (a *app) site(flags map[string]string) (s templates.Site, cut bool, err error) {
	now := a.base.Clock.Now()
	keys := a.publicKeys()
	if err := a.base.Own.Signing().CanSign(now); err != nil {
		return s, false, fmt.Errorf("our own signing key signs nothing: %w; see parley key own", err)
	}
	tags, languages, err := parseLanguages(flags["languages"])
	if err != nil {
		return s, false, err
	}
	until, err := securityTxtEnd(flags["expires"], now)
	if err != nil {
		return s, false, err
	}
	if end := keys[0].Certificate.Expires(); !end.IsZero() && end.Before(until) {
		until, cut = end, true
	}
	set := a.set
	s = templates.Site{
		Name: siteName(keys[0].Certificate, set.Domain), Domain: set.Domain, Desk: set.DeskDomain,
		Report: "report@" + set.Domain, ReportKey: "report-key@" + set.Domain, Postmaster: "postmaster@" + set.Domain,
		Plaintext: set.Plaintext == "accept", ReadWithin: inWords(mailflow.AnswerWithin), Languages: languages, LanguageTags: tags,
		Made: now, Expires: until.Truncate(time.Second), IMAP: publicPort(set.Listen.IMAP, 993), Submission: publicPort(set.Listen.Submission, 465),
	}
	s.Identifier, s.ProfileUUID, s.MailUUID = profileNames(set.DeskDomain)
	for _, k := range keys {
		s.Keys = append(s.Keys, siteKey(k))
	}
	sitePolicy(&s, set.Policies["default"])
	return s, cut, nil
}

// publicKeys are the keys that others need today: the one that signs, and the
// next one from its announcement on.
func (a *app) publicKeys() []mailflow.OwnKey {
	return slices.DeleteFunc(a.base.Own.All(), func(k mailflow.OwnKey) bool {
		return k.State != mailflow.OwnSigning && k.State != mailflow.OwnNext
	})
}

func siteKey(k mailflow.OwnKey) templates.SiteKey {
	f := k.Fingerprint()
	out := templates.SiteKey{
		ID: "next", Fingerprint: string(f), Groups: strings.Fields(f.Spaced()), UserIDs: k.Certificate.UserIDs(),
		Made: k.Certificate.Made(), Expires: k.Certificate.Expires(), From: k.Signs,
	}
	if out.Signing = k.State == mailflow.OwnSigning; out.Signing {
		out.ID = "signing"
	}
	return out
}

// siteName is the name in the first user ID of our key.
func siteName(c *keyring.Certificate, domain string) string {
	for _, id := range c.UserIDs() {
		if name, _, ok := strings.Cut(id, "<"); ok && strings.TrimSpace(name) != "" {
			return strings.TrimSpace(name)
		}
	}
	return domain
}

// securityTxtEnd reads when security.txt expires.
func securityTxtEnd(s string, now time.Time) (time.Time, error) {
	end, err := parseWhen(s, now)
	switch {
	case err != nil:
		return end, fmt.Errorf("--expires: %w", err)
	case !end.After(now):
		return end, fmt.Errorf("--expires is %s: security.txt would have expired already", utc(end))
	case end.After(now.Add(securityTxtLife)):
		return end, fmt.Errorf("--expires is %s: security.txt lasts a year at most (RFC 9116)", utc(end))
	}
	return end, nil
}

var errLanguages = errors.New("--languages is not a list of language tags such as en,de")

// parseLanguages reads language tags, and puts them into English words.
func parseLanguages(s string) (tags []string, words string, err error) {
	var names []string
	for _, t := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }) {
		tag, err := language.Parse(t)
		if err != nil {
			return nil, "", fmt.Errorf("%w: %q", errLanguages, t)
		}
		tags, names = append(tags, tag.String()), append(names, display.English.Tags().Name(tag))
	}
	if len(tags) == 0 {
		return nil, "", errLanguages
	}
	return tags, enumerated(names), nil
}

// enumerated joins words as a sentence does.
func enumerated(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

// publicPort is the port that clients use: the one we listen on, or the usual
// one where the system chooses ours.
func publicPort(listen string, usual int) int {
	_, p, err := net.SplitHostPort(listen)
	if n, bad := strconv.Atoi(p); err == nil && bad == nil && n > 0 {
		return n
	}
	return usual
}

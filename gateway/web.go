package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"parley/gateway/ctl"
)

type webCommand struct {
	configFlag
	Dir       string `arg:"" help:"Folder to write into: the document root of a web server. What others put there is left alone."`
	Expires   string `default:"180d" help:"When security.txt expires: after a duration (180d) or at an instant, a year from now at most. Run this again before."`
	Languages string `default:"en" help:"Languages in which reports may be written, as tags: en,de."`
}

// Run has the files made by whoever holds our key, and writes them itself.
func (c webCommand) Run(ctx context.Context, w world) error {
	set, err := loadSettings(c.Config)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	if err := mayPublish(dir, c.Config, set); err != nil {
		return fmt.Errorf("%w; nothing was written", err)
	}
	answer, err := c.ask(ctx, w, set, ctl.Request{Command: "web", Flags: map[string]string{"expires": c.Expires, "languages": c.Languages}})
	if err != nil {
		return err
	}
	if answer.Code != exitDone {
		_, _ = fmt.Fprintf(w.err, "%s; nothing was written\n", strings.TrimRight(answer.Err, "\n"))
		return codeError(answer.Code)
	}
	var site website
	if err := json.Unmarshal([]byte(answer.Out), &site); err != nil {
		return fmt.Errorf("read what the daemon made: %w; it may be of another version", err)
	}
	told, err := writeSite(dir, site.Files)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w.out, told+site.Said)
	return err
}

// website is what goes over the control socket.
type website struct {
	Files map[string][]byte // by path, with slashes
	Said  string            // for the operator: what goes where
}

// makeSite makes the files, and writes none.
func makeSite(_ context.Context, a *app, r ctl.Request) (string, error) {
	site, cut, err := a.site(r.Flags)
	if err != nil {
		return "", err
	}
	files, err := a.siteFiles(site)
	if err != nil {
		return "", err
	}
	out, err := json.Marshal(website{files, siteSaid(a.set, site.Expires, cut)})
	return string(out), err
}

// siteSaid says which host serves what, and what to do later.
func siteSaid(set *settings, until time.Time, cut bool) string {
	var b strings.Builder
	b.WriteString("\nServe this folder as the document root of these hosts, over HTTPS:\n")
	b.WriteString(table([][]string{
		{"  " + set.Domain, "index.html, key/, policy/, key.asc, .well-known/security.txt,"},
		{"", ".well-known/openpgpkey/ (WKD, direct method)"},
		{"  openpgpkey." + set.Domain, ".well-known/openpgpkey/" + set.Domain + "/ (WKD, advanced method)"},
		{"  autoconfig." + set.DeskDomain, "mail/config-v1.1.xml; for coordinators"},
		{"  " + set.DeskDomain, ".well-known/autoconfig/; the same, where that machine has a web server"},
	}))
	b.WriteString("\nRecords that this needs beside those of parley init:\n\n" + webRecords(set))
	fmt.Fprintf(&b, "\nOnce openpgpkey.%s exists in the DNS, nobody asks %[1]s for keys any more: serve both, or\nonly the second. Nothing here is secret; the desk's files hold hosts and ports, no logins.\n", set.Domain)
	b.WriteString("desk.mobileconfig is for coordinators with Apple's clients, from wherever they like. It is not signed, so\nthe client calls it unverified; it asks for address, login and password.\n")
	fmt.Fprintf(&b, "\nsecurity.txt expires on %s", utc(until))
	if cut {
		b.WriteString(", when our signing key does")
	}
	b.WriteString(". Run this again before that, and whenever our key changes\n(parley key rotate, extend, retire; and once the next key signs).\n")
	return b.String()
}

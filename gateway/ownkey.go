package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"parley/gateway/ctl"
	"parley/keyring"
	"parley/mailflow"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

type keyExport struct{ configFlag }

func (c keyExport) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "key export"})
}

type keyOwn struct{ configFlag }

func (c keyOwn) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "key own"})
}

type keyRotate struct {
	configFlag
	Algorithm string `default:"ed25519" enum:"ed25519,rsa4096" help:"Kind of the key: ed25519, or rsa4096 for peers that need it."`
	Expires   string `default:"3y" help:"When it expires: after a duration (2y, 90d), at an instant, or never."`
	From      string `placeholder:"WHEN" help:"When it begins to sign: after a duration, at an instant, or now. In 7 days unless given, or when the key that signs expires, if that is before."`
}

func (c keyRotate) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "key rotate",
		Flags: map[string]string{"algorithm": c.Algorithm, "expires": c.Expires, "from": c.From}})
}

type keyExtend struct {
	configFlag
	Expires string `default:"2y" help:"When it expires: after a duration from now (2y, 90d), at an instant, or never."`
}

func (c keyExtend) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "key extend", Flags: map[string]string{"expires": c.Expires}})
}

type keyRetire struct {
	configFlag
	Fingerprint []string `arg:"" help:"The whole fingerprint of one of our old keys."`
}

func (c keyRetire) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "key retire", Args: []string{strings.Join(c.Fingerprint, "")}})
}

func exportKey(_ context.Context, a *app, _ ctl.Request) (string, error) {
	armored, err := a.base.Own.Export()
	return string(armored), err
}

// listOwnKeys gives one line for each: fingerprint, state, since when, until
// when, and when it expires.
func listOwnKeys(_ context.Context, a *app, _ ctl.Request) (string, error) {
	var rows [][]string
	for _, k := range a.base.Own.All() {
		rows = append(rows, []string{string(k.Fingerprint()), string(k.State), "since " + orDash(k.Since), "until " + orDash(k.Until),
			"expires " + ends(k.Certificate.Expires())})
	}
	return table(rows), nil
}

func orDash(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return utc(t)
}

// usualNotice is how long before it signs a key is announced.
const usualNotice = 7 * cvd.Day

func rotateKey(_ context.Context, a *app, r ctl.Request) (string, error) {
	now := a.base.Clock.Now()
	end, err := parseEnd(r.Flags["expires"], now)
	if err != nil {
		return "", err
	}
	from, err := a.signsFrom(r.Flags["from"], now)
	if err != nil {
		return "", err
	}
	k, err := a.base.RotateKey(operator, mailflow.Rotation{Algorithm: keyring.Algorithm(r.Flags["algorithm"]), Signs: from, Expires: end})
	if err != nil {
		return "", err
	}
	said := fmt.Sprintf("our next key  %s\nexpires       %s\n", k.Fingerprint().Spaced(), ends(k.Certificate.Expires()))
	if k.State == mailflow.OwnSigning {
		return said + "It signs from now on. Everybody who was told something gets a letter about it.\n" + publish, nil
	}
	return said + fmt.Sprintf("It decrypts from now on and signs from %s. Everybody who was told something\ngets a letter about it, signed by the key that they know.\n",
		utc(k.Signs)) + publish, nil
}

const publish = "Publish what `parley key export` prints wherever people find our key.\n"

// signsFrom reads when a key begins to sign. Unless it is said, people have a
// week, or as long as the key that signs still lasts.
func (a *app) signsFrom(s string, now time.Time) (time.Time, error) {
	switch s {
	case "now":
		return now, nil
	case "":
		from := now.Add(usualNotice)
		if end := a.base.Own.Signing().Certificate().Expires(); !end.IsZero() && end.Before(from) {
			return end, nil
		}
		return from, nil
	}
	return parseWhen(s, now)
}

func extendKey(_ context.Context, a *app, r ctl.Request) (string, error) {
	end, err := parseEnd(r.Flags["expires"], a.base.Clock.Now())
	if err != nil {
		return "", err
	}
	k, err := a.base.ExtendKey(operator, end)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("our key  %s\nexpires  %s\n", k.Fingerprint().Spaced(), ends(k.Certificate.Expires())) + publish, nil
}

func retireKey(_ context.Context, a *app, r ctl.Request) (string, error) {
	f, err := keyring.ParseFingerprint(r.Args[0])
	if err != nil {
		return "", err
	}
	k, err := a.base.RetireKey(operator, f, func(s store.Scope) error {
		u, err := a.credential()
		if err != nil {
			return err
		}
		return a.store.Shred(s, u)
	})
	if err != nil {
		return "", err
	}
	return retiredLine(k), nil
}

// retiredLine says what a retirement did, and what it cannot reach.
func retiredLine(k mailflow.OwnKey) string {
	line := fmt.Sprintf("retired %s: its secret is destroyed.\n", k.Fingerprint().Spaced()) +
		"What comes in encrypted to it from now on can no longer be read, by anybody here;\n" +
		"neither can copies of old mails outside of this store. What was opened before stays\n" +
		"readable, and backups made before still hold the secret.\n"
	if k.Signs.IsZero() { // not sealed by itself from the beginning
		line += "An earlier version made the key, and sealed it with all else: a copy may stay on\n" +
			"free pages of this disk, for whoever has that and the credential that unlocks it.\n"
	}
	return line
}

// ends writes the end of a key.
func ends(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.DateOnly)
}

func utc(t time.Time) string { return t.UTC().Format("2006-01-02T15:04Z") }

var years = regexp.MustCompile(`^(\d{1,3})y$`)

// parseWhen reads an instant, or how long it is until then: years of the
// calendar, or a duration.
func parseWhen(s string, now time.Time) (time.Time, error) {
	if m := years.FindStringSubmatch(s); m != nil {
		n, err := strconv.Atoi(m[1])
		return now.AddDate(n, 0, 0), err
	}
	if d, err := cvd.ParseDuration(s); err == nil {
		return now.Add(d), nil
	}
	if at, err := cvd.ParseInstant(s); err == nil {
		return at.At, nil
	}
	return time.Time{}, fmt.Errorf("%q is neither a duration such as 2y, 90d or 36h nor an instant such as 2026-12-01T09:00Z", s)
}

// parseEnd reads when a key expires; never is the zero instant.
func parseEnd(s string, now time.Time) (time.Time, error) {
	if s == "never" {
		return time.Time{}, nil
	}
	return parseWhen(s, now)
}

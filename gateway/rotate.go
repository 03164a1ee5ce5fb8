package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"parley/gateway/ctl"
	"parley/mailflow"
	"parley/mailflow/cvd"
)

type storeCommand struct {
	Rotate storeRotate `cmd:"" help:"Put the store under a new credential, or give one case a new key, while the gateway runs."`
}

type storeRotate struct {
	configFlag
	Case string `arg:"" optional:"" help:"The tag of a case that gets a new key; left out, the master key of the store changes."`
	To   string `placeholder:"WHERE" help:"With no case: the new credential, file:PATH (made with a random key), credential:NAME, env:NAME or prompt:."`
}

// Run reads the new credential itself, since the daemon may not be able to. One in a file is made, and stays whatever happens: the store may
// be under it already.
func (c storeRotate) Run(ctx context.Context, w world) error {
	if c.Case != "" && c.To != "" || c.Case == "" && c.To == "" {
		return errors.New("give the tag of a case, or --to with the new credential")
	}
	if c.Case != "" {
		return c.call(ctx, w, ctl.Request{Command: "store rotate", Args: []string{c.Case}})
	}
	set, err := loadSettings(c.Config)
	if err != nil {
		return err
	}
	to, err := parseCredential(c.To, set.read.Resolve)
	if err != nil {
		return fmt.Errorf("--to %q: %w", c.To, err)
	}
	if to == set.Unlock {
		return fmt.Errorf("--to is %s, where the credential of now is: keep that until the new one opens the store", to)
	}
	secret, err := c.newSecret(to, w.asker())
	if err != nil {
		return err
	}
	return c.call(ctx, w, ctl.Request{Command: "store rotate", Flags: map[string]string{"to": to.String()}, Files: map[string][]byte{"credential": secret}})
}

// newSecret makes the new credential; where a rotation was cut short, it is there.
func (storeRotate) newSecret(to credential, ask asker) ([]byte, error) {
	if to.kind == fromFile {
		m := &maker{}
		if _, err := m.unlock(to, ask); err != nil {
			if secret, failed := to.read(nil); failed == nil {
				return secret, nil
			}
			return nil, err
		}
	}
	secret, err := to.read(ask.newUnlock)
	if err == nil && len(secret) < leastPassphrase {
		err = fmt.Errorf("the passphrase from %s has fewer than %d characters: whoever gets the disk can try them all", to, leastPassphrase)
	}
	return secret, err
}

// rotateStore changes keys while everything runs on.
func rotateStore(ctx context.Context, a *app, r ctl.Request) (string, error) {
	if len(r.Args) == 1 {
		return a.rotateCase(ctx, cvd.CaseID(strings.ToUpper(r.Args[0])))
	}
	next, err := parseUnlock(r.Files["credential"])
	if err != nil {
		return "", err
	}
	if err = a.base.RotateStore(next); a.store.Unlocks(next) != nil {
		return "", fmt.Errorf("%w; the credential of before opens the store, as it did", err)
	}
	a.kept.Store(&next)
	if err != nil {
		return "", fmt.Errorf("%w; the new credential, %s, opens the store all the same: set unlock to it, and repeat this", err, r.Flags["to"])
	}
	return table([][]string{
		{"rotated", "the master key; the credential of before opens the store no more"},
		{"unlock", r.Flags["to"] + " from now on: set it in the configuration before the next start, and keep a copy elsewhere"},
		{"backups", "made before restore as they did, with the key that they are sealed to"},
	}), nil
}

func (a *app) rotateCase(ctx context.Context, id cvd.CaseID) (string, error) {
	u, err := a.credential()
	if err != nil {
		return "", err
	}
	err = a.base.RotateCase(ctx, id, u)
	var refused *mailflow.Refusal
	switch {
	case errors.Is(err, mailflow.ErrNoCase):
		return "", fmt.Errorf("there is no case %s", id)
	case errors.As(err, &refused):
		return "", errors.New(refused.Sentence)
	case err != nil:
		return "", fmt.Errorf("%w; nothing is lost, and the older key may still be there: repeat this", err)
	}
	return table([][]string{
		{"rotated", "the key of " + string(id) + "; the one of before is destroyed, and opens nothing of the store"},
		{"backups", "made before hold the case under the key of then, and restore as they did"},
	}), nil
}

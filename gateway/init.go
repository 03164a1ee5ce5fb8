package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"parley/config"
	"parley/keyring"
	"parley/mailflow"
	"parley/mailflow/store"
)

// configName is the configuration file that init writes.
const configName = "parley.toml"

type initCommand struct {
	Dir        string `arg:"" help:"Directory to make the gateway in."`
	Domain     string `required:"" help:"Public mail domain, such as vdp.example.org."`
	DeskDomain string `help:"The coordinators' mail domain; desk.DOMAIN unless given."`
	Name       string `help:"Name on our OpenPGP key, such as \"Example CERT\"; the domain unless given."`
	Key        string `default:"ed25519" enum:"ed25519,rsa4096" help:"Kind of our OpenPGP key: ed25519, or rsa4096 for peers that need it."`
	Expires    string `default:"3y" help:"When our OpenPGP key expires: after a duration (3y, 90d), at an instant, or never. The desk is told from 60 days before."`
	Unlock     string `default:"file:unlock" help:"What opens the store: file:PATH (made with a random key), credential:NAME, env:NAME or prompt:."`
}

func (c initCommand) Run(ctx context.Context, w world) (err error) {
	path := filepath.Join(c.Dir, configName)
	text, err := c.configuration()
	if err != nil {
		return err
	}
	conf, err := config.Parse(path, []byte(text))
	if err != nil {
		return err
	}
	set, err := newSettings(conf)
	if err != nil {
		return err
	}
	m := &maker{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("init %s: %w", c.Dir, err), m.undo())
		}
	}()
	if err := m.dir(c.Dir); err != nil {
		return err
	}
	ours, signs, err := c.make(m, set, w.asker())
	if err != nil {
		return err
	}
	// The configuration comes last: where it stands, the rest is complete.
	if err := m.file(path, []byte(text)); err != nil {
		return err
	}
	_, err = io.WriteString(w.out, c.report(path, set, ours, signs))
	return err
}

// configuration is the example with what this gateway needs put in.
func (c initCommand) configuration() (string, error) {
	domain, ok := validDomain(c.Domain)
	if !ok {
		return "", fmt.Errorf("--domain is %q, not a mail domain such as vdp.example.org", c.Domain)
	}
	desk := c.DeskDomain
	if desk == "" {
		desk = "desk." + domain
	}
	text := config.Example()
	for _, r := range [][2]string{
		{`= "vdp.example.org"`, "= " + tomlQuote(domain)},
		{`= "desk.vdp.example.org"`, "= " + tomlQuote(desk)},
		{`= "file:unlock"`, "= " + tomlQuote(c.Unlock)},
		{`listen = "127.0.0.1:25"`, "listen = " + tomlQuote(freeAddress(25, 2525))},
		{`listen = "127.0.0.1:465"`, "listen = " + tomlQuote(freeAddress(465, 4465))},
		{`listen = "127.0.0.1:993"`, "listen = " + tomlQuote(freeAddress(993, 4993))},
	} {
		if strings.Count(text, r[0]) != 1 {
			return "", fmt.Errorf("the example configuration does not hold %s once", r[0])
		}
		text = strings.Replace(text, r[0], r[1], 1)
	}
	return text, nil
}

// tomlQuote writes a basic string (TOML 1.0); %q would write \x escapes.
func tomlQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// freeAddress is the loopback address with the port that everybody expects, or
// the other one where we may not have that: serve is to work at once.
func freeAddress(port, other int) string {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Sprintf("127.0.0.1:%d", other)
	}
	_ = ln.Close() // it was only to see
	return addr
}

// make makes everything but the configuration file, and gives our key and the one
// that will sign for our domain.
func (c initCommand) make(m *maker, set *settings, ask asker) (ours *keyring.Secret, signs mailflow.DomainKey, err error) {
	u, err := m.unlock(set.Unlock, ask)
	if err != nil {
		return nil, signs, err
	}
	if err := m.certificate(set, time.Now()); err != nil {
		return nil, signs, err
	}
	name := c.Name
	if name == "" {
		name = set.Domain
	}
	now := time.Now()
	end, err := parseEnd(c.Expires, now)
	if err != nil {
		return nil, signs, err
	}
	ours, err = keyring.GenerateUntil(name, "report@"+set.Domain, keyring.Algorithm(c.Key), now, end)
	if err != nil {
		return nil, signs, fmt.Errorf("make our OpenPGP key: %w", err)
	}
	signs, err = m.store(set, u, ours)
	return ours, signs, err
}

// maker makes what must not exist yet, and can take it back.
type maker struct{ made []string }

// undo removes what was made, the newest first.
func (m *maker) undo() error {
	var errs []error
	for i := len(m.made) - 1; i >= 0; i-- {
		errs = append(errs, os.RemoveAll(m.made[i]))
	}
	return errors.Join(errs...)
}

// dir makes a directory that only we may enter, or takes one that exists.
func (m *maker) dir(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	m.made = append(m.made, path)
	return nil
}

func (m *maker) file(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	m.made = append(m.made, path)
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// leastPassphrase is the shortest that a store is made with, in bytes.
const leastPassphrase = 12

// unlock makes the file with a random key, or reads the secret that the
// operator keeps elsewhere.
func (m *maker) unlock(c credential, ask asker) (store.Unlock, error) {
	text := newUnlockText()
	if c.kind == fromFile {
		if err := m.file(c.value, []byte(text+"\n")); err != nil {
			return store.Unlock{}, err
		}
	} else {
		read, err := c.read(ask.newUnlock)
		if err != nil {
			return store.Unlock{}, err
		}
		if text = string(read); !strings.HasPrefix(text, unlockPrefix) && len(text) < leastPassphrase {
			return store.Unlock{}, fmt.Errorf("the passphrase from %s has fewer than %d characters: whoever gets the disk can try them all", c, leastPassphrase)
		}
	}
	return parseUnlock([]byte(text))
}

// store makes the store with our key sealed in it, and with one that is to sign
// for our domain.
func (m *maker) store(set *settings, u store.Unlock, ours *keyring.Secret) (signs mailflow.DomainKey, err error) {
	_, statErr := os.Lstat(set.StateDir)
	if err := store.Create(set.StateDir, u); err != nil {
		return signs, fmt.Errorf("make store: %w", err)
	}
	if errors.Is(statErr, os.ErrNotExist) {
		m.made = append(m.made, set.StateDir)
	}
	st, err := openStore(set, given{unlock: u, clock: mailflow.WallClock()})
	if err != nil {
		return signs, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := st.Update(func(tx *store.Tx) error { return tx.NewScope(mailflow.DeskScope) }); err != nil {
		return signs, err
	}
	if err := mailflow.KeepFirstKey(st, ours); err != nil {
		return signs, err
	}
	return mailflow.KeepFirstDomainKey(st, time.Now())
}

// report says what was made and what to do next.
func (c initCommand) report(path string, set *settings, ours *keyring.Secret, signs mailflow.DomainKey) string {
	var b strings.Builder
	fmt.Fprintf(&b, "made %s\n\n", path)
	fmt.Fprintf(&b, "our key      %s\n", ours.Certificate().Fingerprint().Spaced())
	fmt.Fprintf(&b, "             expires %s\n", ends(ours.Certificate().Expires()))
	fmt.Fprintf(&b, "reports to   report@%s\n", set.Domain)
	fmt.Fprintf(&b, "desk         control@%s\n", set.DeskDomain)
	fmt.Fprintf(&b, "unlock       %s; keep a copy elsewhere: without it the store is lost\n\n", set.Unlock)
	b.WriteString("Publish these DNS records; ADDRESS is that of this machine.\n\n")
	b.WriteString(dnsRecords(set))
	fmt.Fprintf(&b, "\n%s\nThe last one is for signing what leaves (DKIM); once it can be seen everywhere:\n  parley dkim sign %s --config %s\n", zoneLine(signs, set.Domain), signs.Selector, path)
	fmt.Fprintf(&b, "\nNext:\n  parley coordinator add NAME --config %s --password-file FILE\n  parley serve --config %s\n", path, path)
	b.WriteString("Set [outbound] smarthost before anything is to leave.\n")
	return b.String()
}

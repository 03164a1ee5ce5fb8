package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"parley/gateway/ctl"
	"parley/keyring"
	"parley/mailflow/cvd"
)

type keyCommand struct {
	Import  keyImport  `cmd:"" help:"Take a party's OpenPGP keys from a file."`
	Export  keyExport  `cmd:"" help:"Print our public key, armored, with the next one once it is announced and those from before."`
	Own     keyOwn     `cmd:"" help:"List our own keys."`
	Rotate  keyRotate  `cmd:"" help:"Make our next key and announce it to everybody who was told something."`
	Extend  keyExtend  `cmd:"" help:"Give our signing key a later end."`
	Retire  keyRetire  `cmd:"" help:"Destroy the secret of an old key of ours."`
	Confirm keyConfirm `cmd:"" help:"Say that a fingerprint was compared another way."`
	Reject  keyReject  `cmd:"" help:"Never use a key."`
	List    keyList    `cmd:"" help:"List the keys of a party."`
}

type keyImport struct {
	configFlag
	File    string `arg:"" help:"Certificates, armored or binary; - for standard input."`
	Party   string `required:"" placeholder:"NAME" help:"Whose keys they are."`
	Confirm string `placeholder:"FINGERPRINT" help:"The whole fingerprint, learned another way: that key is confirmed at once. The others are only claimed."`
}

func (c keyImport) Run(ctx context.Context, w world) error {
	data, err := w.input(c.File)
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	return c.call(ctx, w, ctl.Request{Command: "key import", Args: []string{c.Party},
		Flags: map[string]string{"confirm": c.Confirm}, Files: map[string][]byte{"keys": data}})
}

type keyConfirm struct {
	configFlag
	Party       string   `arg:"" help:"Whose key it is."`
	Fingerprint []string `arg:"" help:"The whole fingerprint, as it was learned another way."`
	Evidence    string   `required:"" help:"How it was learned: \"phone, 3 Dec\"."`
}

func (c keyConfirm) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "do", Args: []string{
		fmt.Sprintf("key confirm %s %s evidence %s", c.Party, strings.Join(c.Fingerprint, ""), quote(c.Evidence))}})
}

type keyReject struct {
	configFlag
	Party       string   `arg:"" help:"Whose key it is."`
	Fingerprint []string `arg:"" help:"The whole fingerprint."`
}

func (c keyReject) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "do", Args: []string{
		fmt.Sprintf("key reject %s %s", c.Party, strings.Join(c.Fingerprint, ""))}})
}

type keyList struct {
	configFlag
	Party string `arg:"" help:"Whose keys to list."`
}

func (c keyList) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "do", Args: []string{"key list " + c.Party}})
}

// importKeys pins the keys of a file to a party.
func importKeys(_ context.Context, a *app, r ctl.Request) (string, error) {
	party, err := cvd.ParsePartyID(r.Args[0])
	if err != nil {
		return "", err
	}
	var confirm keyring.Fingerprint
	if typed := r.Flags["confirm"]; typed != "" {
		if confirm, err = keyring.ParseFingerprint(typed); err != nil {
			return "", err
		}
	}
	certs, err := keyring.ParseCertificates(r.Files["keys"])
	if err != nil {
		return "", fmt.Errorf("read keys of %s: %w", party, err)
	}
	pinned, err := a.desk.ImportKeys(operator, party, certs, confirm)
	if err != nil {
		return "", fmt.Errorf("import keys of %s: %w", party, err)
	}
	var b strings.Builder
	for i, k := range pinned {
		fmt.Fprintf(&b, "%s %s %s%s\n", party, k.Fingerprint, k.Trust, unusable(certs[i]))
	}
	return b.String(), nil
}

// unusable says why a key that was taken cannot be encrypted to.
func unusable(c *keyring.Certificate) string {
	if err := c.CanEncrypt(time.Now()); err != nil {
		return "; it cannot be used: " + err.Error()
	}
	return ""
}

package main

import (
	"context"
	"fmt"
	"strings"

	"parley/gateway/ctl"
	"parley/keyring"
	"parley/mailflow"
	"parley/mailflow/cvd"
)

type keyCommand struct {
	Import  keyImport  `cmd:"" help:"Take a party's OpenPGP key from a file."`
	Export  keyExport  `cmd:"" help:"Print our public key, armored, with the next one once it is announced and those from before."`
	Own     keyOwn     `cmd:"" help:"List our own keys."`
	Rotate  keyRotate  `cmd:"" help:"Make our next key and announce it to everybody who was told something."`
	Extend  keyExtend  `cmd:"" help:"Give our signing key a later end."`
	Retire  keyRetire  `cmd:"" help:"Destroy the secret of an old key of ours."`
	Confirm keyConfirm `cmd:"" help:"Say that a fingerprint was compared another way."`
	Adopt   keyAdopt   `cmd:"" help:"Use a new encryption subkey that a key offers."`
	Reject  keyReject  `cmd:"" help:"Do not use a key; what it replaced is in force again."`
	List    keyList    `cmd:"" help:"List the keys of a party."`
}

type keyImport struct {
	configFlag
	File    string `arg:"" help:"A certificate, armored or binary; - for standard input."`
	Party   string `required:"" placeholder:"NAME" help:"Whose keys they are."`
	Confirm string `placeholder:"FINGERPRINT" help:"The whole fingerprint, learned another way: that key is confirmed at once, and others in the file are left out."`
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
	Replaces    string   `placeholder:"FINGERPRINT" help:"The whole fingerprint of the key that it takes the place of; left out, both are used."`
	For         string   `placeholder:"ADDRESS" help:"The party's address that the key serves, where its user IDs do not tell."`
}

func (c keyConfirm) Run(ctx context.Context, w world) error {
	line := "key confirm " + c.Party + " " + strings.Join(c.Fingerprint, "")
	if c.Replaces != "" {
		line += " replaces " + quote(c.Replaces)
	}
	if c.For != "" {
		line += " for " + quote(c.For)
	}
	return c.call(ctx, w, ctl.Request{Command: "do", Args: []string{line + " evidence " + quote(c.Evidence)}})
}

type keyAdopt struct {
	configFlag
	Party    string   `arg:"" help:"Whose key it is."`
	Subkey   []string `arg:"" help:"The whole fingerprint of the subkey, as it was learned another way."`
	Evidence string   `required:"" help:"How it was learned: \"phone, 3 Dec\"."`
}

func (c keyAdopt) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "do", Args: []string{
		fmt.Sprintf("key adopt %s %s evidence %s", c.Party, strings.Join(c.Subkey, ""), quote(c.Evidence))}})
}

type keyReject struct {
	configFlag
	Party       string   `arg:"" help:"Whose key it is."`
	Fingerprint []string `arg:"" help:"The whole fingerprint."`
	Because     string   `help:"Why: \"stolen, they called on 3 Dec\"."`
}

func (c keyReject) Run(ctx context.Context, w world) error {
	line := "key reject " + c.Party + " " + strings.Join(c.Fingerprint, "")
	if c.Because != "" {
		line += " because " + quote(c.Because)
	}
	return c.call(ctx, w, ctl.Request{Command: "do", Args: []string{line}})
}

type keyList struct {
	configFlag
	Party string `arg:"" help:"Whose keys to list."`
}

func (c keyList) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "do", Args: []string{"key list " + c.Party}})
}

// importKeys pins the key of a file to a party.
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
	got, err := a.desk.ImportKey(operator, party, r.Files["keys"], confirm)
	if err != nil {
		return "", fmt.Errorf("import keys of %s: %w", party, err)
	}
	return importedLine(party, got), nil
}

// importedLine says what became of a key file.
func importedLine(party cvd.PartyID, got mailflow.Imported) string {
	line := fmt.Sprintf("%s %s %s\n", party, got.Key.Fingerprint, got.Key.Trust)
	for _, s := range got.Said {
		line += "  " + s + "\n"
	}
	return line
}

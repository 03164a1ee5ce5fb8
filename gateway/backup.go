package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"parley/gateway/ctl"
	"parley/mailflow"
)

type backupCommand struct {
	configFlag
	File      string   `arg:"" placeholder:"FILE.age" help:"The file to make; it must not be there yet."`
	Recipient []string `required:"" sep:"none" placeholder:"age1…" help:"Who can open it: the public half of a key that is kept elsewhere (age-keygen makes one). May be given several times."`
}

// Run has the daemon write a backup into a file that we make, so that it lies
// where we may write. Under its own name it stands only when it was opened again.
func (c backupCommand) Run(ctx context.Context, w world) (err error) {
	if _, err := parseRecipients(c.Recipient); err != nil {
		return err
	}
	set, err := loadSettings(c.Config)
	if err != nil {
		return err
	}
	files, elsewhere, err := set.files()
	if err != nil {
		return err
	}
	part, err := newPart(c.File)
	if err != nil {
		return err
	}
	answer, err := c.ask(ctx, w, set, ctl.Request{Command: "backup", Args: c.Recipient,
		Flags: map[string]string{"name": filepath.Base(c.File)}, Files: files, Output: part.file})
	if err != nil || answer.Code != exitDone {
		return errors.Join(err, part.drop(), w.print(answer))
	}
	if err := part.keep(); err != nil {
		return err
	}
	for _, path := range elsewhere {
		answer.Out += fmt.Sprintf("not in it    %s, which lies outside of the configuration's folder: keep it yourself\n", path)
	}
	return w.print(answer)
}

// parseRecipients reads age recipients.
func parseRecipients(all []string) ([]age.Recipient, error) {
	var out []age.Recipient
	for _, text := range all {
		if strings.HasPrefix(strings.ToUpper(text), "AGE-SECRET-KEY-") {
			return nil, errors.New("--recipient is a secret key, which belongs neither here nor on this machine: give its public half, age1…")
		}
		r, err := age.ParseRecipients(strings.NewReader(strings.ToLower(text)))
		if err != nil || len(r) != 1 {
			return nil, fmt.Errorf("--recipient %q is no age recipient, such as age1…", text)
		}
		out = append(out, r[0])
	}
	return out, nil
}

// witness makes a recipient that only this process can be, so that it can open
// what it sealed. Age does not mix kinds of which one is weaker.
func witness(all []age.Recipient) (age.Recipient, age.Identity, error) {
	if _, hybrid := all[0].(*age.HybridRecipient); hybrid {
		id, err := age.GenerateHybridIdentity()
		if err != nil {
			return nil, nil, err
		}
		return id.Recipient(), id, nil
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, nil, err
	}
	return id.Recipient(), id, nil
}

// makeBackup writes a backup while everything runs on, opens it again, and notes
// that there is one.
func makeBackup(ctx context.Context, a *app, r ctl.Request) (string, error) {
	if r.Output == nil {
		return "", errors.New("no file came along to write to")
	}
	recipients, err := parseRecipients(r.Args)
	if err != nil {
		return "", err
	}
	head, sum, size, err := a.sealBackup(ctx, r.Output, recipients, r.Files)
	if err != nil {
		return "", fmt.Errorf("make a backup: %w", err)
	}
	made := mailflow.Backup{At: head.Taken, File: r.Flags["name"], Recipients: r.Args, SHA256: sum, Size: size, Head: head.Head}
	if err := a.base.BackedUp(made); err != nil {
		return "", fmt.Errorf("note the backup: %w", err)
	}
	return table([][]string{
		{"made", made.File},
		{"of", head.Taken.Format("Mon 2 Jan 2006, 15:04:05 MST")},
		{"size", fmt.Sprintf("%d bytes", size)},
		{"SHA-256", sum},
		{"head", fmt.Sprintf("%s, of %d in the journal", head.Head, head.Journal)},
		{"opened", fmt.Sprintf("again, all of it; now only %s can", strings.Join(r.Args, ", "))},
	}), nil
}

// sealBackup encrypts a backup as it is made; no byte of it is in clear on a disk
// (rule H4). It returns when the file is durable and was read again.
func (a *app) sealBackup(ctx context.Context, f *os.File, to []age.Recipient, files map[string][]byte) (head backupHead, sum string, size int64, err error) {
	self, id, err := witness(to)
	if err != nil {
		return head, "", 0, err
	}
	h := sha256.New()
	sealed, err := age.Encrypt(io.MultiWriter(f, h), append(to, self)...)
	if err != nil {
		return head, "", 0, err
	}
	archive := newArchiver(sealed, a.base.Clock.Now())
	if head, err = archive.all(ctx, files, a.store); err != nil {
		return head, "", 0, err
	}
	if err := errors.Join(sealed.Close(), f.Sync()); err != nil {
		return head, "", 0, err
	}
	if size, err = f.Seek(0, io.SeekEnd); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = archive.check(f, id)
	}
	if err != nil {
		return head, "", 0, fmt.Errorf("open it again: %w", err)
	}
	return head, hex.EncodeToString(h.Sum(nil)), size, nil
}

// files reads what belongs to a configuration besides the store and what opens
// it, by the names from its folder. What lies elsewhere is only named.
func (s *settings) files() (files map[string][]byte, elsewhere []string, err error) {
	dir, err := filepath.Abs(filepath.Dir(s.File))
	if err != nil {
		return nil, nil, err
	}
	paths := []string{s.File, s.CertFile, s.KeyFile}
	for _, h := range s.Smarthosts {
		if h.Password != nil && h.Password.kind == fromFile {
			paths = append(paths, h.Password.value)
		}
		if h.CA != "" {
			paths = append(paths, h.CA)
		}
	}
	if s.Templates != "" {
		err := filepath.WalkDir(s.Templates, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil {
			return nil, nil, err
		}
	}
	files = map[string][]byte{}
	for _, path := range paths {
		if path, err = filepath.Abs(path); err != nil {
			return nil, nil, err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || !localName(filepath.ToSlash(name)) {
			elsewhere = append(elsewhere, path)
			continue
		}
		if path == filepath.Join(dir, filepath.Base(s.File)) {
			name = configName // as restore calls it
		}
		if files[filepath.ToSlash(name)], err = os.ReadFile(path); err != nil {
			return nil, nil, err
		}
	}
	return files, elsewhere, nil
}

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"filippo.io/age"

	"parley/mailflow"
	"parley/mailflow/store"
)

type restoreCommand struct {
	File     string `arg:"" placeholder:"FILE.age" help:"A backup that parley backup made."`
	Identity string `required:"" placeholder:"FILE" help:"The file with the secret key that opens it, AGE-SECRET-KEY-1…; it is only read."`
	To       string `required:"" placeholder:"DIR" help:"The directory to make the gateway in: empty, or not there yet."`
}

const stateName = "state"

// unfinishedName is what the configuration is called until nothing leaves by itself:
// of a restore that was killed nobody can serve what it left (rule H7).
const unfinishedName = configName + ".restoring"

// Run makes a gateway of a backup. Nothing of it leaves before a person resumes
// sending (rule H7). What fails leaves the directory as it was.
func (c restoreCommand) Run(ctx context.Context, w world) (err error) {
	m := &maker{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("restore %s: %w", c.File, err), m.undo())
		}
	}()
	sealed, err := os.Open(c.File)
	if err != nil {
		return pathless(err)
	}
	defer func() { _ = sealed.Close() }() // only read
	read := &tally{sum: sha256.New()}
	plain, err := openBackup(io.TeeReader(sealed, read), c.Identity)
	if err != nil {
		return err
	}
	if err := m.emptyDir(c.To); err != nil {
		return err
	}
	u, err := m.unlock(credential{fromFile, filepath.Join(c.To, "unlock")}, asker{})
	if err != nil {
		return err
	}
	head, err := m.unpack(plain, c.To, u)
	if err != nil {
		return err
	}
	from := mailflow.Backup{At: head.Taken, File: filepath.Base(c.File), SHA256: hex.EncodeToString(read.sum.Sum(nil)), Size: read.size, Head: head.Head}
	set, report, err := prepareRestored(ctx, c.To, from, u, w)
	if err == nil {
		err = m.finish(c.To)
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(w.out, c.report(set, head, report))
	return err
}

// finish gives the configuration its name.
func (m *maker) finish(dir string) error {
	path := filepath.Join(dir, configName)
	m.made = append(m.made, path)
	return errors.Join(os.Rename(filepath.Join(dir, unfinishedName), path), syncDir(dir))
}

// tally counts and digests what is read.
type tally struct {
	sum  hash.Hash
	size int64
}

func (t *tally) Write(b []byte) (int, error) {
	t.size += int64(len(b))
	return t.sum.Write(b)
}

// openBackup decrypts a backup with the identities of a file.
func openBackup(sealed io.Reader, identity string) (io.Reader, error) {
	text, err := os.ReadFile(identity)
	if err != nil {
		return nil, fmt.Errorf("read identity %s: %w", identity, pathless(err))
	}
	if bytes.HasPrefix(text, []byte("age-encryption.org/")) || bytes.HasPrefix(text, []byte("-----BEGIN AGE")) {
		return nil, fmt.Errorf("identity %s is itself encrypted: age --decrypt it, to a place in memory such as /dev/shm", identity)
	}
	ids, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("identity %s holds no AGE-SECRET-KEY-1… on a line of its own", identity)
	}
	plain, err := age.Decrypt(sealed, ids...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, fmt.Errorf("the key in %s does not open it", identity)
	}
	if err != nil {
		return nil, fmt.Errorf("it is no backup, or is damaged: %w", err)
	}
	return plain, nil
}

// emptyDir makes a directory, or takes one that is empty.
func (m *maker) emptyDir(path string) error {
	if err := m.dir(path); err != nil {
		return err
	}
	all, err := os.ReadDir(path)
	if err == nil && len(all) > 0 {
		return fmt.Errorf("%s is not empty: choose a new directory, so that nothing is mixed or written over", path)
	}
	return err
}

// unpack makes all files of a backup below dir.
func (m *maker) unpack(plain io.Reader, dir string, u store.Unlock) (head backupHead, err error) {
	r := tar.NewReader(plain)
	state := filepath.Join(dir, stateName)
	m.made = append(m.made, state)
	err = store.Restore(state, u, func() (string, io.Reader, error) {
		for {
			h, err := r.Next()
			if err != nil {
				return "", nil, err
			}
			if name, ok := strings.CutPrefix(h.Name, archiveState); ok {
				return name, r, nil
			}
			if err := m.beside(r, h.Name, dir, &head); err != nil {
				return "", nil, err
			}
		}
	})
	if err == nil {
		_, err = io.Copy(io.Discard, plain) // up to the end that age vouches for
	}
	if err == nil && head.Format == 0 {
		err = errors.New("its head is missing")
	}
	return head, err
}

// maxBeside bounds a file of the configuration in a backup, in bytes.
const maxBeside = 64 << 20

// beside takes a file of a backup that is none of the store.
func (m *maker) beside(r io.Reader, name, dir string, head *backupHead) error {
	data, err := io.ReadAll(io.LimitReader(r, maxBeside))
	if err != nil {
		return err
	}
	if name == archiveHead {
		if err := json.Unmarshal(data, head); err != nil {
			return fmt.Errorf("its head is damaged: %w", err)
		}
		if head.Format != archiveFormat {
			return fmt.Errorf("it is of a form that this version does not know (%d, made by %s)", head.Format, head.Version)
		}
		return nil
	}
	local, ok := strings.CutPrefix(name, archiveConfig)
	if !ok || !localName(local) || local == "unlock" || local == stateName || strings.HasPrefix(local, stateName+"/") {
		return fmt.Errorf("%q does not belong into a backup", name)
	}
	if local == configName {
		local, data = unfinishedName, placed(data)
	}
	path := filepath.Join(dir, filepath.FromSlash(local))
	if err := m.dir(filepath.Dir(path)); err != nil {
		return err
	}
	return m.file(path, data)
}

// What a restored configuration says of where the store is, and what opens it.
var (
	stateLine  = regexp.MustCompile(`(?m)^[ \t]*state_dir[ \t]*=.*$`)
	unlockLine = regexp.MustCompile(`(?m)^[ \t]*unlock[ \t]*=.*$`)
)

// placed lets a configuration name the restored store and its new credential. Both
// keys stand before the first table, if they stand there at all; their defaults
// are the same.
func placed(text []byte) []byte {
	top, rest := text, []byte(nil)
	if i := regexp.MustCompile(`(?m)^[ \t]*\[`).FindIndex(text); i != nil {
		top, rest = text[:i[0]], text[i[0]:]
	}
	top = stateLine.ReplaceAll(top, []byte("state_dir = "+tomlQuote(stateName)))
	top = unlockLine.ReplaceAll(top, []byte("unlock = "+tomlQuote("file:unlock")))
	return append(bytes.Clone(top), rest...)
}

// prepareRestored reads everything of the new store, and makes it send nothing by
// itself.
func prepareRestored(ctx context.Context, dir string, from mailflow.Backup, u store.Unlock, w world) (set *settings, report store.Report, err error) {
	if set, err = loadSettings(filepath.Join(dir, unfinishedName)); err != nil {
		return nil, report, err
	}
	if want := filepath.Join(dir, stateName); set.StateDir != want {
		return nil, report, fmt.Errorf("its configuration names the store %s, not %s", set.StateDir, want)
	}
	a, err := openApp(set, given{unlock: u, clock: mailflow.WallClock(), log: newLog(w.err, slog.LevelWarn)})
	if err != nil {
		return nil, report, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if report, err = a.store.Verify(ctx); err != nil {
		return nil, report, err
	}
	if len(report.Problems) > 0 {
		return nil, report, fmt.Errorf("the store in it is damaged: %s, the first: %s", count(len(report.Problems), "problem"), report.Problems[0])
	}
	return set, report, a.base.Restored(from)
}

// report says what was made and what to do next.
func (c restoreCommand) report(set *settings, head backupHead, r store.Report) string {
	path := filepath.Join(c.To, configName)
	return table([][]string{
		{"made", path},
		{"of", head.Taken.Format("Mon 2 Jan 2006, 15:04:05 MST")},
		{"holds", fmt.Sprintf("%s, %s, %s; all of it opens", count(int(r.Records), "record"), bodies(r.Bodies), count(int(head.Journal), "link")+" of the journal")},
		{"head", head.Head + ", of the journal as it was backed up"},
		{"unlock", set.Unlock.String() + ", a new one; keep a copy elsewhere"},
	}) + `
Sending is paused. What left after that instant is not known here, so what waited
is unknown, and what is overdue stands in Approvals. Codes that vendors used since
count again; mails that came since are lost. See that the old gateway does not run
any more, then:
  parley serve --config ` + path + `
  parley do --config ` + path + ` 'sending resume'
`
}

func bodies(n uint64) string {
	if n == 1 {
		return "1 body"
	}
	return fmt.Sprintf("%d bodies", n)
}

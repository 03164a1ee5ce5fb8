package mailflow

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// exportOrder is a case that is to be written into a file once the commands
// are committed: nothing is encrypted, and no file written, inside of their
// transaction.
type exportOrder struct {
	Case cvd.CaseID
	Path string
	To   string // who can open it, in words
	Cert *keyring.Certificate
	Age  age.Recipient
}

// caseExport is `export case FILE [to COORDINATOR|age1…]`: all that is known of
// a case, in one archive that only the recipient can open; without one, whoever
// answers for the case. It writes a file on the server, which no mail may ask
// for.
func caseExport(s *sitting, p *phrase) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	if s.by.Via != ViaOperator {
		return "", notDone("a mail writes no files on the server; ask the operator to give the command there:\n    parley do 'case %s' 'export case FILE to %s' --config FILE", c.ID, s.by.Name)
	}
	path, err := p.next("the name of the file")
	if err != nil {
		return "", err
	}
	to := c.Responsible
	if p.word("to") {
		if to, err = p.next("to whom it is sealed: a coordinator, or age1...,"); err != nil {
			return "", err
		}
	}
	if err := p.end(); err != nil {
		return "", err
	}
	if slices.ContainsFunc(s.orders, func(o order) bool { return o.command.words != "case" && o.command.words != "export case" }) || len(s.exports) > 0 {
		return "", notDone("an export stands by itself, after `case TAG`: a file that was written cannot be taken back with the other lines")
	}
	o := exportOrder{Case: c.ID, Path: path}
	if err := s.sealExportTo(&o, c, to); err != nil {
		return "", err
	}
	if err := mayCreate(path); err != nil {
		return "", err
	}
	s.exports = append(s.exports, o)
	return fmt.Sprintf("%s is written to %s, sealed to %s; nobody else can open it", c.ID, path, o.To), nil
}

// sealExportTo finds who an archive is encrypted to.
func (s *sitting) sealExportTo(o *exportOrder, c cvd.Case, to string) error {
	if to == "" {
		return notDone("to whom the archive is sealed is missing, since nobody answers for %s; nothing of a case lies in clear on a disk. Say `to COORDINATOR`, or `to age1...`", c.ID)
	}
	if strings.HasPrefix(strings.ToLower(to), "age1") {
		r, err := age.ParseX25519Recipient(strings.ToLower(to))
		if err != nil {
			return notDone("%q is no age recipient: %v", to, err)
		}
		o.Age, o.To = r, r.String()
		return nil
	}
	who, err := s.coordinatorNamed(to)
	if err != nil {
		return err
	}
	if !maySee(c, who.Name) {
		return notDone("%s may not see %s, which is restricted to %s", who.Name, c.ID, strings.Join(c.Restricted, ", "))
	}
	certs, err := keyring.ParseCertificates(who.Key)
	if err != nil || len(certs) != 1 || certs[0].EncryptsTo(s.tx.Now) == "" {
		return notDone("no key of %s that can be encrypted to is on file; add one (parley coordinator add %s --key FILE), or say `to age1...`", who.Name, who.Name)
	}
	o.Cert, o.To = certs[0], fmt.Sprintf("%s (%s)", who.Name, certs[0].Fingerprint().Spaced())
	return nil
}

// mayCreate refuses a file that cannot be made.
func mayCreate(path string) error {
	if !filepath.IsAbs(path) {
		return notDone("%q does not say where it is; give the whole path, such as /root/%s, since the daemon stands elsewhere than you", path, filepath.Base(path))
	}
	if _, err := os.Lstat(path); err == nil {
		return notDone("%s is there already, and is not written over; choose another name", path)
	}
	if dir, err := os.Stat(filepath.Dir(path)); err != nil || !dir.IsDir() {
		return notDone("there is no folder %s that the daemon can see; make it, or choose another", filepath.Dir(path))
	}
	return nil
}

// writeExport writes one archive. What fails leaves no file.
func (d *Desk) writeExport(o exportOrder, by Actor) (err error) {
	f, err := os.OpenFile(o.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("create the archive: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(o.Path))
		}
	}()
	if err := errors.Join(d.sealExport(f, o), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	return d.Store.Update(func(tx *store.Tx) error { return exported(tx, o, by) })
}

// sealExport encrypts the archive as it is made; no byte of it is in clear on
// a disk (rule H4).
func (d *Desk) sealExport(w io.Writer, o exportOrder) error {
	return d.Store.View(func(tx *store.Tx) error {
		if o.Age != nil {
			sealed, err := age.Encrypt(w, o.Age)
			if err != nil {
				return err
			}
			if err := d.archive(tx, o.Case, sealed); err != nil {
				return err
			}
			return sealed.Close()
		}
		var n counter // OpenPGP wants to know the size before
		if err := d.archive(tx, o.Case, &n); err != nil {
			return err
		}
		r, out := io.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			out.CloseWithError(guarded(func() error { return d.archive(tx, o.Case, out) }))
		}()
		defer func() {
			r.Close() // ends the other side, too, which must not read on when the transaction is over
			<-done
		}()
		return keyring.EncryptTo(w, r, int64(n), []*keyring.Certificate{o.Cert}, d.signer(), tx.Now)
	})
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// zipTime is the time of every file of an archive, so that two archives of the
// same state are the same; that of a zip begins in 1980.
var zipTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

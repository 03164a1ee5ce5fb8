// Command fill files the mails of a Maildir in a folder of a gateway that is
// not running, for measuring: 100,000 take seconds, where a client that
// appends them would take minutes. What carries an S among its flags is seen
// by the coordinator named.
//
//	go run ./testdata/fill -dir GATEWAY -maildir MAILDIR [-folder Intake] [-seen ana]
//
// GATEWAY is a directory that `parley init` made, with a coordinator added.
package main

import (
	"bytes"
	"encoding/base32"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"parley/mailflow"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

func main() {
	dir := flag.String("dir", "", "directory of the gateway")
	maildir := flag.String("maildir", "", "Maildir with the mails, in its cur")
	folder := flag.String("folder", "Intake", "folder of the desk to file them in")
	seen := flag.String("seen", "ana", "coordinator for whom the mails with the flag S are seen")
	flag.Parse()
	if err := fill(*dir, *maildir, *folder, *seen); err != nil {
		fmt.Fprintln(os.Stderr, "fill:", err)
		os.Exit(1)
	}
}

func fill(dir, maildir, folder, seen string) (err error) {
	unlock, err := credential(filepath.Join(dir, "unlock"))
	if err != nil {
		return err
	}
	paths, err := filepath.Glob(filepath.Join(maildir, "cur", "*"))
	if err != nil {
		return err
	}
	slices.Sort(paths)
	st, err := store.Open(store.Options{Dir: filepath.Join(dir, "state"), Unlock: unlock, Now: time.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	begun := time.Now()
	const atOnce = 2000
	for some := range slices.Chunk(paths, atOnce) {
		if err := file(st, some, folder, seen); err != nil {
			return err
		}
	}
	fmt.Printf("%d mails in %s in %s\n", len(paths), folder, time.Since(begun).Round(time.Millisecond))
	return nil
}

// credential reads the file that init wrote: a random key in base 32.
func credential(path string) (store.Unlock, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return store.Unlock{}, err
	}
	word := strings.ToUpper(strings.TrimSpace(string(text)))
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(word[strings.LastIndexByte(word, '-')+1:])
	if err != nil {
		return store.Unlock{}, fmt.Errorf("%s: %w", path, err)
	}
	return store.UnlockKey(key), nil
}

// read is a mail that is ready to be filed.
type read struct {
	draft *store.Draft
	mail  store.Message
	seen  bool
}

func file(st *store.Store, paths []string, folder, seen string) error {
	var mails []read
	for _, path := range paths {
		m, err := open(st, path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		mails = append(mails, m)
	}
	return st.Update(func(tx *store.Tx) error {
		box, err := tx.MailboxNamed("", folder)
		if err != nil {
			return err
		}
		var read []uint32
		for _, m := range mails {
			uid, err := put(tx, box, m)
			if err != nil {
				return err
			}
			if m.seen {
				read = append(read, uid)
			}
		}
		return tx.Mark(box.Number, seen, read, 0, store.MarkSeen)
	})
}

func open(st *store.Store, path string) (m read, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return m, err
	}
	raw = bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	tree, err := message.Parse(raw, message.DefaultLimits())
	if err != nil {
		return m, err
	}
	m.mail = store.Message{Scope: mailflow.DeskScope, At: info.ModTime().UTC(), Direction: "in", Envelope: tree.Envelope(), Structure: tree.Structure()}
	_, flags, _ := strings.Cut(filepath.Base(path), ":2,")
	m.seen = strings.Contains(flags, "S")
	m.draft, err = st.SealBytes(raw)
	return m, err
}

func put(tx *store.Tx, box store.Mailbox, m read) (uint32, error) {
	mail := m.mail
	var err error
	if mail.Served, err = tx.Keep(m.draft); err != nil {
		return 0, err
	}
	if mail, err = tx.PutMessage(mail); err != nil {
		return 0, err
	}
	return tx.File(box.Number, mail.ID)
}

package main

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"parley/mailflow/store"
)

// credential says where a secret is to be read when it is needed: the one
// that opens the store, or the smarthost's password.
type credential struct {
	kind  credentialKind
	value string // path or name
}

type credentialKind string

const (
	fromFile    credentialKind = "file"       // a file, mode 0600 or narrower
	fromSystemd credentialKind = "credential" // a file in $CREDENTIALS_DIRECTORY (systemd.exec, LoadCredential)
	fromEnv     credentialKind = "env"        // an environment variable
	fromPrompt  credentialKind = "prompt"     // asked at the terminal
)

// maxCredential bounds what is read as a secret, in bytes.
const maxCredential = 4096

// parseCredential reads file:PATH, credential:NAME, env:NAME or prompt:.
func parseCredential(s string, resolve func(string) string) (credential, error) {
	kind, value, ok := strings.Cut(s, ":")
	c := credential{credentialKind(kind), value}
	switch {
	case ok && c.kind == fromFile && value != "":
		c.value = resolve(value)
		return c, nil
	case ok && c.kind == fromSystemd && value != "" && filepath.Base(value) == value,
		ok && c.kind == fromEnv && value != "",
		ok && c.kind == fromPrompt && value == "":
		return c, nil
	}
	return credential{}, errors.New("it can be prompt:, file:PATH, credential:NAME or env:NAME")
}

func (c credential) String() string { return string(c.kind) + ":" + c.value }

// read fetches the secret, without the line end that an editor left. Messages
// name where it is and never what it says.
func (c credential) read(ask func() ([]byte, error)) ([]byte, error) {
	data, err := c.fetch(ask)
	if err != nil {
		return nil, fmt.Errorf("read secret %s: %w", c, err)
	}
	data = []byte(strings.TrimRight(string(data), "\r\n"))
	if len(data) == 0 {
		return nil, fmt.Errorf("read secret %s: it is empty", c)
	}
	return data, nil
}

func (c credential) fetch(ask func() ([]byte, error)) ([]byte, error) {
	switch c.kind {
	case fromFile:
		return readSecretFile(c.value)
	case fromSystemd:
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return nil, errors.New("CREDENTIALS_DIRECTORY is not set: systemd sets it for a unit that has LoadCredential")
		}
		return readLimited(filepath.Join(dir, c.value))
	case fromEnv:
		v, ok := os.LookupEnv(c.value)
		if !ok {
			return nil, errors.New("the variable is not set")
		}
		return []byte(v), nil
	}
	return ask()
}

// readSecretFile refuses a file that others than its owner may read (rule H5).
func readSecretFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, pathless(err)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return nil, fmt.Errorf("it is open to others (mode %04o): chmod 600 %s", perm, path)
	}
	return readLimited(path)
}

func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, pathless(err)
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, maxCredential+1))
	if err == nil && len(data) > maxCredential {
		err = fmt.Errorf("it is longer than %d bytes", maxCredential)
	}
	return data, err
}

// pathless drops the path that a message names already.
func pathless(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// unlockPrefix marks a random key in text. Anything else is a passphrase.
const unlockPrefix = "PARLEY-UNLOCK-"

var unlockText = base32.StdEncoding.WithPadding(base32.NoPadding)

// newUnlockText makes a random key of 32 bytes, written as text.
func newUnlockText() string {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails (crypto/rand)
	return unlockPrefix + unlockText.EncodeToString(key[:])
}

// parseUnlock turns a secret into what opens a store (rule H2).
func parseUnlock(text []byte) (store.Unlock, error) {
	rest, ok := strings.CutPrefix(strings.ToUpper(strings.TrimSpace(string(text))), unlockPrefix)
	if !ok {
		return store.UnlockPassphrase(text), nil
	}
	key, err := unlockText.DecodeString(rest)
	if err != nil || len(key) != 32 {
		return store.Unlock{}, fmt.Errorf("the key after %s is damaged: it has 52 letters and digits", unlockPrefix)
	}
	return store.UnlockKey(key), nil
}

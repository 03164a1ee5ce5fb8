package main

import (
	"fmt"
	"io"
	"os"
)

type checkCommand struct{ configFlag }

// Run reads the configuration and the files that it names, as serve does
// before it opens the store.
func (c checkCommand) Run(w world) error {
	set, err := loadSettings(c.Config)
	if err != nil {
		return err
	}
	set.printWarnings(w.err)
	if _, err := set.tls(); err != nil {
		return err
	}
	if set.Unlock.kind == fromFile {
		if _, err := set.unlock(w.asker()); err != nil {
			return err
		}
	}
	for i, h := range set.Smarthosts {
		if h.Password != nil && h.Password.kind != fromFile {
			h.Password = nil // what the service manager gives is not here
		}
		if _, err := h.courier(); err != nil {
			return fmt.Errorf("prepare %s: %w", set.nameOf(i), err)
		}
	}
	if _, err := set.words(); err != nil {
		return err
	}
	if _, err := set.Discovery.client(); err != nil {
		return err
	}
	if info, err := os.Stat(set.StateDir); err == nil && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("the state directory %s is open to others (mode %04o): chmod 700 %s", set.StateDir, info.Mode().Perm(), set.StateDir)
	}
	_, err = fmt.Fprintf(w.out, "%s is sound: %s, %d policies\n", c.Config, set.Domain, len(set.Policies))
	return err
}

// printWarnings says what is allowed and rarely meant.
func (s *settings) printWarnings(to io.Writer) {
	for _, warning := range s.Warnings {
		_, _ = fmt.Fprintf(to, "parley: warning: %v\n", warning)
	}
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A part is a file under way: it has its name with .part behind until it is whole. Whoever makes it holds its lock (flock(2)),
// so that a second one is refused, and what a killed one left is taken over. A process that has the file open besides, as
// the daemon does, holds the lock with us.
type part struct {
	file *os.File
	name string // that it gets
}

// newPart begins a file that is not there yet.
func newPart(name string) (*part, error) {
	f, err := os.OpenFile(name+".part", os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	p := &part{f, name}
	if err := p.begin(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return p, nil
}

func (p *part) begin() error {
	err := syscall.Flock(int(p.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || err == nil && !p.named() {
		return fmt.Errorf("%s is being made by another backup right now: choose another name, or wait", p.name)
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", p.file.Name(), err)
	}
	if err := p.free(); err != nil {
		return errors.Join(err, os.Remove(p.file.Name()))
	}
	return errors.Join(p.file.Truncate(0), p.file.Chmod(0o600))
}

// named says that the file which is locked has the name: whoever held the lock before may have renamed or removed it.
func (p *part) named() bool {
	locked, err := p.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(p.file.Name())
	return err == nil && os.SameFile(locked, there)
}

// free says that nothing has the name that the file gets.
func (p *part) free() error {
	if _, err := os.Lstat(p.name); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already, and is not written over: choose another name", p.name)
	}
	return nil
}

// keep gives the file its name.
func (p *part) keep() error {
	if err := p.free(); err != nil {
		return errors.Join(err, p.drop())
	}
	return errors.Join(os.Rename(p.file.Name(), p.name), syncDir(filepath.Dir(p.name)), p.file.Close())
}

// drop removes it.
func (p *part) drop() error { return errors.Join(os.Remove(p.file.Name()), p.file.Close()) }

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

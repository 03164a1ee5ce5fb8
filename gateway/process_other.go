//go:build !linux

package main

import "syscall"

// harden sets what is portable: new files are private.
func harden() error {
	syscall.Umask(0o077)
	return nil
}

// becomeOwner changes nothing here: start the gateway as the owner of its
// state directory.
func becomeOwner(string) error { return nil }

//go:build !linux

package store

import "os"

// fdatasync is an fsync, which here is all that there is.
func fdatasync(f *os.File) error { return f.Sync() }

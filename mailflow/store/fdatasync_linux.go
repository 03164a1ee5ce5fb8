package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// fdatasync is an fsync of a file's data, and of its size where that changed.
func fdatasync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

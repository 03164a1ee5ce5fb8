package faults

import (
	"testing"

	"golang.org/x/sys/unix"
)

// limitFiles says how large files of the running gateway may be; less than zero is as large as they like.
func (g *gateway) limitFiles(t *testing.T, size int64) {
	t.Helper()
	limit := unix.Rlimit{Cur: uint64(size), Max: unix.RLIM_INFINITY}
	if size < 0 {
		limit.Cur = unix.RLIM_INFINITY
	}
	must(t, unix.Prlimit(g.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil))
}

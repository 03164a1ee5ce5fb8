package main

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// harden keeps what the process knows out of core dumps and away from
// debuggers of the same user, and what it writes away from other users
// (rules H4, H5).
func harden() error {
	unix.Umask(0o077)
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid memory dumps: %w", err)
	}
	return nil
}

// becomeOwner gives up root for the owner of the state directory. Whoever is
// neither is refused: what it wrote, the owner could not read (rule H5).
func becomeOwner(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the state directory: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	own := os.Geteuid()
	switch {
	case !ok || int(st.Uid) == own:
		return nil
	case own != 0:
		return fmt.Errorf("the state directory %s belongs to uid %d: run this as that user", dir, st.Uid)
	}
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("give up the groups of root: %w", err)
	}
	if err := syscall.Setresgid(int(st.Gid), int(st.Gid), int(st.Gid)); err != nil {
		return fmt.Errorf("become gid %d: %w", st.Gid, err)
	}
	if err := syscall.Setresuid(int(st.Uid), int(st.Uid), int(st.Uid)); err != nil {
		return fmt.Errorf("become uid %d: %w", st.Uid, err)
	}
	return harden() // the kernel forgets "not dumpable" at such a change
}

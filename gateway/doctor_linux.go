package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// freeBytes is what somebody who is not root can still write to the file system of a
// directory, in bytes (statfs(2)).
func freeBytes(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// sameDisk says whether two files lie on one file system.
func sameDisk(a, b string) (bool, error) {
	var dev [2]uint64
	for i, path := range []string{a, b} {
		info, err := os.Stat(path)
		if err != nil {
			return false, err
		}
		dev[i] = info.Sys().(*syscall.Stat_t).Dev
	}
	return dev[0] == dev[1], nil
}

// examineClock asks the kernel whether somebody keeps the clock right (adjtimex(2)):
// every date rests on it.
func examineClock() finding {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return finding{later, "whether the clock is kept right cannot be seen: " + err.Error(), ""}
	}
	if state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0 {
		return finding{later, "nobody keeps the clock of this machine right, and every date rests on it", "run an NTP client, such as chrony or systemd-timesyncd"}
	}
	return finding{fine, "the clock is kept right", ""}
}

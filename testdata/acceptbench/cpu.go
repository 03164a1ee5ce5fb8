package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// tick is the unit of times in /proc (USER_HZ, which Linux shows as 100 everywhere).
const tick = 10 * time.Millisecond

// cpuTime is what a process and all that it started have used, those that ended included.
func cpuTime(root int) (time.Duration, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	children, used := map[int][]int{}, map[int]int{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it just ended
		}
		var pid, parent, skip, user, system, waitedUser, waitedSystem int
		var state string
		head, rest, _ := strings.Cut(string(text), " (")
		rest = rest[strings.LastIndex(rest, ")")+1:] // a name may hold anything
		if _, err := fmt.Sscan(head, &pid); err != nil {
			return 0, fmt.Errorf("read %s: %w", path, err)
		}
		if _, err := fmt.Sscan(rest, &state, &parent, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &skip, &user, &system, &waitedUser, &waitedSystem); err != nil {
			return 0, fmt.Errorf("read %s: %w", path, err)
		}
		children[parent] = append(children[parent], pid)
		used[pid] = user + system + waitedUser + waitedSystem
	}
	sum := 0
	for found := []int{root}; len(found) > 0; {
		pid := found[0]
		sum += used[pid]
		found = append(found[1:], children[pid]...)
	}
	return time.Duration(sum) * tick, nil
}

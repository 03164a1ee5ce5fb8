// Package cores says how many processors there are to compute on, and gives the runtime
// threads beside them for who waits for the disk.
package cores

import (
	"os"
	"runtime"
)

// processors are what the runtime found at the start: those of the machine, fewer where
// a cgroup or GOMAXPROCS says so.
var processors = runtime.GOMAXPROCS(0)

// Count is how many things are worth computing at once, whatever Spare did.
func Count() int { return processors }

// waiting is how many goroutines are in an fsync at once: who appends what comes in,
// and who commits the tree.
const waiting = 2

// Spare lets Go code run on two threads more than there are processors. A goroutine that
// waits in an fsync keeps its place to run until the runtime, which looks now and then,
// takes it away: with two processors, half of the program stands still meanwhile. It
// does nothing where GOMAXPROCS is set in the environment.
func Spare() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(processors + waiting)
	}
}

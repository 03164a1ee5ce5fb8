//go:build !faults

package broken

import "time"

// Is says whether a promise is broken: never.
func Is(Promise) bool { return false }

// Clock is what the wall clock shows: the instant itself.
func Clock(at time.Time) time.Time { return at }

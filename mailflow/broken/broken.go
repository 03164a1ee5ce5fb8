// Package broken holds the controls of `make faults`: a build with the tag faults breaks one promise where the environment asks
// for it, so that a test of that promise can be seen to find it. Any other build breaks none, and reads no environment for it.
package broken

import "time"

// Lazy is how much later than its 250 a mail is kept where AnswerFirst is broken: appending is so fast that few kills would come
// between.
const Lazy = 20 * time.Millisecond

// A Promise is one that can be broken on purpose.
type Promise string

const (
	// AnswerFirst says 250 to a mail before it is on the disk (rule T1).
	AnswerFirst Promise = "answer-first"
	// ForgetErrors takes a commit that failed for one that did not (rule T1).
	ForgetErrors Promise = "forget-errors"
	// NoSync commits without fsync (rule T1).
	NoSync Promise = "no-sync"
	// AgainByItself tries a mail again of which nobody knows whether it arrived (rule T3).
	AgainByItself Promise = "again-by-itself"
	// Early lets notices go an hour before they are due (rule T5).
	Early Promise = "early"
	// BlindToClock does not see that the clock jumped (rule T5).
	BlindToClock Promise = "blind-to-clock"
)

package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/mailtest"
)

// Rush is a gateway in which a rush of mail, once it began, goes on as long as the clock of
// its machine stands still: for tests that need a port, and so stand outside of the package.
type Rush struct {
	*Intake
	Wall, Machine *mailtest.Clock
	w             *world
}

// What a rush is.
const (
	RushMails   = rushMails
	RushSpan    = rushSpan
	FiledWithin = filedWithin
)

func NewRush(t testing.TB) *Rush {
	w := newWorld(t)
	return &Rush{Intake: w.intake, Wall: w.clock, Machine: w.paced(), w: w}
}

// Filed are the Subjects of the reports in Intake, as they came.
func (r *Rush) Filed() []string {
	all := r.w.subjects("Intake")
	for i, s := range all {
		_, all[i], _ = strings.Cut(s, "] ") // "#1 [CLEAR] "
	}
	return all
}

// Left is how many mails are in the spool.
func (r *Rush) Left() int { return r.w.waiting() }

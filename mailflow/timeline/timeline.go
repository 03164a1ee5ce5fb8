// Package timeline draws the picture in a case file: who knew how much, from
// when on. One line a participant, from the start of the case to its end; what
// it knows is a bar that grows darker with each stage and carries the stage's
// number. What is still to come is thin and hollow, what is stopped is hatched
// and has a mark, so that nothing is said by colour alone.
//
// The picture is a PNG of at most 256 colours with 1280 pixels across: twice
// what a mail window shows, so that it is sharp on fine screens. The same
// values give the same bytes. It names participants by the desk's own names
// and is for coordinators alone.
package timeline

import (
	"bytes"
	"fmt"
	"image/png"
	"slices"
	"time"
)

// State is how far something on a line is.
type State int

// States of a step.
const (
	Planned State = iota // to come
	Done                 // it has gone
	Stopped              // held, refused, or nobody knows whether it arrived
)

// Step is a stage of one participant or of the case.
type Step struct {
	At     time.Time
	Number int // of the stage, from 1
	Name   string
	State  State
}

// Lane is what one participant learns when, in order of time.
type Lane struct {
	Name  string
	Steps []Step
}

// Picture is a case between its start and its end.
type Picture struct {
	Start, End, Now time.Time
	Stages          []Step // of the case: the dates that the policy gives
	Lanes           []Lane
}

// MostLanes is how many participants a picture shows; a line at the foot says
// how many there are beside them.
const MostLanes = 8

// Draw gives the picture as a PNG. A picture whose end does not lie after its
// start has no line to draw, and is an error.
func (p Picture) Draw() ([]byte, error) {
	if p.Start.IsZero() || !p.End.After(p.Start) {
		return nil, fmt.Errorf("draw timeline: it ends at %s and starts at %s", p.End.Format(time.RFC3339), p.Start.Format(time.RFC3339))
	}
	l, err := p.layOut()
	if err != nil {
		return nil, err
	}
	defer l.close()
	l.draw()
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: png.DefaultCompression}
	if err := e.Encode(&b, l.paletted()); err != nil {
		return nil, fmt.Errorf("draw timeline: %w", err)
	}
	return b.Bytes(), nil
}

// shown are the lanes that the picture has room for, those with something
// stopped before the others, and how many are left out.
func (p Picture) shown() (lanes []Lane, more int) {
	lanes = slices.Clone(p.Lanes)
	if len(lanes) <= MostLanes {
		return lanes, 0
	}
	slices.SortStableFunc(lanes, func(a, b Lane) int { return b.stopped() - a.stopped() })
	return lanes[:MostLanes], len(lanes) - MostLanes
}

// stopped is 1 where something of the lane is stopped.
func (l Lane) stopped() int {
	if slices.ContainsFunc(l.Steps, func(s Step) bool { return s.State == Stopped }) {
		return 1
	}
	return 0
}

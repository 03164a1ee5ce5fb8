package timeline

import (
	"fmt"
	"image"
	"slices"
	"strconv"

	"golang.org/x/image/font"
)

// leastForNumber is how wide a piece of a bar is that has room for a number.
const leastForNumber = 22

// lane draws what one participant knows and will know: up to today in full,
// after it thin.
func (l *layout) lane(lane Lane, top int) {
	middle := top + laneHigh/2
	l.write(l.plain, image.Pt(margin, middle+8), shorten(l.plain, lane.Name, nameWidth), ink)
	l.fill(image.Rect(lineFrom, middle, lineTo, middle+2), faint)
	steps := slices.Clone(lane.Steps)
	slices.SortStableFunc(steps, func(a, b Step) int { return a.At.Compare(b.At) })
	for i, s := range steps {
		next, until := l.Now, lineTo
		if i+1 < len(steps) {
			until = l.x(steps[i+1].At)
			if steps[i+1].State == Done {
				next = steps[i+1].At
			}
		}
		from := l.x(s.At)
		if !s.At.Before(l.End) {
			until = lineTo + public
		}
		switch s.State {
		case Done:
			to := l.x(next)
			if !s.At.Before(l.End) {
				to = until
			}
			l.known(from, to, s.Number, middle)
		case Planned:
			l.coming(from, until, s.Number, middle)
		case Stopped:
			l.stopped(from, until, s.Number, middle)
		}
	}
}

// known draws a stage that has gone: in full up to the next that has gone, or
// to today.
func (l *layout) known(from, to, number, middle int) {
	ground, on := shade(number)
	bar := image.Rect(from, middle-barHigh/2, max(to, from+6), middle+barHigh/2)
	l.fill(bar, ground)
	l.frame(bar, 1, shades[len(shades)-2])
	if bar.Dx() >= leastForNumber {
		text := strconv.Itoa(number)
		l.write(l.bold, image.Pt(bar.Min.X+(min(bar.Dx(), 40)-measure(l.bold, text))/2, middle+8), text, on)
	}
}

// coming draws a stage that is planned: thin and hollow.
func (l *layout) coming(from, to, number, middle int) {
	bar := image.Rect(from, middle-thinHigh/2, max(to, from+6), middle+thinHigh/2)
	l.fill(bar, paper)
	l.frame(bar, 2, shades[len(shades)-2])
	text := strconv.Itoa(number)
	if wide := measure(l.plain, text); number > 0 && bar.Dx() >= leastForNumber+8 {
		l.fill(image.Rect(bar.Min.X+8, bar.Min.Y-4, bar.Min.X+16+wide, bar.Max.Y+4), paper)
		l.write(l.plain, image.Pt(bar.Min.X+12, middle+8), text, shades[len(shades)-2])
	}
}

// stopped draws a stage that does not go: hatched, with a mark where it should
// have gone.
func (l *layout) stopped(from, to, number, middle int) {
	bar := image.Rect(from, middle-thinHigh/2, max(to, from+6), middle+thinHigh/2)
	l.fill(bar, paper)
	l.hatch(bar, alarm)
	l.frame(bar, 2, alarm)
	l.diamond(image.Pt(from, middle), 15, alarm)
	l.write(l.bold, image.Pt(from-measure(l.bold, "!")/2, middle+8), "!", paper)
	if text := strconv.Itoa(number); number > 0 && bar.Dx() >= leastForNumber+40 {
		l.fill(image.Rect(from+20, bar.Min.Y-4, from+30+measure(l.plain, text), bar.Max.Y+4), paper)
		l.write(l.plain, image.Pt(from+25, middle+8), text, alarm)
	}
}

// foot says what the signs mean.
func (l *layout) foot() {
	y := l.bottom + 70
	x := margin
	say := func(text string) {
		l.write(l.plain, image.Pt(x, y+8), text, quiet)
		x += measure(l.plain, text) + 36
	}
	ground, _ := shade(4)
	l.fill(image.Rect(x, y-barHigh/2, x+44, y+barHigh/2), ground)
	x += 56
	say("told; the darker, the more")
	l.coming(x, x+44, 0, y)
	x += 56
	say("planned")
	l.stopped(x+14, x+58, 0, y)
	x += 72
	say("stopped")
	if l.more > 0 {
		text := fmt.Sprintf("and %d more, see the table", l.more)
		l.write(l.bold, image.Pt(width-margin-measure(l.bold, text), y+8), text, ink)
	}
}

// shorten cuts a name to a width; two dots say that it was longer.
func shorten(f font.Face, s string, most int) string {
	if measure(f, s) <= most {
		return s
	}
	r := []rune(s)
	for len(r) > 1 && measure(f, string(r)+"..") > most {
		r = r[:len(r)-1]
	}
	return string(r) + ".."
}

package timeline

import (
	"fmt"
	"image"
	"time"
)

// Measures, in pixels.
const (
	width     = 1280
	margin    = 32
	lineFrom  = 252         // where the start stands
	lineTo    = width - 188 // where the end stands; the last label has its room behind it
	public    = 44          // what is known after the end
	tier      = 32          // one row of labels over the lines
	laneHigh  = 44
	barHigh   = 30 // of what is known
	thinHigh  = 14 // of what is to come
	footHigh  = 92
	labelGap  = 14
	stemGap   = 6 // between a stem and its label
	nameWidth = lineFrom - margin - 20
)

// label is a word over the lines, at the instant that it names.
type label struct {
	x, tier int
	text    string
}

// layout is a picture on its way onto a canvas.
type layout struct {
	*canvas
	Picture
	lanes  []Lane
	more   int
	labels []label
	top    int // of the first lane
	bottom int // of the last one
}

func (p Picture) layOut() (*layout, error) {
	l := &layout{Picture: p}
	l.lanes, l.more = p.shown()
	measures, err := newCanvas(1, 1)
	if err != nil {
		return nil, err
	}
	tiers := l.placeLabels(measures)
	measures.close()
	l.top = margin + tiers*tier + 14
	l.bottom = l.top + max(len(l.lanes), 1)*laneHigh
	l.canvas, err = newCanvas(width, l.bottom+footHigh+margin/2)
	return l, err
}

// x is where an instant stands on the line; what lies before the start or
// after the end stands there.
func (l *layout) x(at time.Time) int {
	done := float64(at.Sub(l.Start)) / float64(l.End.Sub(l.Start))
	return lineFrom + int(min(max(done, 0), 1)*float64(lineTo-lineFrom)+0.5)
}

// placeLabels finds a row for each stage of the case, so that none covers
// another or the stem that leads down from it, and gives the number of rows.
// Stages that come one day after the other stand below each other.
func (l *layout) placeLabels(c *canvas) int {
	rows := 1
	for i, s := range l.Stages {
		text := fmt.Sprintf("%d %s %s", s.Number, s.Name, s.At.UTC().Format("2 Jan"))
		if i > 0 && s.At.Equal(l.Stages[i-1].At) {
			text = fmt.Sprintf("%d %s", s.Number, s.Name)
		}
		b := label{x: l.x(s.At), text: text}
		for _, before := range l.labels {
			if before.x+stemGap+measure(c.plain, before.text)+labelGap > b.x {
				b.tier = max(b.tier, before.tier+1)
			}
		}
		rows = max(rows, b.tier+1)
		l.labels = append(l.labels, b)
	}
	return rows
}

func (l *layout) draw() {
	l.grid()
	for i, lane := range l.lanes {
		l.lane(lane, l.top+i*laneHigh)
	}
	if len(l.lanes) == 0 {
		l.write(l.plain, image.Pt(lineFrom+10, l.top+laneHigh/2+8), "no vendor takes part yet", quiet)
	}
	l.head()
	l.now()
	l.foot()
}

// grid draws the months behind everything, and what they are called below.
func (l *layout) grid() {
	l.fill(image.Rect(lineFrom, l.bottom, lineTo, l.bottom+2), quiet)
	last, from, to := -1000, 0, 0
	if l.inside() {
		from, to, _ = l.nowText()
	}
	for _, t := range l.ticks() {
		x := l.x(t.at)
		l.fill(image.Rect(x, l.top-6, x+2, l.bottom+8), faint)
		l.fill(image.Rect(x, l.bottom, x+2, l.bottom+8), quiet)
		wide := measure(l.plain, t.text)
		if apart := x+wide+labelGap < from || x > to+labelGap; x-last > labelGap && apart {
			l.write(l.plain, image.Pt(x, l.bottom+30), t.text, quiet)
			last = x + wide
		}
	}
}

// tick is a date below the lines.
type tick struct {
	at   time.Time
	text string
}

// ticks are the first of each month, or of a short case Mondays, or days.
func (l *layout) ticks() []tick {
	span := l.End.Sub(l.Start)
	day := time.Date(l.Start.UTC().Year(), l.Start.UTC().Month(), l.Start.UTC().Day(), 0, 0, 0, 0, time.UTC)
	out := []tick{{l.Start, l.Start.UTC().Format("2 Jan")}}
	for range 800 {
		day = day.AddDate(0, 0, 1)
		if !day.Before(l.End) {
			break
		}
		switch {
		case day.Day() == 1 && span > 70*24*time.Hour:
			out = append(out, tick{day, day.Format("Jan")})
		case day.Weekday() == time.Monday && span <= 70*24*time.Hour && span > 14*24*time.Hour, span <= 14*24*time.Hour:
			out = append(out, tick{day, day.Format("2 Jan")})
		}
	}
	return out
}

// head writes the stages of the case over the lines, each on a stem that leads
// to its date.
func (l *layout) head() {
	for i, b := range l.labels {
		base := margin + b.tier*tier + textSize
		l.fill(image.Rect(b.x-1, base-16, b.x+1, l.top-2), quiet)
		if s := l.Stages[i]; s.State == Done {
			l.fill(image.Rect(b.x-3, l.top-8, b.x+3, l.top-2), ink)
		}
		l.write(l.plain, image.Pt(b.x+stemGap, base), b.text, ink)
	}
}

// inside says whether today lies between the start and the end.
func (l *layout) inside() bool { return !l.Now.Before(l.Start) && !l.Now.After(l.End) }

// nowText is what stands below the line of today, and from where to where.
func (l *layout) nowText() (from, to int, text string) {
	text = "today " + l.Now.UTC().Format("2 Jan")
	from = l.x(l.Now) - 8
	return from, from + measure(l.bold, text), text
}

// now marks today with a line through all lanes and a name below.
func (l *layout) now() {
	if !l.inside() {
		return
	}
	x := l.x(l.Now)
	l.fill(image.Rect(x-1, l.top-6, x+2, l.bottom+8), today)
	l.pointer(image.Pt(x, l.top-2), 9, today)
	from, _, text := l.nowText()
	l.write(l.bold, image.Pt(from, l.bottom+30), text, today)
}

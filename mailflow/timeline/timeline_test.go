package timeline

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"strings"
	"testing"
	"time"
)

const day = 24 * time.Hour

var start = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// story is a case of 90 days on its twelfth.
func story() Picture {
	end := start.Add(90 * day)
	names := []string{"heads-up", "scope", "details", "proof", "advisory", "public"}
	at := []time.Time{start, start.Add(day), start.Add(3 * day), start.Add(14 * day), end.Add(-14 * day), end}
	p := Picture{Start: start, End: end, Now: start.Add(11*day + 3*time.Hour)}
	for i, n := range names {
		s := Step{At: at[i], Number: i + 1, Name: n}
		if at[i].Before(p.Now) {
			s.State = Done
		}
		p.Stages = append(p.Stages, s)
	}
	lane := func(name string, stopped int) Lane {
		l := Lane{Name: name}
		for i, s := range p.Stages {
			if i+1 == stopped {
				s.State = Stopped
				l.Steps = append(l.Steps, s)
				break
			}
			l.Steps = append(l.Steps, s)
		}
		return l
	}
	p.Lanes = []Lane{lane("acme", 0), lane("globex", 3), lane("initech", 2), lane("a-party-with-the-longest-name", 0)}
	return p
}

func drawn(t *testing.T, p Picture) *image.Paletted {
	t.Helper()
	b, err := p.Draw()
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.Draw()
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("drawn twice it differs (%v)", err)
	}
	if len(b) > 20_000 {
		t.Errorf("it has %d octets", len(b))
	}
	if dir := os.Getenv("PARLEY_PICTURES"); dir != "" {
		file := dir + "/" + strings.ReplaceAll(t.Name(), "/", "-") + ".png"
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d octets", file, len(b))
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return img.(*image.Paletted)
}

// PARLEY_PICTURES=DIR go test ./mailflow/timeline writes the pictures there, to
// be looked at.
func TestPicture(t *testing.T) {
	t.Parallel()
	p := story()
	img := drawn(t, p)
	l, err := p.layOut()
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds().Dx() != width || img.Bounds().Dy() != l.Bounds().Dy() {
		t.Fatalf("it measures %s", img.Bounds())
	}
	middle := func(lane int) int { return l.top + lane*laneHigh + laneHigh/2 }
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(img.At(x, y)).(color.RGBA) }
	for _, want := range []struct {
		what string
		x, y int
		ink  color.RGBA
	}{
		{"acme knows details a day before today", l.x(p.Now.Add(-day)), middle(0) - barHigh/2 + 3, shades[2]},
		{"acme's future is thin", l.x(p.Now.Add(day)), middle(0) - barHigh/2 + 3, paper},
		{"acme's proof is hollow, with an edge", l.x(start.Add(40 * day)), middle(0) - thinHigh/2, shades[4]},
		{"globex knows the scope up to today", l.x(p.Now.Add(-day)), middle(1) - barHigh/2 + 3, shades[1]},
		{"globex's details have a mark", l.x(start.Add(3*day)) - 10, middle(1), alarm},
		{"initech's scope has a mark", l.x(start.Add(day)) - 10, middle(2), alarm},
		{"today runs through all", l.x(p.Now), middle(3), today},
	} {
		if got := at(want.x, want.y); got != want.ink {
			t.Errorf("%s: %v at %d,%d, want %v", want.what, got, want.x, want.y, want.ink)
		}
	}
}

// No label covers another, however near the stages are.
func TestLabelsStandApart(t *testing.T) {
	t.Parallel()
	for _, span := range []time.Duration{day, 7 * day, 30 * day, 90 * day, 400 * day} {
		p := story()
		p.End = start.Add(span)
		for i := range p.Stages {
			p.Stages[i].At = start.Add(time.Duration(i) * span / 5)
		}
		drawn(t, p)
		l, err := p.layOut()
		if err != nil {
			t.Fatal(err)
		}
		type room struct{ from, to, tier int }
		var taken []room
		for _, b := range l.labels {
			r := room{b.x, b.x + stemGap + measure(l.plain, b.text), b.tier}
			if r.from < lineFrom || r.to > width {
				t.Errorf("span %s: %q stands from %d to %d", span, b.text, r.from, r.to)
			}
			for _, o := range taken {
				if o.tier >= r.tier && r.from < o.to && o.from < r.to {
					t.Errorf("span %s: %q covers another label, or its stem does", span, b.text)
				}
			}
			taken = append(taken, r)
		}
	}
}

// Of many participants those with something stopped are shown, and the picture
// says how many others there are.
func TestManyLanes(t *testing.T) {
	t.Parallel()
	p := story()
	few := p.Lanes
	p.Lanes = nil
	for i := range 40 {
		l := few[0]
		if i%9 == 8 {
			l = few[1]
		}
		l.Name = fmt.Sprintf("vendor-%d", i+1)
		p.Lanes = append(p.Lanes, l)
	}
	drawn(t, p)
	lanes, more := p.shown()
	if len(lanes) != MostLanes || more != 32 || lanes[0].Name != "vendor-9" || lanes[3].Name != "vendor-36" || lanes[4].Name != "vendor-1" {
		t.Errorf("%d lanes and %d more, first %s, %s, %s", len(lanes), more, lanes[0].Name, lanes[3].Name, lanes[4].Name)
	}
}

// The fullest picture that there can be is still small.
func TestFullPictureIsSmall(t *testing.T) {
	t.Parallel()
	p := story()
	for i := range 400 {
		l := p.Lanes[i%4]
		l.Name = fmt.Sprintf("%d-wide-party-with-the-longest-name-of-them-all", i)
		p.Lanes = append(p.Lanes, l)
	}
	drawn(t, p)
}

func TestOddPictures(t *testing.T) {
	t.Parallel()
	empty := story()
	empty.Lanes = nil
	over := story()
	over.Now = over.End.Add(40 * day)
	early := story()
	early.Now = start.Add(-5 * day)
	strange := story()
	strange.Lanes[0].Name = "日本語 \x00 " + strings.Repeat("w", 300)
	strange.Lanes[1].Steps = []Step{{At: start.Add(-90 * day), Number: 99, State: Stopped}, {At: start.Add(900 * day), Number: -4}}
	for name, p := range map[string]Picture{"empty": empty, "over": over, "early": early, "strange": strange} {
		t.Run(name, func(t *testing.T) { drawn(t, p) })
	}
	for _, p := range []Picture{{}, {Start: start, End: start}, {Start: start, End: start.Add(-day)}} {
		if b, err := p.Draw(); err == nil {
			t.Errorf("%v drew %d octets", p, len(b))
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	p := story()
	for b.Loop() {
		if _, err := p.Draw(); err != nil {
			b.Fatal(err)
		}
	}
}

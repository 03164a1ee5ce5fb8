package timeline

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// Inks. Each text stands on a ground that it has a contrast of 4.5:1 or more
// with (WCAG 2.2, 1.4.3).
var (
	paper = color.RGBA{0xff, 0xff, 0xff, 0xff}
	ink   = color.RGBA{0x1d, 0x23, 0x2b, 0xff}
	faint = color.RGBA{0xd9, 0xde, 0xe4, 0xff} // lines behind everything
	quiet = color.RGBA{0x5a, 0x65, 0x71, 0xff} // dates
	alarm = color.RGBA{0xb4, 0x23, 0x18, 0xff} // what is stopped
	today = color.RGBA{0xb4, 0x4a, 0x00, 0xff}
)

// shades are what a participant knows, by number of stage: the more, the
// darker.
var shades = []color.RGBA{
	{0xdb, 0xe9, 0xf6, 0xff}, {0xab, 0xcf, 0xea, 0xff}, {0x6f, 0xae, 0xdb, 0xff},
	{0x2b, 0x73, 0xb1, 0xff}, {0x17, 0x4f, 0x86, 0xff}, {0x0b, 0x2c, 0x52, 0xff},
}

// shade is that of a stage, and the ink to write on it.
func shade(number int) (ground, on color.RGBA) {
	i := min(max(number, 1), len(shades)) - 1
	if i >= 3 {
		return shades[i], paper
	}
	return shades[i], ink
}

// canvas is a picture with the two faces that it is written in. Faces are not
// safe for concurrent use, so that each has its own.
type canvas struct {
	*image.RGBA
	plain, bold font.Face
}

// textSize is the size of letters in pixels, twice what is seen.
const textSize = 22

func newCanvas(width, height int) (*canvas, error) {
	c := &canvas{RGBA: image.NewRGBA(image.Rect(0, 0, width, height))}
	var err error
	if c.plain, err = face(regular()); err != nil {
		return nil, err
	}
	if c.bold, err = face(bold()); err != nil {
		return nil, err
	}
	c.fill(c.Bounds(), paper)
	return c, nil
}

// The fonts, read once: many goroutines may have faces of one.
var (
	regular = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(goregular.TTF) })
	bold    = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(gobold.TTF) })
)

func face(f *opentype.Font, err error) (font.Face, error) {
	if err != nil {
		return nil, fmt.Errorf("read font: %w", err)
	}
	return opentype.NewFace(f, &opentype.FaceOptions{Size: textSize, DPI: 72, Hinting: font.HintingFull})
}

func (c *canvas) close() {
	_ = c.plain.Close()
	_ = c.bold.Close()
}

func (c *canvas) fill(r image.Rectangle, k color.RGBA) {
	draw.Draw(c.RGBA, r, image.NewUniform(k), image.Point{}, draw.Src)
}

// frame draws the edge of a rectangle, inside it.
func (c *canvas) frame(r image.Rectangle, thick int, k color.RGBA) {
	for _, side := range []image.Rectangle{
		{r.Min, image.Pt(r.Max.X, r.Min.Y+thick)}, {image.Pt(r.Min.X, r.Max.Y-thick), r.Max},
		{r.Min, image.Pt(r.Min.X+thick, r.Max.Y)}, {image.Pt(r.Max.X-thick, r.Min.Y), r.Max},
	} {
		c.fill(side.Intersect(r), k)
	}
}

// hatch draws slanted lines over a rectangle.
func (c *canvas) hatch(r image.Rectangle, k color.RGBA) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if (x+y)%14 < 4 {
				c.SetRGBA(x, y, k)
			}
		}
	}
}

// diamond draws a square that stands on its corner.
func (c *canvas) diamond(at image.Point, half int, k color.RGBA) {
	for dy := -half; dy <= half; dy++ {
		w := half - max(dy, -dy)
		c.fill(image.Rect(at.X-w, at.Y+dy, at.X+w+1, at.Y+dy+1), k)
	}
}

// pointer draws a triangle whose tip is below.
func (c *canvas) pointer(tip image.Point, half int, k color.RGBA) {
	for dy := range 2 * half {
		w := (dy + 1) / 2
		c.fill(image.Rect(tip.X-w, tip.Y-dy, tip.X+w+1, tip.Y-dy+1), k)
	}
}

// measure is how many pixels a text takes.
func measure(f font.Face, s string) int { return font.MeasureString(f, s).Ceil() }

// write writes a text from a point on its baseline on.
func (c *canvas) write(f font.Face, at image.Point, s string, k color.RGBA) {
	dot := fixed.P(at.X, at.Y)
	for _, r := range s {
		where, mask, from, advance, ok := f.Glyph(dot, r)
		if ok {
			c.stamp(where, mask, from, k)
		}
		dot.X += advance
	}
}

// stamp puts one letter onto the picture. Its soft edge has few steps, which
// keeps the colours few and the file small.
func (c *canvas) stamp(r image.Rectangle, mask image.Image, from image.Point, k color.RGBA) {
	for y := range r.Dy() {
		for x := range r.Dx() {
			_, _, _, a := mask.At(from.X+x, from.Y+y).RGBA()
			step := (a*soft + 0x7fff) / 0xffff
			at := image.Pt(r.Min.X+x, r.Min.Y+y)
			if step == 0 || !at.In(c.Bounds()) {
				continue
			}
			below := c.RGBAAt(at.X, at.Y)
			c.SetRGBA(at.X, at.Y, color.RGBA{mix(below.R, k.R, step), mix(below.G, k.G, step), mix(below.B, k.B, step), 0xff})
		}
	}
}

// soft is in how many steps the edge of a letter fades.
const soft = 4

// mix is step quarters of one and the rest of the other.
func mix(below, above uint8, step uint32) uint8 {
	return uint8((uint32(below)*(soft-step) + uint32(above)*step) / soft)
}

// paletted is the picture with a table of its colours, in the order in which
// they come. Where there are more than fit, the last ones are the nearest of
// those in the table. Most rows are as the one above.
func (c *canvas) paletted() *image.Paletted {
	out := image.NewPaletted(c.Bounds(), nil)
	known := map[uint32]uint8{}
	for y := range c.Bounds().Dy() {
		row, to := c.Pix[y*c.Stride:(y+1)*c.Stride], out.Pix[y*out.Stride:(y+1)*out.Stride]
		if y > 0 && bytes.Equal(row, c.Pix[(y-1)*c.Stride:y*c.Stride]) {
			copy(to, out.Pix[(y-1)*out.Stride:])
			continue
		}
		last := ^binary.LittleEndian.Uint32(row)
		for x := range to {
			k := binary.LittleEndian.Uint32(row[4*x:])
			if k == last {
				to[x] = to[x-1]
				continue
			}
			n, ok := known[k]
			if !ok {
				n = indexOf(out, color.RGBA{uint8(k), uint8(k >> 8), uint8(k >> 16), uint8(k >> 24)})
				known[k] = n
			}
			to[x], last = n, k
		}
	}
	return out
}

// indexOf gives a colour that the table does not hold its place in it.
func indexOf(p *image.Paletted, k color.RGBA) uint8 {
	if len(p.Palette) < 256 {
		p.Palette = append(p.Palette, k)
		return uint8(len(p.Palette) - 1)
	}
	return uint8(p.Palette.Index(k))
}

// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"

	"golang.org/x/image/vector"
)

// canvas is a picture being drawn, with smooth edges. Coordinates are pixels from the upper left.
type canvas struct {
	img *image.RGBA
	rng *rand.Rand
}

type point struct{ x, y float64 }

func newCanvas(width, height int, seed uint64) *canvas {
	return &canvas{img: image.NewRGBA(image.Rect(0, 0, width, height)), rng: rand.New(rand.NewPCG(7, seed))}
}

// rgb reads a colour like 0xE8C39A.
func rgb(hex uint32) color.RGBA {
	return color.RGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 255}
}

// faint makes a colour let through what lies below; alpha is 0 to 255.
func faint(c color.RGBA, alpha uint8) color.RGBA {
	part := func(v uint8) uint8 { return uint8(int(v) * int(alpha) / 255) }
	return color.RGBA{part(c.R), part(c.G), part(c.B), alpha}
}

// sky fills the rows from y0 to y1 with one colour passing into another.
func (c *canvas) sky(y0, y1 int, from, to color.RGBA) {
	mix := func(a, b uint8, t float64) uint8 { return uint8(float64(a) + (float64(b)-float64(a))*t) }
	for y := y0; y < y1; y++ {
		t := float64(y-y0) / float64(y1-y0)
		row := color.RGBA{mix(from.R, to.R, t), mix(from.G, to.G, t), mix(from.B, to.B, t), 255}
		for x := range c.img.Rect.Dx() {
			c.img.SetRGBA(x, y, row)
		}
	}
}

// shape fills a polygon.
func (c *canvas) shape(fill color.RGBA, points ...point) {
	low, high := points[0], points[0]
	for _, p := range points {
		low = point{math.Min(low.x, p.x), math.Min(low.y, p.y)}
		high = point{math.Max(high.x, p.x), math.Max(high.y, p.y)}
	}
	// The rasterizer covers the shape only: most are small.
	box := image.Rect(int(math.Floor(low.x)), int(math.Floor(low.y)), int(math.Ceil(high.x)), int(math.Ceil(high.y))).Intersect(c.img.Rect)
	if box.Empty() {
		return
	}
	at := func(p point) (float32, float32) {
		return float32(p.x - float64(box.Min.X)), float32(p.y - float64(box.Min.Y))
	}
	r := vector.NewRasterizer(box.Dx(), box.Dy())
	r.MoveTo(at(points[0]))
	for _, p := range points[1:] {
		r.LineTo(at(p))
	}
	r.ClosePath()
	r.Draw(c.img, box, image.NewUniform(fill), image.Point{})
}

func (c *canvas) rect(fill color.RGBA, x, y, width, height float64) {
	c.shape(fill, point{x, y}, point{x + width, y}, point{x + width, y + height}, point{x, y + height})
}

// blob fills an ellipse, more or less: rough is how far its edge wanders, as a part of the radius.
func (c *canvas) blob(fill color.RGBA, x, y, rx, ry, rough float64) {
	const corners = 40
	points := make([]point, corners)
	wander := 0.0
	for i := range points {
		wander = wander*0.6 + (c.rng.Float64()-0.5)*rough
		angle := 2 * math.Pi * float64(i) / corners
		points[i] = point{x + rx*(1+wander)*math.Cos(angle), y + ry*(1+wander)*math.Sin(angle)}
	}
	c.shape(fill, points...)
}

// stroke draws a line that may get thinner.
func (c *canvas) stroke(fill color.RGBA, from, to point, start, end float64) {
	dx, dy := to.x-from.x, to.y-from.y
	length := math.Hypot(dx, dy)
	nx, ny := -dy/length/2, dx/length/2
	c.shape(fill, point{from.x + nx*start, from.y + ny*start}, point{to.x + nx*end, to.y + ny*end},
		point{to.x - nx*end, to.y - ny*end}, point{from.x - nx*start, from.y - ny*start})
}

// grain is the noise of a small lens, and its darker corners.
func (c *canvas) grain(strength int) {
	width, height := c.img.Rect.Dx(), c.img.Rect.Dy()
	clamp := func(v int) uint8 { return uint8(min(255, max(0, v))) }
	for y := range height {
		dy := float64(2*y-height) / float64(height)
		for x := range width {
			dx := float64(2*x-width) / float64(width)
			shade := 256 - int(36*(dx*dx+dy*dy))
			noise := c.rng.IntN(2*strength+1) - strength
			i := c.img.PixOffset(x, y)
			for k := range 3 {
				c.img.Pix[i+k] = clamp(int(c.img.Pix[i+k])*shade/256 + noise)
			}
		}
	}
}

func (c *canvas) jpeg() []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, c.img, &jpeg.Options{Quality: 78}); err != nil { // memory takes everything
		panic(err)
	}
	return b.Bytes()
}

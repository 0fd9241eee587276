// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"fmt"
	"hash/fnv"
	"image/color"
	"math"
)

// pictureVariants is how many pictures there are of each subject.
const pictureVariants = 2

// What citizens photograph: the picture is 720 × 960, as a telephone held upright takes it.
var subjects = map[string]func(*canvas){
	"buca": pothole, "lampione": streetLamp, "rifiuti": rubbish, "ramo": fallenBranch, "allagamento": flood, "altalena": swing,
	"marciapiede": pavement, "panchina": bench, "cane": dog,
	"bolletta":  paper("AVVISO DI PAGAMENTO", 0xFDFDF8, true),
	"scontrino": receipt, "ricevuta": paper("RICEVUTA", 0xFBFBFF, false), "libretto": paper("", 0xE9F0E4, true),
	"isee": paper("ATTESTAZIONE", 0xFFFFFF, true), "modulo": form,
}

// picture draws a subject.
func picture(name string, variant int) ([]byte, error) {
	draw, ok := subjects[name]
	if !ok {
		return nil, fmt.Errorf("there is no picture of %q", name)
	}
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, name, variant) // it never fails
	c := newCanvas(720, 960, h.Sum64())
	draw(c)
	c.grain(3)
	return c.jpeg(), nil
}

// street is a row of houses, a pavement and asphalt from horizon down; it returns where the asphalt begins.
func (c *canvas) street(horizon float64) float64 {
	skies := [][2]uint32{{0x8FB8DE, 0xDCE9F2}, {0xB9C4CC, 0xE2E5E6}, {0x7FA8D6, 0xF3E3CF}}
	sky := skies[c.rng.IntN(len(skies))]
	c.sky(0, int(horizon), rgb(sky[0]), rgb(sky[1]))
	walls := []uint32{0xD9A679, 0xE4C590, 0xC98B6B, 0xE9D8B4, 0xCDB7A0, 0xB98A7A}
	for x := -30.0; x < 720; {
		width, height := 150+c.rng.Float64()*130, 180+c.rng.Float64()*150
		c.house(x, horizon-height, width, height, rgb(walls[c.rng.IntN(len(walls))]))
		x += width + 2
	}
	c.rect(rgb(0xBDB6AA), 0, horizon, 720, 42)
	c.rect(rgb(0x9C958A), 0, horizon+42, 720, 12)
	c.sky(int(horizon)+54, 960, rgb(0x6C6E70), rgb(0x57595B))
	for range 260 {
		x, y := c.rng.Float64()*720, horizon+60+c.rng.Float64()*(900-horizon)
		c.blob(faint(rgb(0x3F4143), 90), x, y, 1+c.rng.Float64()*3, 1+c.rng.Float64()*2, 0.4)
	}
	return horizon + 54
}

func (c *canvas) house(x, y, width, height float64, wall color.RGBA) {
	c.rect(wall, x, y, width, height)
	c.shape(rgb(0x9A5B43), point{x - 8, y}, point{x + 14, y - 26}, point{x + width - 14, y - 26}, point{x + width + 8, y})
	shutters := []uint32{0x4E6B4A, 0x6B4A38, 0x46606E}[c.rng.IntN(3)]
	for wy := y + 26; wy < y+height-70; wy += 78 {
		for wx := x + 22; wx < x+width-46; wx += 66 {
			c.rect(rgb(0xEFE9DD), wx-3, wy-3, 34, 52)
			c.rect(rgb(0x5D6F7C), wx, wy, 28, 46)
			if c.rng.IntN(2) == 0 {
				c.rect(rgb(shutters), wx-14, wy, 13, 46)
				c.rect(rgb(shutters), wx+29, wy, 13, 46)
			} else {
				c.rect(rgb(shutters), wx, wy, 28, 46)
			}
		}
	}
	c.rect(rgb(0x5A4233), x+width/2-18, y+height-62, 36, 62)
}

func pothole(c *canvas) {
	top := c.street(330 + c.rng.Float64()*60)
	x, y := 330+c.rng.Float64()*80, top+290+c.rng.Float64()*60
	for i := range 4 { // cracks
		angle := float64(i)*1.6 + c.rng.Float64()
		at := point{x + 170*math.Cos(angle), y + 80*math.Sin(angle)}
		for range 5 {
			angle += (c.rng.Float64() - 0.5) * 0.8
			to := point{at.x + 46*math.Cos(angle), at.y + 26*math.Sin(angle)}
			c.stroke(rgb(0x2E3032), at, to, 5, 2)
			at = to
		}
	}
	c.blob(rgb(0x7A7B7B), x, y, 216, 104, 0.16)
	c.blob(rgb(0x3E3A36), x+4, y+6, 188, 86, 0.2)
	c.blob(rgb(0x2A2724), x+12, y+16, 150, 62, 0.2)
	c.blob(rgb(0x5C7385), x+26, y+28, 96, 30, 0.14)
	c.blob(rgb(0x8FA7B8), x+6, y+22, 34, 8, 0.2)
	for range 26 {
		angle, far := c.rng.Float64()*2*math.Pi, 1.05+c.rng.Float64()*0.35
		size := 3 + c.rng.Float64()*9
		c.blob(rgb(0x55534F), x+200*far*math.Cos(angle), y+96*far*math.Sin(angle), size, size*0.7, 0.5)
	}
}

func streetLamp(c *canvas) {
	c.sky(0, 960, rgb(0x10182C), rgb(0x2F3A52))
	for x := -40.0; x < 720; {
		width, height := 130+c.rng.Float64()*120, 230+c.rng.Float64()*190
		c.rect(rgb(0x1B2233), x, 780-height, width, height)
		for range 3 {
			if c.rng.IntN(2) == 0 {
				c.rect(rgb(0xD9B15C), x+16+c.rng.Float64()*(width-50), 800-height+c.rng.Float64()*(height-90), 22, 30)
			}
		}
		x += width
	}
	c.sky(780, 960, rgb(0x20242C), rgb(0x2A2E36))
	c.rect(rgb(0x0B0E14), 352, 190, 14, 600)
	c.shape(rgb(0x0B0E14), point{352, 196}, point{366, 186}, point{520, 150}, point{520, 160})
	c.shape(rgb(0x15181F), point{486, 148}, point{580, 130}, point{590, 146}, point{492, 166})
	c.shape(rgb(0x3A4048), point{496, 160}, point{584, 143}, point{586, 150}, point{498, 168})
	c.rect(rgb(0xC9CDD2), 348, 560, 22, 34) // the label with the number
	c.rect(rgb(0x30353C), 352, 566, 14, 3)
	c.rect(rgb(0x30353C), 352, 573, 10, 3)
	c.blob(faint(rgb(0xF4D58A), 46), 120, 300, 150, 150, 0.02)
	c.blob(faint(rgb(0xF9E5B0), 120), 120, 300, 40, 40, 0.02)
	c.rect(rgb(0x0B0E14), 116, 316, 8, 470)
}

func rubbish(c *canvas) {
	top := c.street(400)
	for i, x := range []float64{40, 210} {
		body := []uint32{0x2F6B4F, 0x3B5F8A, 0xB8912F}[(i+c.rng.IntN(3))%3]
		c.shape(rgb(body), point{x, top - 150}, point{x + 140, top - 150}, point{x + 128, top + 60}, point{x + 12, top + 60})
		c.shape(rgb(0x25282B), point{x - 8, top - 166}, point{x + 148, top - 166}, point{x + 142, top - 144}, point{x - 2, top - 144})
		c.blob(rgb(0x1A1C1E), x+28, top+66, 13, 13, 0)
		c.blob(rgb(0x1A1C1E), x+112, top+66, 13, 13, 0)
	}
	// a mattress against the wall
	c.shape(rgb(0xD8D3C6), point{400, top - 190}, point{640, top - 160}, point{650, top + 70}, point{392, top + 50})
	for y := -150.0; y < 40; y += 46 {
		c.stroke(rgb(0xB7B1A2), point{404, top + y}, point{642, top + y + 24}, 3, 3)
	}
	c.stroke(rgb(0x9FA6B4), point{402, top - 120}, point{644, top - 92}, 8, 8)
	for range 7 {
		x, y, size := 60+c.rng.Float64()*560, top+110+c.rng.Float64()*150, 44+c.rng.Float64()*34
		bag := []uint32{0x23262A, 0x2D3136, 0x6E7A86, 0xC9CFD4}[c.rng.IntN(4)]
		c.blob(faint(rgb(0x1B1C1E), 110), x+6, y+size*0.72, size*1.05, size*0.24, 0.05)
		c.blob(rgb(bag), x, y, size, size*0.8, 0.16)
		c.stroke(rgb(bag), point{x, y - size*0.7}, point{x + 8, y - size*1.1}, 14, 22)
		c.blob(faint(rgb(0xFFFFFF), 36), x-size*0.3, y-size*0.25, size*0.3, size*0.2, 0.2)
	}
}

func (c *canvas) park(horizon float64) {
	c.sky(0, int(horizon), rgb(0xA9C7E0), rgb(0xE6EEF0))
	for range 16 {
		x, r := c.rng.Float64()*760-20, 60+c.rng.Float64()*70
		green := []uint32{0x5E8148, 0x6F914F, 0x4E7043, 0x9A8B3F}[c.rng.IntN(4)]
		c.blob(rgb(green), x, horizon-50-c.rng.Float64()*70, r, r*0.8, 0.22)
	}
	c.sky(int(horizon), 960, rgb(0x86A35B), rgb(0x64853F))
	for range 500 {
		x, y := c.rng.Float64()*720, horizon+10+c.rng.Float64()*(950-horizon)
		c.stroke(faint(rgb(0x4A6A30), 150), point{x, y}, point{x + c.rng.Float64()*6 - 3, y - 6 - c.rng.Float64()*9}, 2, 0.6)
	}
}

func (c *canvas) path(horizon float64) {
	c.shape(rgb(0xC8B99A), point{330, horizon}, point{392, horizon}, point{640, 960}, point{110, 960})
}

func fallenBranch(c *canvas) {
	c.park(380)
	c.path(380)
	c.shape(rgb(0x5B4632), point{560, 380}, point{650, 380}, point{630, 0}, point{590, 0})
	c.shape(rgb(0xD8B98A), point{586, 150}, point{604, 110}, point{596, 176}) // where it broke
	trunk := []point{{90, 760}, {300, 690}, {520, 640}, {690, 600}}
	for i := range trunk[1:] {
		c.stroke(rgb(0x6A5138), trunk[i], trunk[i+1], 46-float64(i)*10, 36-float64(i)*10)
	}
	c.blob(rgb(0xD8B98A), 92, 760, 14, 24, 0.1)
	for range 90 {
		x := 260 + c.rng.Float64()*430
		y := 700 - (x-260)*0.22 + (c.rng.Float64()-0.5)*220
		if c.rng.IntN(3) == 0 {
			c.stroke(rgb(0x5C4630), point{x, 690 - (x-260)*0.2}, point{x + 20, y}, 7, 2)
		}
		green := []uint32{0x4C6B32, 0x5F8040, 0x739348, 0x8A8A3C}[c.rng.IntN(4)]
		c.blob(rgb(green), x, y, 12+c.rng.Float64()*18, 7+c.rng.Float64()*11, 0.4)
	}
}

func flood(c *canvas) {
	top := c.street(350)
	c.sky(int(top), 960, rgb(0x75838C), rgb(0x4F5D66))
	for i := range 4 { // the reflection of the houses
		c.rect(faint(rgb(0xC9A27C), 60), float64(i)*190-20, top+6, 130+c.rng.Float64()*50, 130)
	}
	for range 60 {
		x, y := c.rng.Float64()*720, top+10+c.rng.Float64()*(940-top)
		width := 30 + c.rng.Float64()*90
		c.stroke(faint(rgb(0xDCE6EB), 90), point{x, y}, point{x + width, y + 2}, 2, 1)
	}
	c.rect(rgb(0x3A3D40), 260, top+330, 190, 120)
	for x := 272.0; x < 440; x += 26 {
		c.rect(rgb(0x22282C), x, top+342, 14, 96)
	}
	for range 34 {
		leaf := []uint32{0xB5792F, 0x8F5B24, 0xC99A3A}[c.rng.IntN(3)]
		c.blob(rgb(leaf), 250+c.rng.Float64()*210, top+320+c.rng.Float64()*140, 14, 7, 0.5)
	}
	for r := 30.0; r < 130; r += 32 {
		c.blob(faint(rgb(0xE7EFF3), 26), 560, top+210, r*1.5, r*0.4, 0)
	}
}

func swing(c *canvas) {
	c.park(420)
	c.blob(rgb(0xCDB48A), 360, 800, 330, 120, 0.06)
	frame := rgb(0xC23B32)
	for _, leg := range [][2]point{{{150, 240}, {70, 820}}, {{150, 240}, {230, 820}}, {{570, 240}, {490, 820}}, {{570, 240}, {650, 820}}} {
		c.stroke(frame, leg[0], leg[1], 16, 16)
	}
	c.rect(frame, 138, 230, 444, 20)
	chain := rgb(0x7C8286)
	c.stroke(chain, point{240, 250}, point{236, 690}, 5, 5)
	c.stroke(chain, point{330, 250}, point{334, 690}, 5, 5)
	c.rect(rgb(0x2B2F33), 226, 688, 118, 18)
	c.stroke(chain, point{420, 250}, point{424, 640}, 5, 5)
	c.stroke(chain, point{510, 250}, point{506, 420}, 5, 5) // the broken one
	c.stroke(chain, point{506, 420}, point{522, 452}, 5, 4)
	c.shape(rgb(0x2B2F33), point{412, 634}, point{428, 640}, point{468, 762}, point{450, 770})
	c.stroke(chain, point{460, 766}, point{470, 806}, 5, 5)
}

func pavement(c *canvas) {
	c.sky(0, 960, rgb(0xB5AEA2), rgb(0x9E978B))
	for y := 0.0; y < 960; y += 120 {
		for x := -60.0; x < 720; x += 160 {
			shift := math.Mod(y/120, 2) * 80
			shade := uint8(168 + c.rng.IntN(26))
			c.rect(color.RGBA{shade, shade - 6, shade - 16, 255}, x+shift+3, y+3, 153, 113)
		}
	}
	for _, slab := range [][]point{{{180, 470}, {350, 420}, {372, 540}, {204, 590}}, {{372, 430}, {560, 470}, {540, 590}, {380, 556}}, {{240, 600}, {420, 570}, {450, 690}, {262, 716}}} {
		for i := range slab {
			slab[i].y += 16
		}
		c.shape(rgb(0x55504A), slab...)
		for i := range slab {
			slab[i].y -= 24
		}
		c.shape(rgb(0xC6C0B3), slab...)
	}
	at := point{40, 380}
	for range 7 { // the root that lifts it
		to := point{at.x + 90, at.y + (c.rng.Float64()-0.2)*60}
		c.stroke(rgb(0x6B543D), at, to, 30, 26)
		at = to
	}
	c.shape(rgb(0x5A452F), point{0, 120}, point{90, 160}, point{110, 420}, point{0, 460})
	c.shape(rgb(0x6A553E), point{0, 140}, point{50, 170}, point{60, 410}, point{0, 440})
}

func bench(c *canvas) {
	c.park(400)
	c.rect(rgb(0xCFC7B6), 40, 250, 640, 220) // a wall, written on
	pen := rgb([]uint32{0xB0303A, 0x2E3F86, 0x202327}[c.rng.IntN(3)])
	at := point{110, 380}
	for range 16 {
		to := point{at.x + 12 + c.rng.Float64()*26, 310 + c.rng.Float64()*110}
		c.stroke(pen, at, to, 11, 11)
		at = to
	}
	wood, iron := rgb(0x8A5E38), rgb(0x2C3034)
	for _, x := range []float64{150, 560} {
		c.stroke(iron, point{x, 560}, point{x - 10, 820}, 16, 16)
		c.stroke(iron, point{x + 46, 640}, point{x + 46, 820}, 14, 14)
	}
	for i, y := range []float64{560, 596, 632} {
		if i == 1 { // two broken slats
			c.shape(wood, point{120, y}, point{330, y + 2}, point{316, y + 22}, point{120, y + 22})
			c.shape(wood, point{450, y}, point{620, y}, point{620, y + 22}, point{468, y + 22})
			continue
		}
		c.rect(wood, 120, y, 500, 22)
	}
	c.shape(wood, point{130, 690}, point{640, 690}, point{656, 712}, point{140, 712})
	c.shape(wood, point{140, 722}, point{380, 722}, point{360, 744}, point{146, 744})
	c.stroke(wood, point{420, 860}, point{600, 820}, 22, 22)
}

func dog(c *canvas) {
	c.street(300)
	coat, dark := rgb([]uint32{0x8C6239, 0x3A332C, 0xC9A878}[c.rng.IntN(3)]), rgb(0x2A211A)
	c.blob(faint(rgb(0x1D1E20), 120), 380, 838, 230, 26, 0)
	for _, x := range []float64{250, 310, 480, 530} {
		c.stroke(coat, point{x, 640}, point{x - 6, 830}, 44, 28)
	}
	c.blob(coat, 390, 610, 180, 82, 0.03)
	c.stroke(coat, point{550, 580}, point{650, 500}, 36, 12)
	c.stroke(coat, point{250, 600}, point{196, 480}, 96, 74)
	c.blob(coat, 180, 462, 72, 58, 0.02)
	c.blob(coat, 118, 486, 52, 30, 0.02)
	c.blob(dark, 74, 478, 14, 11, 0)
	c.blob(dark, 168, 446, 8, 9, 0)
	c.blob(rgb(0xFFFFFF), 170, 443, 2.5, 2.5, 0)
	c.shape(dark, point{196, 420}, point{250, 440}, point{244, 520}, point{210, 480})
	c.stroke(rgb(0xC4312B), point{190, 556}, point{288, 530}, 18, 18) // the red collar
	c.blob(rgb(0xE2B33C), 214, 566, 9, 9, 0)
}

// table is a wooden top seen from above.
func (c *canvas) table() {
	c.sky(0, 960, rgb(0x9C7148), rgb(0x85603C))
	for y := 0.0; y < 960; y += 7 + c.rng.Float64()*22 {
		c.stroke(faint(rgb(0x5E4126), 70), point{0, y}, point{720, y + c.rng.Float64()*14 - 7}, 2.5, 1)
	}
}

// sheet lays a paper on the table, a little askew, and returns how to reach a place on it.
func (c *canvas) sheet(tint uint32, width, height, tilt float64) func(x, y float64) point {
	sin, cos := math.Sincos(tilt)
	at := func(x, y float64) point {
		x, y = x-width/2, y-height/2
		return point{360 + x*cos - y*sin, 480 + x*sin + y*cos}
	}
	shadow := []point{at(10, 12), at(width+12, 14), at(width+12, height+14), at(10, height+14)}
	c.shape(faint(rgb(0x1C120A), 90), shadow...)
	c.shape(rgb(tint), at(0, 0), at(width, 0), at(width, height), at(0, height))
	return at
}

// print is a line of text too small to read.
func (c *canvas) print(at func(x, y float64) point, x, y, width, size float64) {
	for end := x + width; x < end; {
		word := math.Min(size*(1.4+c.rng.Float64()*4), end-x)
		c.stroke(rgb(0x4A4D55), at(x, y), at(x+word, y), size*0.55, size*0.55)
		x += word + size*0.8
	}
}

// paper is a letter from an office.
func paper(title string, tint uint32, coded bool) func(*canvas) {
	return func(c *canvas) {
		c.table()
		at := c.sheet(tint, 560, 790, (c.rng.Float64()-0.5)*0.16)
		c.blob(rgb(0x3C6EA8), at(70, 70).x, at(70, 70).y, 26, 30, 0.05)
		c.print(at, 120, 56, 260, 13)
		c.print(at, 120, 80, 180, 10)
		if title != "" {
			c.stroke(rgb(0x1F4E8C), at(44, 150), at(44+float64(len(title))*17, 150), 18, 18)
		}
		for y := 196.0; y < 470; y += 21 {
			c.print(at, 44, y, 380+c.rng.Float64()*90, 10)
		}
		for row := range 4 {
			y := 500 + float64(row)*30
			c.stroke(rgb(0xC9CDD6), at(44, y+14), at(516, y+14), 1.5, 1.5)
			c.print(at, 44, y, 150, 10)
			c.print(at, 430, y, 60, 11)
		}
		if coded {
			c.code(at, 380, 640, 116)
			c.print(at, 44, 660, 250, 10)
			c.print(at, 44, 684, 290, 10)
			c.print(at, 44, 708, 200, 10)
		}
	}
}

// code is a square of dots like those that telephones read; it says nothing.
func (c *canvas) code(at func(x, y float64) point, x, y, size float64) {
	const modules = 21
	one := size / modules
	dot := func(i, k int, ink color.RGBA) {
		px, py := x+float64(i)*one, y+float64(k)*one
		c.shape(ink, at(px, py), at(px+one, py), at(px+one, py+one), at(px, py+one))
	}
	black, white := rgb(0x16181C), rgb(0xFFFFFF)
	for i := range modules {
		for k := range modules {
			if c.rng.IntN(2) == 0 {
				dot(i, k, black)
			}
		}
	}
	for _, corner := range [][2]int{{0, 0}, {14, 0}, {0, 14}} {
		for i := range 7 {
			for k := range 7 {
				ring := min(i, k, 6-i, 6-k)
				dot(corner[0]+i, corner[1]+k, map[bool]color.RGBA{true: white, false: black}[ring == 1])
			}
		}
	}
}

// form is filled in by hand and signed.
func form(c *canvas) {
	c.table()
	at := c.sheet(0xFFFEFA, 580, 800, (c.rng.Float64()-0.5)*0.2)
	c.stroke(rgb(0x1F4E8C), at(40, 70), at(340, 70), 18, 18)
	for row := range 11 {
		y := 130 + float64(row)*48
		c.print(at, 40, y, 110, 10)
		c.stroke(rgb(0x9AA0AA), at(170, y+10), at(530, y+10), 1.5, 1.5)
		c.handwriting(at, 180, y, 90+c.rng.Float64()*230)
	}
	c.print(at, 40, 720, 90, 10)
	c.handwriting(at, 330, 716, 170)
}

func (c *canvas) handwriting(at func(x, y float64) point, x, y, width float64) {
	from := at(x, y)
	for end := x + width; x < end; x += 7 + c.rng.Float64()*6 {
		to := at(x+7, y+(c.rng.Float64()-0.55)*20)
		c.stroke(rgb(0x22357E), from, to, 3, 2.4)
		from = to
	}
}

// receipt is a long strip from a till.
func receipt(c *canvas) {
	c.table()
	at := c.sheet(0xFCFBF6, 300, 860, (c.rng.Float64()-0.5)*0.14)
	c.print(at, 70, 50, 160, 15)
	c.print(at, 90, 78, 120, 10)
	for y := 130.0; y < 640; y += 34 {
		c.print(at, 26, y, 120+c.rng.Float64()*40, 10)
		c.print(at, 230, y, 44, 10)
	}
	c.stroke(rgb(0x30333A), at(26, 664), at(274, 664), 2, 2)
	c.stroke(rgb(0x30333A), at(26, 700), at(110, 700), 16, 16)
	c.stroke(rgb(0x30333A), at(206, 700), at(274, 700), 16, 16)
	c.print(at, 60, 760, 180, 10)
	c.print(at, 80, 790, 140, 10)
}

package figures

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// legend flows its entries in lines under a panel.
type legend []legendEntry

type legendEntry struct {
	name   string
	thumbs []plot.Thumbnailer
}

const (
	thumbWidth  = 20 // points
	entryGap    = 10
	legendLine  = 13
	legendAbove = 6
)

func (l *legend) add(name string, thumbs ...plot.Thumbnailer) {
	*l = append(*l, legendEntry{name, thumbs})
}

// lines breaks the entries so that each line fits into width.
func (l legend) lines(width vg.Length) (lines []legend) {
	var used vg.Length
	for _, e := range l {
		w := e.width()
		if len(lines) == 0 || used+w > width {
			lines = append(lines, nil)
			used = 0
		}
		lines[len(lines)-1] = append(lines[len(lines)-1], e)
		used += w
	}
	return lines
}

func (e legendEntry) width() vg.Length {
	return thumbWidth + 4 + textStyle(8).Width(e.name) + entryGap
}

func (l legend) height(width vg.Length) vg.Length {
	if len(l) == 0 {
		return 0
	}
	return legendAbove + legendLine*vg.Length(len(l.lines(width)))
}

func (l legend) draw(c draw.Canvas) {
	style := textStyle(8)
	style.YAlign = draw.YCenter
	y := c.Max.Y - legendAbove - legendLine/2.0
	for _, line := range l.lines(c.Max.X - c.Min.X) {
		var whole vg.Length
		for _, e := range line {
			whole += e.width()
		}
		x := c.Center().X - (whole-entryGap)/2
		for _, e := range line {
			icon := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{Min: vg.Point{X: x, Y: y - 4}, Max: vg.Point{X: x + thumbWidth, Y: y + 4}}}
			for _, t := range e.thumbs {
				t.Thumbnail(&icon)
			}
			c.FillText(style, vg.Point{X: x + thumbWidth + 4, Y: y}, e.name)
			x += e.width()
		}
		y -= legendLine
	}
}

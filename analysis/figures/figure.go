// Package figures draws what was measured: training and collapse over epochs, detection beside collapse, the cosines between class means, and the score
// distributions with their ROC and precision-recall curves.
//
// A Figure is a grid of panels; the legend of each stands under its axes, where it hides no data. Colours are those of Okabe and Ito, which colour-blind people can tell
// apart, and every line has its dash and marker too. Figures are saved as PNG with 300 dots an inch, or as SVG.
package figures

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"nctrain/internal/wholefile"
)

// Figure is a grid of panels under a title.
type Figure struct {
	title         string
	rows          [][]*panel
	width, height vg.Length // of one cell
	// widths of the columns as multiples of width; nil is 1 for each.
	widths []float64
}

// panel is one pair of axes and its legend; a nil panel leaves its cell empty.
type panel struct {
	*plot.Plot
	// yLabel stands beside the y axis. It is not gonum's, which takes the middle of a logarithmic axis for its upper end and makes room for a label there.
	yLabel string
	legend legend
}

const (
	titleHeight = 26 // points
	cellPadding = 8
	labelWidth  = 15 // 9 points of text, and space between it and the numbers
)

func (f *Figure) size() (width, height vg.Length) {
	columns := 0
	for _, row := range f.rows {
		columns = max(columns, len(row))
	}
	height = f.height * vg.Length(len(f.rows))
	if f.title != "" {
		height += titleHeight
	}
	return f.left(columns), height
}

// left is the left edge of a column.
func (f *Figure) left(column int) vg.Length {
	if f.widths == nil {
		return f.width * vg.Length(column)
	}
	var x vg.Length
	for _, w := range f.widths[:column] {
		x += f.width * vg.Length(w)
	}
	return x
}

func (f *Figure) draw(c draw.Canvas) {
	c.FillPolygon(white, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
	if f.title != "" {
		c.FillText(centred(textStyle(14)), vg.Point{X: c.Center().X, Y: c.Max.Y - titleHeight/2 - 3}, f.title)
		c.Max.Y -= titleHeight
	}
	for i, row := range f.rows {
		// One legend height a row keeps the axes of its panels level.
		var under vg.Length
		for j, p := range row {
			if p != nil {
				under = max(under, p.legend.height(f.left(j+1)-f.left(j)-2*cellPadding))
			}
		}
		cells := make([]draw.Canvas, len(row))
		for j := range row {
			cells[j] = draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
				Min: vg.Point{X: c.Min.X + f.left(j) + cellPadding, Y: c.Max.Y - f.height*vg.Length(i+1) + cellPadding},
				Max: vg.Point{X: c.Min.X + f.left(j+1) - cellPadding, Y: c.Max.Y - f.height*vg.Length(i) - cellPadding},
			}}
		}
		level(row, cells, under)
		for j, p := range row {
			if p == nil {
				continue
			}
			axes := p.axes(cells[j], under)
			p.Draw(axes)
			label := centred(textStyle(9))
			label.Rotation = math.Pi / 2
			data := p.DataCanvas(axes)
			c.FillText(label, vg.Point{X: cells[j].Min.X + labelWidth/2 - 1, Y: (data.Min.Y + data.Max.Y) / 2}, p.yLabel)
			foot := cells[j]
			foot.Max.Y = foot.Min.Y + under
			p.legend.draw(foot)
		}
	}
}

// axes is the part of a cell that gonum draws in: beside the label of the y axis and above the legend.
func (p *panel) axes(cell draw.Canvas, under vg.Length) draw.Canvas {
	if p.yLabel == "" {
		return draw.Crop(cell, 0, 0, under, 0)
	}
	return draw.Crop(cell, labelWidth, 0, under, 0)
}

// level gives the axes of a row one upper edge: what a label or marker takes above one of them, the space under the other titles makes up for.
func level(row []*panel, cells []draw.Canvas, under vg.Length) {
	top := func(j int) vg.Length {
		return cells[j].Max.Y - row[j].DataCanvas(row[j].axes(cells[j], under)).Max.Y
	}
	var lowest vg.Length
	for j, p := range row {
		if p != nil {
			lowest = max(lowest, top(j))
		}
	}
	for j, p := range row {
		if p != nil && p.Title.Text != "" {
			p.Title.Padding += lowest - top(j)
		}
	}
}

// PNG writes the figure with 300 dots an inch.
func (f *Figure) PNG(w io.Writer) error {
	width, height := f.size()
	c := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(300))
	f.draw(draw.New(c))
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
	return err
}

// svgRepairs mends what gonum's SVG canvas writes: a font without fallback where Liberation Sans is missing (these have its widths), images that would keep
// their own aspect ratio instead of filling their axes, and PNG data named jpg.
var svgRepairs = strings.NewReplacer(
	"font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,Helvetica,sans-serif;",
	"<image ", `<image preserveAspectRatio="none" `,
	"data:image/jpg;", "data:image/png;",
)

// SVG writes the figure as SVG; text stays text.
func (f *Figure) SVG(w io.Writer) error {
	width, height := f.size()
	c := vgsvg.New(width, height)
	f.draw(draw.New(c))
	var text bytes.Buffer
	if _, err := c.WriteTo(&text); err != nil {
		return err
	}
	_, err := svgRepairs.WriteString(w, text.String())
	return err
}

// Save writes the figure to path, as its extension .png or .svg says; the file is whole or absent.
func (f *Figure) Save(path string) error {
	write := map[string]func(io.Writer) error{".png": f.PNG, ".svg": f.SVG}[filepath.Ext(path)]
	if write == nil {
		return fmt.Errorf("figures: %s: the extension says no known format: name it .png or .svg", path)
	}
	if err := wholefile.Write(path, 0o644, write); err != nil {
		return fmt.Errorf("figures: %w", err)
	}
	return nil
}

package run

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"os"
	"path/filepath"

	"nctrain/internal/wholefile"
	"nctrain/nn/data"
)

// A contact sheet shows the first images of a set, so that a wrong file or a wrong channel order is seen at once.
const (
	sheetColumns = 16
	sheetRows    = 6
	sheetGap     = 2 // pixels
)

// writeThumbs draws one contact sheet a set.
func writeThumbs(dir string, sets *Sets) error {
	folder := filepath.Join(dir, "thumbs")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return describe(folder, err)
	}
	sheets := map[string]*data.Set{"train": sets.Train, "val": sets.Val, "test": sets.Test}
	for _, s := range sets.OOD {
		sheets["ood_"+s.Name] = s.Set
	}
	for name, set := range sheets {
		if set == nil {
			continue
		}
		err := wholefile.Write(filepath.Join(folder, name+".png"), 0o644, func(w io.Writer) error { return png.Encode(w, contactSheet(set)) })
		if err != nil {
			return fmt.Errorf("run: %w", err)
		}
	}
	return nil
}

func contactSheet(set *data.Set) image.Image {
	n := min(set.Len(), sheetColumns*sheetRows)
	columns := min(n, sheetColumns)
	rows := (n + columns - 1) / columns
	sheet := image.NewRGBA(image.Rect(0, 0, columns*(set.W+sheetGap)+sheetGap, rows*(set.H+sheetGap)+sheetGap))
	draw.Draw(sheet, sheet.Bounds(), image.White, image.Point{}, draw.Src)
	for i := range n {
		left, top := sheetGap+i%columns*(set.W+sheetGap), sheetGap+i/columns*(set.H+sheetGap)
		pixels := set.Image(i)
		for p := range set.H * set.W {
			sheet.SetRGBA(left+p%set.W, top+p/set.W, color.RGBA{pixels[3*p], pixels[3*p+1], pixels[3*p+2], 255})
		}
	}
	return sheet
}

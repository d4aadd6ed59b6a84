package report

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"html/template"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"nctrain/analysis/figures"
	"nctrain/internal/wholefile"
)

// drawings are the still figures of a page by their name, as they stand in it.
type drawings map[string]template.HTML

// gridColumns is the most scores that stand side by side in one grid.
const gridColumns = 6

// drawAll draws the figures of every run, and of all seeds together: what is of the page's own directory is kept in its figures/ too, unless the page alone is wanted.
func drawAll(dir string, runs []*stored, o Options) (drawings, error) {
	folder := filepath.Join(dir, "figures")
	if !o.PageOnly {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, fmt.Errorf("report: %w: make the directory writable", err)
		}
		if err := wholefile.Sweep(folder, func(string) bool { return true }); err != nil {
			return nil, fmt.Errorf("report: %w", err)
		}
	}
	keep := func(f drawing) error {
		if o.PageOnly {
			return nil
		}
		if err := errors.Join(f.Save(filepath.Join(folder, f.name+".png")), f.Save(filepath.Join(folder, f.name+".svg"))); err != nil {
			return fmt.Errorf("report: %w", err)
		}
		if o.Drawn != nil {
			o.Drawn(f.name)
		}
		return nil
	}
	out := drawings{}
	for _, f := range seedFigures(runs) {
		if err := keep(f); err != nil {
			return nil, err
		}
		if err := out.put(f.name, f); err != nil {
			return nil, fmt.Errorf("report: %s: %w", dir, err)
		}
	}
	for i, r := range runs {
		all, err := r.figures()
		if err != nil {
			return nil, fmt.Errorf("report: %s: %w", r.dir, err)
		}
		for _, f := range all {
			if r.dir == dir {
				if err := keep(f); err != nil {
					return nil, err
				}
			}
			if i > 0 && f.single {
				continue // pages of several runs show single scores of the first alone
			}
			if err := out.put(drawingKey(i, f.name), f); err != nil {
				return nil, fmt.Errorf("report: %s: %w", r.dir, err)
			}
		}
	}
	return out, nil
}

func (d drawings) put(key string, f drawing) error {
	var text bytes.Buffer
	if err := f.SVG(&text); err != nil {
		return fmt.Errorf("figure %s: %w", f.name, err)
	}
	d[key] = inline(text.String(), f.alt)
	return nil
}

func drawingKey(run int, name string) string { return fmt.Sprintf("%d/%s", run, name) }

// drawing is a figure with its file's name and a text that stands for it.
type drawing struct {
	*figures.Figure
	name, alt string
	single    bool // of one score
}

// figures draws section 7 of SPEC.
func (r *stored) figures() (all []drawing, err error) {
	if r.history.epochs() > 0 {
		all = append(all, drawing{figures.Training(r.history.History), "training", r.trainingAlt(), false})
	}
	if len(r.nc) > 0 {
		all = append(all, drawing{figures.Collapse(r.nc), "collapse", r.collapseAlt(), false})
	}
	if c := r.cosines; c != nil {
		f, err := figures.Cosines(c.Values, c.Classes)
		if err != nil {
			return nil, err
		}
		alt := fmt.Sprintf("Heat map and histogram of the cosines between the %d class means at epoch %d; the ideal is %.4f.", c.Classes, c.Epoch, -1/float64(c.Classes-1))
		all = append(all, drawing{f, "nc2_cosines", alt, false})
	}
	for _, set := range oodSets([]*stored{r}) {
		if r.lastOOD() == nil {
			break
		}
		alt := fmt.Sprintf("AUROC and FPR95 of every score on %s over epochs, beside NC1 to NC5; the table holds the last epoch's numbers.", set)
		all = append(all, drawing{figures.Detection(set, r.ood, r.nc), "detection_" + fileName(set), alt, false})
	}
	for set, scores := range r.scores.All() {
		more, err := scoreFigures(set, scores)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// scoreFigures draws the grids and the sheets of one set.
func scoreFigures(set string, scores []figures.Score) (all []drawing, err error) {
	for i, part := range slices.Collect(slices.Chunk(scores, gridColumns)) {
		f, err := figures.Grid(set+" against the test set", part)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, s := range part {
			names = append(names, s.Name)
		}
		alt := fmt.Sprintf("Distributions, ROC and precision-recall curves on %s of %s.", set, strings.Join(names, ", "))
		all = append(all, drawing{f, gridName(set, i), alt, false})
	}
	for _, s := range scores {
		f, err := figures.Sheet(s.Name+": "+set+" against the test set", s)
		if err != nil {
			return nil, err
		}
		all = append(all, drawing{f, sheetName(set, s.Name), fmt.Sprintf("Distribution, ROC and precision-recall curves of %s on %s.", s.Name, set), true})
	}
	return all, nil
}

func gridName(set string, part int) string {
	if part == 0 {
		return "ood_grid_" + fileName(set)
	}
	return fmt.Sprintf("ood_grid_%s_%d", fileName(set), part+1)
}

func sheetName(set, score string) string { return "ood_sheet_" + fileName(set) + "_" + fileName(score) }

// fileName keeps of a name what every file system takes; where that is not all of it, a checksum keeps names apart.
func fileName(name string) string {
	kept := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.@", c) {
			return c
		}
		return '_'
	}, name)
	if kept != name {
		kept += fmt.Sprintf("-%08x", crc32.ChecksumIEEE([]byte(name)))
	}
	return kept
}

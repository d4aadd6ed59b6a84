// Package report shows a run: figures/*.png and *.svg, and report.html, one page that needs nothing beside itself and no network.
//
// Everything is made from the numbers a run directory stores (SPEC 10); nothing is computed again but curves and histograms of the stored scores. The page is read
// without JavaScript too: a script only replaces still figures by ones that answer, and adds choices and sorting.
package report

import (
	"bytes"
	"fmt"
	"path/filepath"

	"nctrain/cmd/nctrain/internal/run"
	"nctrain/internal/wholefile"
)

// PageFile is the page's name in the run directory.
const PageFile = "report.html"

// Options of Build.
type Options struct {
	// Version of the program, for the page's foot.
	Version string
	// Drawn is told the name of each figure that was drawn, without extension; may be nil.
	Drawn func(name string)
	// PageOnly leaves figures/ as it is: drawing pictures of 300 dots an inch takes most of the time.
	PageOnly bool
}

// Build draws the figures of the run in dir and writes its page, beside which the runs in compare are shown. Where dir keeps the runs of several seeds (seed-N/) the page and the figures
// there are of all of them: mean and spread. The page is written last, and whole or not at all. Errors name the file, the field, and the way out.
func Build(dir string, compare []string, o Options) error {
	seeds, err := run.SeedDirs(dir)
	if err != nil {
		return err
	}
	dirs := append([]string{dir}, compare...)
	if len(seeds) > 0 {
		dirs = append(seeds, compare...)
	}
	runs, err := readRuns(dirs)
	if err != nil {
		return err
	}
	drawings, err := drawAll(dir, runs, o)
	if err != nil {
		return err
	}
	page, err := compose(dir, runs, drawings, o.Version)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := pageTemplate.Execute(&text, page); err != nil {
		return fmt.Errorf("report: %s: %w", dir, err)
	}
	if err := wholefile.WriteBytes(filepath.Join(dir, PageFile), 0o644, text.Bytes()); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

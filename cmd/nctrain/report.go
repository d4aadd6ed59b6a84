package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"nctrain/cmd/nctrain/internal/report"
	"nctrain/cmd/nctrain/internal/version"
)

func newReportCommand() *cobra.Command {
	var dir string
	var compare []string
	var quiet bool
	c := &cobra.Command{
		Use:   "report --run DIR [--compare DIR ...]",
		Short: "Figures and one self-contained page again, from a run's stored numbers",
		Long: `Draw every figure of a run into DIR/figures/ (PNG with 300 dots an inch, and SVG) and write DIR/report.html, one page that needs no network and no other file.
Nothing is computed again but the curves of the stored scores. With --compare other runs are shown beside it. A directory of run --seeds (seed-N/) gets one page of all its seeds: mean
and standard deviation (ddof 1) as bands over epochs and in a table.`,
		Example: `  nctrain report --run runs/first
  nctrain report --run runs/seeds
  nctrain report --run runs/width-16 --compare runs/width-8,runs/width-32`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if dir == "" {
				return usagef("--run is needed: the directory of an earlier run")
			}
			out := c.OutOrStdout()
			if quiet {
				out = io.Discard
			}
			return buildReport(out, dir, compare)
		},
	}
	flags := c.Flags()
	flags.StringVar(&dir, "run", "", "run directory (the --out of an earlier run)")
	flags.StringSliceVar(&compare, "compare", nil, "run directories to show beside it; repeat, or separate by commas")
	flags.BoolVar(&quiet, "quiet", false, "print nothing but errors")
	return c
}

// buildReport draws a run's figures and page, and says where they are.
func buildReport(out io.Writer, dir string, compare []string) error {
	drawn := 0
	if err := report.Build(dir, compare, report.Options{Version: version.String(), Drawn: func(string) { drawn++ }}); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%s, and %d figures in %s\n", filepath.Join(dir, report.PageFile), drawn, filepath.Join(dir, "figures"))
	return err
}

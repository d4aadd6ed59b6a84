package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"nctrain/analysis"
	"nctrain/analysis/ood"
	"nctrain/cmd/nctrain/internal/table"
)

// scoreFlags are those of `score`.
type scoreFlags struct {
	outputFlags
	detector, features, out string
	scores                  []string
	threads                 int
}

func newScoreCommand() *cobra.Command {
	f := &scoreFlags{}
	c := &cobra.Command{
		Use:   "score --detector d.npz --features f.npz [--out s.csv|s.npz]",
		Short: "Score rows with detectors that are fitted already, and accept or reject them at their thresholds",
		Long: `Score rows with the detectors that nctrain ood --save has fitted: one row or a million, in one sweep with memory for one block (and the bank of knn and nnguide). A row whose
score is at least the threshold (ood --threshold-at) is accepted as in-distribution.

--out s.csv has a line a row: row, each score, and NAME_accepted (1 or 0). --out s.npz has score/NAME (float64) and accepted/NAME (uint8). The file of detectors carries the head, so that
features without logits are enough; features of another checkpoint are refused.`,
		Example: `  nctrain ood --train train.npz --id test.npz --ood svhn=svhn.npz --head head.npz --val val.npz --threshold-at 0.95 --scores all --save d.npz
  nctrain score --detector d.npz --features new.npz --out scores.csv`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c) },
	}
	flags := c.Flags()
	flags.StringVar(&f.detector, "detector", "", "fitted detectors that nctrain ood --save wrote")
	flags.StringVar(&f.features, "features", "", "features of the same checkpoint, labels not needed in any format: "+rowSpecs)
	outputFile(flags, &f.out, "out", "write every row's scores to this .csv or .npz")
	flags.StringSliceVar(&f.scores, "scores", nil, "scores to compute; default all that the file holds")
	threadsFlag(flags, &f.threads)
	f.outputFlags.register(flags)
	return c
}

func (f *scoreFlags) execute(c *cobra.Command) error {
	if f.detector == "" || f.features == "" {
		return usagef("--detector and --features are needed: nctrain ood --save writes the one, nctrain features the other")
	}
	if err := checkExtension("out", f.out, ".csv", ".npz"); err != nil {
		return err
	}
	fitted, err := ood.OpenFitted(f.detector)
	if err != nil {
		return err
	}
	defer fitted.Close()
	if len(f.scores) > 0 {
		if err := fitted.Keep(f.scores); err != nil {
			return usagef("--scores: %w", err)
		}
	}
	src, err := analysis.OpenRows(f.features)
	if err != nil {
		return err
	}
	defer src.Close()
	r, err := fitted.ScoreTo(c.Context(), src, f.out, f.threads)
	if err != nil {
		return err
	}
	out := f.stdout(c)
	if err := printScored(out, r); err != nil {
		return err
	}
	if f.out != "" {
		fmt.Fprintf(out, "every row's scores are in %s\n", f.out)
	}
	return f.write(r)
}

// printScored prints the share of rows that each score accepts.
func printScored(w io.Writer, r *ood.Scored) error {
	fmt.Fprintf(w, "%s rows scored%s, in percent: a row is accepted as in-distribution where its score is at least the threshold\n", table.Count(r.N), of(nil, r.Checkpoint))
	t := table.New("score", "accepted", "asked of ID", "true share of ID, 95 %", "threshold", "least score", "largest score")
	var warnings byText
	for name, v := range r.Scores.All() {
		t.Row(name, percent(v, "accepted"), percent(v, "acceptance"), interval(v, "acceptance_ci95"), number(v, "threshold"), number(v, "least"), number(v, "largest"))
		warnings.add(name, v.Reason("accepted"))
		warnings.add(name, v.Warnings...)
	}
	if err := t.Write(w, "  "); err != nil {
		return err
	}
	warn(w, r.Warnings)
	warnings.print(w)
	return nil
}

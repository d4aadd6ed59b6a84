package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"nctrain/analysis"
	"nctrain/analysis/stats"
	"nctrain/cmd/nctrain/internal/table"
)

// statsFlags are those of `stats`.
type statsFlags struct {
	outputFlags
	features, head, shard, out string
	merge                      []string
	partial                    bool
	threads                    int
}

func newStatsCommand() *cobra.Command {
	f := &statsFlags{}
	c := &cobra.Command{
		Use:   "stats --features f.npz [--head h.npz] [--shard i/n] --out part.npz | stats --merge part1.npz part2.npz ... --out all.npz",
		Short: "Class statistics of a shard of a set, and of shards merged, for sets too large for one machine",
		Long: `Sweep features once for their class statistics (counts, means, within-class scatter, in float64) and write them as .npz: of the whole set, or of shard
i of n, which are shares of its rows, whatever files these lie in. Parts of all shards merge, in any order, to what one sweep gives, and nctrain nc --stats measures them.
Without logits in the features --head computes them, and is then needed; with both, every row's logits are held against the head.`,
		Example: `  nctrain stats --features shards/ --head head.npz --shard 3/8 --out part_3.npz
  nctrain stats --merge part_*.npz --out all.npz
  nctrain nc --stats all.npz --head head.npz`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error { return f.execute(c, args) },
	}
	flags := c.Flags()
	flags.StringVar(&f.features, "features", "", "un-augmented training features: "+featureSpecs)
	flags.StringVar(&f.head, "head", "", "head of the same checkpoint: "+headSpecs)
	flags.StringVar(&f.shard, "shard", "1/1", "which shard of how many, counted from 1")
	flags.StringArrayVar(&f.merge, "merge", nil, "merge these parts; more may follow as arguments")
	flags.BoolVar(&f.partial, "partial", false, "merge though shards are missing, to be merged further")
	outputFile(flags, &f.out, "out", "file of statistics to write, .npz")
	threadsFlag(flags, &f.threads)
	f.outputFlags.register(flags)
	return c
}

func (f *statsFlags) execute(c *cobra.Command, args []string) error {
	merging := len(f.merge) > 0
	switch {
	case f.out == "":
		return usagef("--out is missing: name the file of statistics to write, for example --out part.npz")
	case merging && (f.features != "" || f.head != "" || c.Flags().Changed("shard")):
		return usagef("--merge takes parts that are there: leave out --features, --head and --shard")
	case !merging && f.partial:
		return usagef("--partial goes with --merge")
	case !merging && len(args) > 0:
		return usagef("stats: unexpected argument %q: parts are merged by --merge", args[0])
	case !merging && f.features == "":
		return usagef("--features is missing: name features, or parts to --merge")
	}
	if err := checkExtension("out", f.out, ".npz"); err != nil {
		return err
	}
	part, warnings, err := f.part(c, args)
	if err != nil {
		return err
	}
	if err := stats.WritePart(f.out, part); err != nil {
		return err
	}
	return f.print(c, part, warnings)
}

// part sums a shard or merges parts.
func (f *statsFlags) part(c *cobra.Command, args []string) (p *stats.Part, warnings []string, err error) {
	if len(f.merge) > 0 {
		var paths []string
		for _, item := range append(f.merge, args...) {
			found, err := analysis.ExpandFiles(item)
			if err != nil {
				return nil, nil, err
			}
			paths = append(paths, found...)
		}
		if p, err = stats.MergeFiles(paths); err != nil {
			return nil, nil, err
		}
		if err := p.Complete(); err != nil && !f.partial {
			return nil, nil, fmt.Errorf("stats: --merge: %w, or pass --partial", err)
		}
		return p, nil, nil
	}
	i, of, err := parseShard(f.shard)
	if err != nil {
		return nil, nil, err
	}
	src, err := analysis.OpenFeatures(f.features)
	if err != nil {
		return nil, nil, err
	}
	defer src.Close()
	var head *analysis.Head
	if f.head != "" {
		if head, err = analysis.OpenHead(f.head); err != nil {
			return nil, nil, err
		}
	} else if !src.Info().HasLogits() {
		return nil, nil, usagef("--head is missing: %s carries no logits, and the head tells them and the number of classes", f.features)
	}
	return stats.CollectPart(c.Context(), src, head, i, of, f.threads)
}

// parseShard reads "3/8".
func parseShard(text string) (i, of int, err error) {
	before, after, ok := strings.Cut(text, "/")
	if ok {
		i, err = strconv.Atoi(before)
	}
	if ok && err == nil {
		of, err = strconv.Atoi(after)
	}
	if !ok || err != nil || i < 1 || i > of {
		return 0, 0, usagef("--shard %s: write which of how many, counted from 1, for example 3/8", text)
	}
	return i, of, nil
}

func (f *statsFlags) print(c *cobra.Command, p *stats.Part, warnings []string) error {
	class, n := p.Class, p.Class.N()
	total, within := stats.Trace(class.Total(), class.D), stats.Trace(class.Within(), class.D)
	accuracy := 100 * float64(p.Tally.Correct) / float64(n)
	shards := fmt.Sprintf("%d of %d shards", len(p.Shards), p.Of)
	if len(p.Shards) == 1 {
		shards = fmt.Sprintf("shard %d/%d", p.Shards[0], p.Of)
	}
	out := f.stdout(c)
	fmt.Fprintf(out, "%s: %s, %s of %s rows of %s, %d features, %d classes; accuracy %s %%, tr S_T %s, tr S_W %s\n", f.out, shards, table.Count(int(n)), table.Count(p.Info.N),
		p.Info.Name, class.D, class.C, table.Percent(accuracy), table.Number(total), table.Number(within))
	warn(out, warnings)
	result := map[string]any{"out": f.out, "n": n, "set_n": p.Info.N, "features": class.D, "classes": class.C, "shards": p.Shards, "of": p.Of, "accuracy": accuracy,
		"tr_st": total, "tr_sw": within}
	if p.Info.Meta.Checkpoint != "" {
		result["checkpoint"] = p.Info.Meta.Checkpoint
	}
	if len(warnings) > 0 {
		result["warnings"] = warnings
	}
	return f.write(result)
}

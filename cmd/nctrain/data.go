package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"nctrain/cmd/nctrain/internal/table"
	"nctrain/nn/data"
)

// dataFlags are those of `data info` and `data convert`.
type dataFlags struct {
	outputFlags
	options data.Options
	split   string
	out     string
}

func (f *dataFlags) register(c *cobra.Command) {
	flags := c.Flags()
	flags.IntVar(&f.options.Limit, "limit", 0, "take the first N images of each split; 0: all")
	flags.IntVar(&f.options.ImageSize, "image-size", data.DefaultImageSize, "side that images of folder: sets are resized to")
	f.outputFlags.register(flags)
}

func newDataCommand() *cobra.Command {
	c := &cobra.Command{Use: "data", Short: "Look at image sets, or convert them", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newDataInfoCommand(), newDataConvertCommand())
	return c
}

func kindsHelp() string {
	var b strings.Builder
	b.WriteString("Sets are written:\n")
	for _, k := range data.Kinds() {
		fmt.Fprintf(&b, "  %-16s %s\n", k.Form, k.Help)
	}
	return strings.TrimRight(b.String(), "\n")
}

func newDataInfoCommand() *cobra.Command {
	f := &dataFlags{}
	c := &cobra.Command{
		Use:     "info SET",
		Short:   "What a set holds, after reading and checking all of it",
		Long:    "Read and check both splits of a set, and say what they hold.\n\n" + kindsHelp(),
		Example: "  nctrain data info shapes\n  nctrain data info cifar100:cifar-100-binary.tar.gz",
		Args:    oneSet,
		RunE:    func(c *cobra.Command, args []string) error { return f.info(c, args[0]) },
	}
	f.register(c)
	return c
}

// splitInfo is what `data info` tells of one split.
type splitInfo struct {
	Split    string         `json:"split"`
	N        int            `json:"n"`
	Classes  int            `json:"classes"`
	Height   int            `json:"height"`
	Width    int            `json:"width"`
	Smallest int            `json:"smallest_class"`
	Largest  int            `json:"largest_class"`
	Counts   map[string]int `json:"class_counts"`
}

func (f *dataFlags) info(c *cobra.Command, spec string) error {
	train, err := data.Open(spec, data.Train, f.options)
	if err != nil {
		return err
	}
	sets := []*data.Set{train}
	if !train.OneSplit {
		test, err := data.Open(spec, data.Test, f.options)
		if err != nil {
			return err
		}
		sets = append(sets, test)
	}
	var splits []splitInfo
	t := table.New("split", "images", "classes", "pixels", "smallest class", "largest class")
	for _, s := range sets {
		i := describeSet(s)
		if train.OneSplit {
			i.Split = "all"
		}
		splits = append(splits, i)
		t.Row(i.Split, table.Count(i.N), table.Count(i.Classes), fmt.Sprintf("%dx%d", i.Height, i.Width), table.Count(i.Smallest), table.Count(i.Largest))
	}
	out := f.stdout(c)
	fmt.Fprintln(out, spec)
	if err := t.Write(out, "  "); err != nil {
		return err
	}
	fmt.Fprintf(out, "  classes: %s\n", firstNames(train.ClassNames))
	if train.OneSplit {
		fmt.Fprintln(out, "  one split, which serves whatever split is asked for; name a test set with --test when training on it")
	}
	result := map[string]any{"set": spec, "class_names": train.ClassNames, "splits": splits}
	if !train.OneSplit {
		if how := sets[1].ClassesUnlike(train); how != "" {
			text := fmt.Sprintf("the test split: %s: run and train refuse it", how)
			fmt.Fprintf(out, "warning: %s\n", text)
			result["warnings"] = []string{text}
		}
	}
	return f.write(result)
}

func describeSet(s *data.Set) splitInfo {
	counts := s.ClassCounts()
	i := splitInfo{Split: s.Split, N: s.Len(), Classes: s.Classes, Height: s.H, Width: s.W, Smallest: slices.Min(counts), Largest: slices.Max(counts), Counts: map[string]int{}}
	for k, n := range counts {
		i.Counts[s.ClassNames[k]] += n
	}
	return i
}

// firstNames lists class names, the first dozen where there are many.
func firstNames(names []string) string {
	const most = 12
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func newDataConvertCommand() *cobra.Command {
	f := &dataFlags{}
	c := &cobra.Command{
		Use:     "convert SET --split train|test --out FILE.npz",
		Short:   "Write a split of any set as .npz: images uint8 [N,H,W,3] and labels [N]",
		Long:    "Write a split of any set as .npz, images uint8 [N,H,W,3] and labels int64 [N], which numpy reads and npz:FILE names.\n\n" + kindsHelp(),
		Example: "  nctrain data convert shapes --split test --out shapes_test.npz",
		Args:    oneSet,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case f.out == "":
				return usagef("--out is missing: name the file to write, for example --out images.npz")
			case f.split != data.Train && f.split != data.Test:
				return usagef("--split %s: train or test", f.split)
			}
			s, err := data.Open(args[0], f.split, f.options)
			if err != nil {
				return err
			}
			if err := data.WriteNPZ(f.out, s); err != nil {
				return err
			}
			fmt.Fprintf(f.stdout(c), "%s: %s images of %d classes, %dx%d pixels\n", f.out, table.Count(s.Len()), s.Classes, s.H, s.W)
			return f.write(map[string]any{"set": args[0], "split": f.split, "n": s.Len(), "out": f.out})
		},
	}
	c.Flags().StringVar(&f.split, "split", data.Train, "train or test")
	outputFile(c.Flags(), &f.out, "out", "file to write, .npz")
	f.register(c)
	return c
}

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"

	"nctrain/analysis/nc"
	"nctrain/analysis/ood"
)

func newExplainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain NAME",
		Short: "What a metric or score is: definition, source, what it learns from, pitfalls",
		Example: `  nctrain explain nc1
  nctrain explain nc1.cdnv
  nctrain explain vim`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(explainable(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				fmt.Fprintln(c.OutOrStdout(), strings.Join(explainable(), "\n"))
				return nil
			}
			text, err := explainName(args[0])
			if err != nil {
				return err
			}
			fmt.Fprint(c.OutOrStdout(), text)
			return nil
		},
	}
}

func explainable() []string { return slices.Concat(nc.Explainable(), ood.Explainable()) }

// explainName explains a name in any case; a heading of the tables that several numbers share (FPR95, AUPR) has all of them explained.
func explainName(name string) (string, error) {
	key := strings.NewReplacer(" ", "_", "id+", "id_pos", "fpr@95", "fpr95").Replace(strings.ToLower(name))
	if e, err := nc.Explain(key); err == nil {
		return e.String(), nil
	}
	if e, err := ood.Explain(key); err == nil {
		return e.String(), nil
	}
	var variants []string
	for _, known := range explainable() {
		if strings.HasPrefix(known, key+"_") {
			text, err := explainName(known)
			if err != nil {
				return "", err
			}
			variants = append(variants, text)
		}
	}
	if len(variants) > 0 {
		return strings.Join(variants, "\n"), nil
	}
	return "", usagef("there is no metric or score %q%s (nctrain explain lists them)", name, didYouMean(nearNames(key, explainable())))
}

// nearNames are the names that up to two letters changed, added or left out make of a text, the nearest first, then those that hold it or begin it.
func nearNames(text string, names []string) (near []string) {
	const most = 5
	for allowed := 1; allowed <= 2; allowed++ {
		for _, name := range names {
			if len(text) > 2*allowed && levenshtein.ComputeDistance(text, name) <= allowed && !slices.Contains(near, name) {
				near = append(near, name)
			}
		}
	}
	for _, name := range names {
		within := len(text) > 2 && strings.Contains(name, text) || len(name) > 2 && strings.HasPrefix(text, name)
		if within && !slices.Contains(near, name) {
			near = append(near, name)
		}
	}
	return near[:min(most, len(near))]
}

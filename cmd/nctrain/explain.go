package main

import (
	"fmt"
	"slices"
	"strings"

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

func explainName(name string) (fmt.Stringer, error) {
	if e, err := nc.Explain(name); err == nil {
		return e, nil
	}
	e, err := ood.Explain(name)
	if err != nil {
		return nil, usagef("there is no metric or score %q: nctrain explain lists them", name)
	}
	return e, nil
}

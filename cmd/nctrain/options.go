package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// threadsFlag defines --threads; checkCommon says what it takes.
func threadsFlag(flags *pflag.FlagSet, to *int) {
	flags.IntVar(to, "threads", 0, "CPU threads, 0 for one a core; does not change a bit of the results")
}

// checkCommon refuses values of flags that several commands share, before any of them begins.
func checkCommon(c *cobra.Command) error {
	// A command without the flag gives an error.
	if n, err := c.Flags().GetInt("threads"); err == nil && (n < 0 || n > 1<<10) {
		return usagef("--threads %d: from 1 to 1024, or 0 for one a core", n)
	}
	if names, err := c.Flags().GetStringSlice("scores"); err == nil && c.Flags().Changed("scores") && len(names) == 0 {
		return usagef("--scores names nothing: leave the flag out, or name scores (nctrain explain lists them)")
	}
	return nil
}

// checkExtension refuses a file to write whose name does not say a format that it can have.
func checkExtension(flag, path string, extensions ...string) error {
	if path == "" || slices.Contains(extensions, filepath.Ext(path)) {
		return nil
	}
	return usagef("--%s %s: name it %s", flag, path, strings.Join(extensions, " or "))
}

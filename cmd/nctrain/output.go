package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"nctrain/internal/wholefile"
)

// outputFlags say where results go beside the table.
type outputFlags struct {
	json  string
	quiet bool
}

func (f *outputFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.json, "json", "", "write the same numbers to this file as JSON")
	flags.BoolVar(&f.quiet, "quiet", false, "print nothing but errors")
}

// stdout is where tables go.
func (f *outputFlags) stdout(c *cobra.Command) io.Writer {
	if f.quiet {
		return io.Discard
	}
	return c.OutOrStdout()
}

// write writes the JSON file, if one is wanted.
func (f *outputFlags) write(value any) error {
	if f.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("--json %s: %w", f.json, err)
	}
	if err := wholefile.WriteBytes(f.json, 0o644, append(text, '\n')); err != nil {
		return fmt.Errorf("--json: %w", err)
	}
	return nil
}

// warn prints warnings as lines of their own.
func warn(w io.Writer, warnings []string) {
	for _, text := range warnings {
		fmt.Fprintln(w, "warning: "+text)
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	outputFile(flags, &f.json, "json", "write the same numbers to this file as JSON")
	flags.BoolVar(&f.quiet, "quiet", false, "print nothing but errors")
}

// Annotations of flags that name a file to write, and a directory that the command makes.
const isOutputFile, isOutputDir = "nctrain output file", "nctrain output directory"

func annotate(flags *pflag.FlagSet, name, as string) {
	if err := flags.SetAnnotation(name, as, nil); err != nil {
		panic(err) // there is no such flag
	}
}

// outputFile defines a flag that names a file to write.
func outputFile(flags *pflag.FlagSet, to *string, name, usage string) {
	flags.StringVar(to, name, "", usage)
	annotate(flags, name, isOutputFile)
}

// checkOutputs finds files that cannot be written, or that would replace what is read or written beside, before anything is computed for them. Of what lies in a directory
// that the command makes it cannot say the former.
func checkOutputs(c *cobra.Command, args []string) error {
	made := ""
	var outputs, others []*pflag.Flag
	c.Flags().Visit(func(f *pflag.Flag) {
		_, file := f.Annotations[isOutputFile]
		_, dir := f.Annotations[isOutputDir]
		switch {
		case file && f.Value.String() != "":
			outputs = append(outputs, f)
		case dir:
			made = f.Value.String()
		case !file:
			others = append(others, f)
		}
	})
	for i, f := range outputs {
		path := f.Value.String()
		for _, earlier := range outputs[:i] {
			if sameFile(path, earlier.Value.String()) {
				return usagef("--%s and --%s name one file, %s: give each its own", earlier.Name, f.Name, path)
			}
		}
		for _, other := range others {
			if readsFile(flagValues(other), path) {
				return usagef("--%s %s would replace what --%s reads: name another file", f.Name, path, other.Name)
			}
		}
		if readsFile(args, path) {
			return usagef("--%s %s would replace what is read: name another file", f.Name, path)
		}
		if inside, err := filepath.Rel(made, path); made != "" && err == nil && filepath.IsLocal(inside) {
			continue
		}
		if err := wholefile.Check(path); err != nil {
			return fmt.Errorf("--%s: %w", f.Name, err)
		}
	}
	return nil
}

// flagValues are the parts of a flag that may be given several times.
func flagValues(f *pflag.Flag) []string {
	if list, is := f.Value.(pflag.SliceValue); is {
		return list.GetSlice()
	}
	return []string{f.Value.String()}
}

// readsFile tells whether values that name inputs ([NAME=]file, lists of files, patterns) name the file at path.
func readsFile(values []string, path string) bool {
	for _, value := range values {
		for _, part := range strings.Split(value, ",") {
			for {
				names, err := filepath.Glob(part)
				if err != nil || len(names) == 0 {
					names = []string{part}
				}
				if slices.ContainsFunc(names, func(name string) bool { return sameFile(path, name) }) {
					return true
				}
				_, after, more := strings.Cut(part, "=")
				if !more {
					break
				}
				part = after
			}
		}
	}
	return false
}

// sameFile tells whether two names are of one regular file, or will be.
func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return infoA.Mode().IsRegular() && os.SameFile(infoA, infoB)
	}
	return errA != nil && errB != nil && b != "" && filepath.Clean(a) == filepath.Clean(b)
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

// warnAside prints warnings of what a table is of beside it.
func (f *outputFlags) warnAside(c *cobra.Command, warnings []string) {
	if !f.quiet {
		warn(c.ErrOrStderr(), warnings)
	}
}

// warn prints warnings as lines of their own.
func warn(w io.Writer, warnings []string) {
	for _, text := range warnings {
		fmt.Fprintln(w, "warning: "+text)
	}
}

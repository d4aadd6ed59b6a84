// Package mutants holds faults for the kernels of kernels/cuda, each of which the conformance suite under the emulated driver must catch: every barrier left out in
// turn, and those of Table. Its command, run, puts them in one at a time (`make mutants`).
package mutants

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Mutant is a fault in one source of kernels/cuda: From, which stands there once, becomes To.
type Mutant struct{ File, From, To, What string }

func (m Mutant) String() string { return m.File + ": " + m.What }

// Apply gives the source with the fault in it. A mutant whose line is gone is an error: it would show nothing.
func (m Mutant) Apply(source string) (string, error) {
	if n := strings.Count(source, m.From); n != 1 {
		return "", fmt.Errorf("mutant %v: %q stands %d times in the source, not once: mend the mutant in kernels/cuda/mutants/table.go", m, m.From, n)
	}
	return strings.Replace(source, m.From, m.To, 1), nil
}

// barrier is what makes threads wait for each other, or for their copies, in a kernel.
var barrier = regexp.MustCompile(`(__syncthreads\(\)|__syncwarp\([^)]*\)|copy_async_wait<[^;]*>\(\));`)

// barriers are the mutants that leave out one barrier of a source each.
func barriers(file, source string) []Mutant {
	var out []Mutant
	for i, at := range barrier.FindAllStringSubmatchIndex(source, -1) {
		call := source[at[2]:at[3]]
		line := strings.Count(source[:at[0]], "\n") + 1
		// All up to the barrier, which stands once whatever else looks like it.
		out = append(out, Mutant{file, source[:at[1]], source[:at[0]] + "(void)0;" + source[at[3]+1:at[1]], fmt.Sprintf("barrier %d removed: line %d, %s", i+1, line, call)})
	}
	return out
}

// Sources are the texts of kernels/cuda by name.
type Sources map[string]string

// keepsBarriers tells of device.cuh, which defines them, and of the roofline's kernels, which belong to no operation that a suite could check.
func keepsBarriers(file string) bool { return file == "device.cuh" || strings.HasPrefix(file, "peak_") }

// ReadSources reads every .cu and .cuh file of a folder.
func ReadSources(dir string) (Sources, error) {
	out := Sources{}
	for _, pattern := range []string{"*.cu", "*.cuh"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			out[filepath.Base(file)] = string(text)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("mutants: no kernels in %s: run it from the repository's root", dir)
	}
	return out, nil
}

// Names of the files in order.
func (s Sources) Names() []string {
	return slices.Sorted(maps.Keys(s))
}

// Mutants are the barriers of all sources, and the faults of the table.
func (s Sources) Mutants() []Mutant {
	var out []Mutant
	for _, name := range s.Names() {
		if !keepsBarriers(name) {
			out = append(out, barriers(name, s[name])...)
		}
	}
	return append(out, Table...)
}

var include = regexp.MustCompile(`(?m)^#include "([^"]+)"`)

// Kernels are the kernels that a file is part of: itself, or all .cu that include it.
func (s Sources) Kernels(file string) []string {
	var out []string
	for _, name := range s.Names() {
		if kernel, ok := strings.CutSuffix(name, ".cu"); ok && s.reaches(name, file) {
			out = append(out, kernel)
		}
	}
	return out
}

func (s Sources) reaches(from, to string) bool {
	if from == to {
		return true
	}
	for _, m := range include.FindAllStringSubmatch(s[from], -1) {
		if s.reaches(m[1], to) {
			return true
		}
	}
	return false
}

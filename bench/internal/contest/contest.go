// Package contest is what comparisons of programs on one machine share: each contender is a process of its own, and medians over rounds count.
package contest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
)

// Run starts a program with its arguments and further environment, and gives what it wrote to standard output and the most memory it had resident, in bytes (0 where
// the system does not tell). The error holds what it wrote to standard error.
// OPENBLAS_CORETYPE and its like are unset, since they slow a comparison down where they are set for safety.
func Run(command []string, env ...string) (output []byte, peak int64, err error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "OPENBLAS_") }), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, 0, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		peak = usage.Maxrss << 10 // Linux counts in KiB
	}
	return stdout.Bytes(), peak, nil
}

// Median of at least one number.
func Median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return (s[len(s)/2] + s[(len(s)-1)/2]) / 2
}

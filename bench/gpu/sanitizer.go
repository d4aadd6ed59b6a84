package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// sanitizerResult is the kernels' conformance under NVIDIA's compute-sanitizer.
type sanitizerResult struct {
	Outcome *outcome        `json:"outcome"`
	Program string          `json:"program"`
	Tools   []sanitizerTool `json:"tools"`
}

// sanitizerTool is what one of its tools found.
type sanitizerTool struct {
	Name    string  `json:"name"`
	Tests   int     `json:"tests"` // that passed under it
	Errors  int     `json:"errors"`
	Status  string  `json:"status"`
	Seconds float64 `json:"seconds"`
	First   string  `json:"first,omitempty"` // its first message, or why it did not run to its end
}

// sanitizerTools are those that find what the guards of conformance do not: accesses out of bounds that hit no guard, hazards in shared memory, barriers that
// not all threads reach. Each slows a kernel down ten to a hundred times, so that the quick tier of shapes has to do.
var sanitizerTools = []string{"memcheck", "racecheck", "synccheck"}

// sanitizerExit is the status of a program in which it found errors: none of a test program's own.
const sanitizerExit = 77

// sanitizerEnv leaves the sanitizer the card's memory, of which it needs much and nctrain takes all otherwise.
var sanitizerEnv = []string{"NCTRAIN_CUDA_MEMORY=1073741824"}

func (s *session) sanitize(ctx context.Context) error {
	r := &s.results.Sanitizer
	*r = sanitizerResult{Outcome: r.Outcome}
	if r.Program = s.findSanitizer(); r.Program == "" {
		return fmt.Errorf("%w: no compute-sanitizer (of the CUDA toolkit) on the PATH or under /usr/local/cuda, and --sanitizer names none", errLeftOut)
	}
	// Where it does not start on this machine (a sandbox, say) the smallest program shows it.
	if _, err := s.do(ctx, process{env: sanitizerEnv, args: append(under(r.Program, "memcheck"), s.nctrain(), "doctor", "--device", "cuda")}); err != nil {
		return fmt.Errorf("%w: it does not start here: %w", errLeftOut, err)
	}
	deadline, _ := ctx.Deadline()
	var found []string
	for i, name := range sanitizerTools {
		// What is left is shared by the tools that are left.
		limited, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(len(sanitizerTools)-i))
		tool := s.sanitizeWith(limited, r.Program, name)
		cancel()
		r.Tools = append(r.Tools, tool)
		if tool.Status == failed {
			found = append(found, fmt.Sprintf("%s: %s", name, tool.First))
		}
		if err := s.save(); err != nil {
			return err
		}
	}
	if len(found) > 0 {
		return errors.New(strings.Join(found, "; "))
	}
	return nil
}

// under is the command that runs another under one of its tools. Calls of the driver that answer with an error are no finding: cudart asks for a kernel's
// parameters until there is none.
func under(program, tool string) []string {
	command := []string{program, "--tool", tool, "--error-exitcode", strconv.Itoa(sanitizerExit)}
	if tool == "memcheck" {
		command = append(command, "--report-api-errors", "no")
	}
	return command
}

func (s *session) findSanitizer() string {
	if s.sanitizer != "" {
		return s.sanitizer
	}
	if path, err := exec.LookPath("compute-sanitizer"); err == nil {
		return path
	}
	for _, pattern := range []string{os.Getenv("CUDA_HOME") + "/bin", "/usr/local/cuda/bin", "/usr/local/cuda*/bin", "/opt/nvidia/*"} {
		if found, _ := filepath.Glob(filepath.Join(pattern, "compute-sanitizer")); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	return ""
}

// sanitizeWith runs the quick tier of conformance under one tool.
func (s *session) sanitizeWith(ctx context.Context, program, name string) sanitizerTool {
	tool := sanitizerTool{Name: name}
	p := suite{kernelSuite, []string{"-test.short", "-test.run", "^" + conformanceTest + "$" + s.scale.Conformance}}.process(s)
	p.env = append(p.env, sanitizerEnv...)
	p.args = append(under(program, name), p.args...)
	began := time.Now()
	output, err := s.do(ctx, p)
	tool.Seconds = time.Since(began).Seconds()
	for _, t := range parseTests(kernelSuite, output) {
		if t.Status == passed && strings.Count(t.Name, "/") == 3 {
			tool.Tests++
		}
	}
	tool.Errors, tool.First = parseSanitizer(output)
	switch {
	case tool.Errors > 0:
		tool.Status = failed
	case ctx.Err() != nil:
		tool.Status = cutOff
	case err != nil:
		tool.Status, tool.First = failed, err.Error()
	case tool.Tests == 0:
		tool.Status, tool.First = failed, "no test has passed under it"
	default:
		tool.Status = done
	}
	return tool
}

var (
	sanitizerSummary = regexp.MustCompile(`(?m)^========= (?:ERROR|RACECHECK) SUMMARY: (?:\d+ hazards? displayed \()?(\d+) errors?`)
	sanitizerFirst   = regexp.MustCompile(`(?m)^========= ((?:Invalid|Error|Race|Barrier|Divergent|Potential|Warning)[^\n]*)`)
)

// parseSanitizer reads how many errors it reports, and the first of them. A program that was ended has no summary: what it reported until then counts as one.
func parseSanitizer(output []byte) (errors int, first string) {
	if m := sanitizerFirst.FindSubmatch(output); m != nil {
		errors, first = 1, string(m[1])
	}
	if m := sanitizerSummary.FindSubmatch(output); m != nil {
		errors, _ = strconv.Atoi(string(m[1])) // the pattern lets digits through
	}
	return errors, first
}

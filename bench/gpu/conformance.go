package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// conformanceResult is what the test programs say on the driver at work.
type conformanceResult struct {
	Outcome *outcome     `json:"outcome"`
	Tests   []testResult `json:"tests"`
}

// testResult is one test, or one subtest.
type testResult struct {
	Suite   string  `json:"suite"`
	Name    string  `json:"name"`
	Status  string  `json:"status"`
	Seconds float64 `json:"seconds"`
	Says    string  `json:"says,omitempty"` // the last line that it logged: why it was skipped, how far within its bound it is, what went wrong
}

// Statuses of a test.
const (
	passed     = "PASS"
	failing    = "FAIL"
	skipped    = "SKIP"
	unfinished = "BROKE OFF" // its program ended, or was ended, in the middle of it
)

// suite is a test program in the archive, in the folder of the package that it tests.
type suite struct {
	name string
	args []string
}

const (
	kernelSuite     = "kernels/cuda"
	conformanceTest = "TestConformance"
)

func (s *session) suites() []suite {
	all := []suite{{kernelSuite, nil}, {"cudart", nil}, {"nn", []string{"-test.run", "CUDA"}}}
	if part := s.scale.Conformance; part != "" {
		all[0].args = []string{"-test.run", "^Test[^C]|^TestC[^o]|^" + conformanceTest + "$" + part}
	}
	return all
}

// process of a suite. A test that needs a card fails without one, instead of being skipped.
func (t suite) process(s *session) process {
	dir := s.root + "/tests/" + t.name
	program := dir + "/" + t.name[strings.LastIndex(t.name, "/")+1:] + ".test"
	return process{dir: dir, env: []string{"NCTRAIN_REQUIRE_GPU=1"}, args: append([]string{program, "-test.v"}, t.args...)}
}

func (s *session) conformance(ctx context.Context) error {
	c := &s.results.Conformance
	c.Tests = nil
	var broken []string
	for _, t := range s.suites() {
		output, err := s.do(ctx, t.process(s))
		tests := parseTests(t.name, output)
		c.Tests = append(c.Tests, tests...)
		if problem := judge(tests, err); problem != "" {
			broken = append(broken, t.name+": "+problem)
		}
		if err := s.save(); err != nil {
			return err
		}
	}
	if len(broken) > 0 {
		return fmt.Errorf("%s", strings.Join(broken, "; "))
	}
	return nil
}

// judge says what is wrong with a suite that ended with err, or nothing.
func judge(tests []testResult, err error) string {
	count := map[string]int{}
	first := ""
	for _, t := range tests {
		count[t.Status]++
		if first == "" && (t.Status == failing || t.Status == unfinished) && t.Says != "" {
			first = fmt.Sprintf(", %s: %s", t.Name, t.Says)
		}
	}
	switch {
	case count[failing]+count[unfinished] > 0:
		return fmt.Sprintf("%d of %d tests failed, %d broke off%s", count[failing], len(tests), count[unfinished], first)
	case err != nil:
		return err.Error()
	case count[passed] == 0:
		return "no test has passed"
	}
	return ""
}

var (
	testBegins = regexp.MustCompile(`^=== (?:RUN|CONT|NAME) +(\S+)`)
	testEnds   = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+) \(([0-9.]+)s\)`)
	testLogs   = regexp.MustCompile(`^\s+\w+\.go:\d+: (.*)`)
)

// parseTests reads the output of a test program run with -test.v.
func parseTests(suite string, output []byte) []testResult {
	var order []string
	byName := map[string]*testResult{}
	current := ""
	for line := range strings.Lines(string(output)) {
		line = strings.TrimRight(line, "\r\n")
		if m := testBegins.FindStringSubmatch(line); m != nil {
			current = m[1]
			if byName[current] == nil {
				byName[current] = &testResult{Suite: suite, Name: current, Status: unfinished}
				order = append(order, current)
			}
		} else if m := testEnds.FindStringSubmatch(line); m != nil && byName[m[2]] != nil {
			t := byName[m[2]]
			t.Status = m[1]
			t.Seconds, _ = strconv.ParseFloat(m[3], 64) // the pattern lets digits through
		} else if m := testLogs.FindStringSubmatch(line); m != nil && byName[current] != nil {
			byName[current].Says = m[1]
		} else if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") || strings.HasPrefix(line, "SIG") {
			if t := byName[current]; t != nil {
				t.Says = line
			}
		}
	}
	tests := make([]testResult, 0, len(order))
	for _, name := range order {
		tests = append(tests, *byName[name])
	}
	return tests
}

// conformity is one variant at one precision, of TestConformance's subtests.
type conformity struct {
	Op, Variant, Precision, Status string
	Calls                          int
	Worst                          float64 // error as a share of its bound
}

var conformityLog = regexp.MustCompile(`^(\d+) calls, worst ([0-9.]+) of the bound`)

// conformities are the rows of the table: operation/variant/precision.
func (c *conformanceResult) conformities() []conformity {
	var rows []conformity
	for _, t := range c.Tests {
		path := strings.Split(t.Name, "/")
		if t.Suite != kernelSuite || path[0] != conformanceTest || len(path) != 4 {
			continue
		}
		row := conformity{Op: path[1], Variant: path[2], Precision: path[3], Status: t.Status}
		if m := conformityLog.FindStringSubmatch(t.Says); m != nil {
			row.Calls, _ = strconv.Atoi(m[1])
			row.Worst, _ = strconv.ParseFloat(m[2], 64)
		}
		rows = append(rows, row)
	}
	return rows
}

// with are the tests of some statuses.
func (c *conformanceResult) with(statuses ...string) []testResult {
	return slices.DeleteFunc(slices.Clone(c.Tests), func(t testResult) bool { return !slices.Contains(statuses, t.Status) })
}

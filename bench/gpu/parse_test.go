package main

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a test program writes with -test.v: subtests, a skip, a failure, and the end of the process in the middle of a test.
const testOutput = `=== RUN   TestConformance
=== RUN   TestConformance/conv_fprop/mma/tf32
    cuda_test.go:69: 14 calls, worst 0.704 of the bound: reals y[3]
=== RUN   TestConformance/sgd/direct/fp32
    cuda_test.go:60: sgd=direct fp32 at 70001: y[7] is 1, not 2
--- FAIL: TestConformance (1.20s)
    --- PASS: TestConformance/conv_fprop/mma/tf32 (1.00s)
    --- FAIL: TestConformance/sgd/direct/fp32 (0.20s)
=== RUN   TestMatrixInstructions
    mma_test.go:40: testdata/mma_tile.cu is for sm_80 and later, this card is sm_75
--- SKIP: TestMatrixInstructions (0.00s)
=== RUN   TestFactorsAreRounded
SIGSEGV: segmentation violation
`

func TestParseTests(t *testing.T) {
	got := parseTests(kernelSuite, []byte(testOutput))
	want := []testResult{
		{kernelSuite, "TestConformance", failing, 1.2, ""},
		{kernelSuite, "TestConformance/conv_fprop/mma/tf32", passed, 1, "14 calls, worst 0.704 of the bound: reals y[3]"},
		{kernelSuite, "TestConformance/sgd/direct/fp32", failing, 0.2, "sgd=direct fp32 at 70001: y[7] is 1, not 2"},
		{kernelSuite, "TestMatrixInstructions", skipped, 0, "testdata/mma_tile.cu is for sm_80 and later, this card is sm_75"},
		{kernelSuite, "TestFactorsAreRounded", unfinished, 0, "SIGSEGV: segmentation violation"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	rows := (&conformanceResult{Tests: got}).conformities()
	if diff := cmp.Diff([]conformity{{"conv_fprop", "mma", "tf32", passed, 14, 0.704}, {"sgd", "direct", "fp32", failing, 0, 0}}, rows); diff != "" {
		t.Error(diff)
	}
	if problem := judge(got, nil); problem != "2 of 5 tests failed, 1 broke off, TestConformance/sgd/direct/fp32: sgd=direct fp32 at 70001: y[7] is 1, not 2" {
		t.Error(problem)
	}
	if judge(got[1:2], nil) != "" || judge(nil, nil) == "" || judge(got[3:4], nil) == "" || judge(got[1:2], errLeftOut) == "" {
		t.Error("a suite passes where a test has passed, none has failed and the program has not either")
	}
}

func TestParseSanitizer(t *testing.T) {
	for output, want := range map[string]struct {
		errors int
		first  string
	}{
		"========= COMPUTE-SANITIZER\nPASS\n========= ERROR SUMMARY: 0 errors\n":                                                                   {0, ""},
		"========= Invalid __global__ read of size 4 bytes\n=========     at k+0x10\n========= ERROR SUMMARY: 3 errors\n":                          {3, "Invalid __global__ read of size 4 bytes"},
		"========= Error: Race reported between Write access at k\n========= RACECHECK SUMMARY: 2 hazards displayed (2 errors, 0 warnings)\n":      {2, "Error: Race reported between Write access at k"},
		"========= Warning: Race reported between Read access at k\n========= RACECHECK SUMMARY: 1 hazard displayed (0 errors, 1 warning)\n":       {0, "Warning: Race reported between Read access at k"},
		"========= COMPUTE-SANITIZER\n========= Barrier error detected. Divergent thread(s) in block\n=== RUN   TestConformance, and then cut off": {1, "Barrier error detected. Divergent thread(s) in block"},
	} {
		if errors, first := parseSanitizer([]byte(output)); errors != want.errors || first != want.first {
			t.Errorf("%q: %d errors, first %q", output, errors, first)
		}
	}
}

func TestParseShape(t *testing.T) {
	for name, want := range map[string][9]int{
		"128x32x32x64_k128_3x3_s2": {128, 32, 32, 64, 128, 3, 3, 2, 1},
		"2x16x16x8_k16_1x1_s2":     {2, 16, 16, 8, 16, 1, 1, 2, 0},
	} {
		if got, err := parseShape(name); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := parseShape("128x512_k100"); err == nil || !strings.Contains(err.Error(), "128x512_k100") {
		t.Error(err)
	}
}

func TestCompareLosses(t *testing.T) {
	cpu := []float64{2, 4}
	if worst, err := compareLosses([]float64{2.0001, 4}, cpu, 1e-4); err != nil || math.Abs(worst-5e-5) > 1e-9 {
		t.Error(worst, err)
	}
	if _, err := compareLosses([]float64{2, 4.001}, cpu, 1e-4); err == nil || !strings.Contains(err.Error(), "the loss of step 2 is 4.001, the CPU's 4: off by 0.00025") {
		t.Error(err)
	}
	for _, bad := range [][]float64{{math.NaN(), 4}, {2, math.Inf(1)}, {2}, nil} {
		if worst, err := compareLosses(bad, cpu, 1e-2); err == nil || math.IsNaN(worst) || math.IsInf(worst, 0) {
			t.Error(bad, worst, err)
		}
	}
}

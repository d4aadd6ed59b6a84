package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/cpu"

	"nctrain/cmd/nctrain/internal/run"
	"nctrain/internal/blas"
	"nctrain/nn"
)

// asProgram makes the test binary run as the program itself, for tests that kill it or look at its exit.
const asProgram = "NCTRAIN_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	blas.FitProcessor() // as main does: other kernels have other bits, and some tests compare this process with the program
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// call runs a command line in this process.
func call(args ...string) (stdout, stderr string, status int) {
	var out, err bytes.Buffer
	status = execute(args, &out, &err)
	return out.String(), err.String(), status
}

// must runs a command line that has to succeed.
func must(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, status := call(args...)
	if status != 0 || stderr != "" {
		t.Fatalf("nctrain %s: status %d, stderr %q", strings.Join(args, " "), status, stderr)
	}
	return stdout
}

// program is a command line as a process of its own, not yet started; stderr gathers its errors.
func program(t *testing.T, args ...string) (c *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c = exec.CommandContext(t.Context(), self, args...)
	c.Env = append(os.Environ(), asProgram+"=1")
	stderr = &bytes.Buffer{}
	c.Stderr = stderr
	return c, stderr
}

// tiny is a run of a second: width 4, two epochs.
func tiny(out string, more ...string) []string {
	return append([]string{"--data", "shapes", "--limit", "60", "--width", "4", "--epochs", "2", "--batch-size", "16", "--checkpoint-every", "1", "--out", out}, more...)
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// filesIn lists the files under a directory by relative path, the lock left out.
func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != ".lock" {
			relative, _ := filepath.Rel(dir, path)
			names = append(names, relative)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestHelpNamesEveryCommandOfSpec(t *testing.T) {
	help := must(t)
	for _, name := range []string{"run", "train", "features", "nc", "ood", "score", "data", "kernels", "bench", "doctor", "completion", "convert", "report", "stats", "explain"} {
		if !strings.Contains(help, "\n  "+name+" ") {
			t.Errorf("no %s in the help", name)
		}
		if text := must(t, name, "--help"); strings.Contains(text, "(default [])") {
			t.Errorf("%s --help tells an empty list as a default:\n%s", name, text)
		}
	}
	flags := must(t, "run", "--help")
	for _, flag := range strings.Fields("--epochs --batch-size --lr --momentum --weight-decay --width --val-fraction --checkpoint-every --no-augment " +
		"--device --threads --precision --seed --variant --trace --json --quiet --data --test --ood --out --resume --limit --image-size --keep-features") {
		if !strings.Contains(flags, "      "+flag) {
			t.Errorf("run has no flag %s", flag)
		}
	}
	for flag, value := range map[string]string{"epochs": "400", "batch-size": "128", "lr": "0.01", "momentum": "0.9", "weight-decay": "0.0005", "width": "64", "seed": "47",
		"checkpoint-every": "10"} {
		if got := newRunCommand().Flags().Lookup(flag).DefValue; got != value {
			t.Errorf("--%s is %s by default, the notebook's is %s", flag, got, value)
		}
	}
}

// Where a run goes on is told by the command that was stopped, and a pin that applies nowhere is a usage error.
func TestErrorsOfACommandAreExplained(t *testing.T) {
	for _, name := range []string{"run", "train"} {
		command, _, err := newRoot().Find([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		text, status := describe(command, &run.Interrupted{Dir: "runs/first", Epoch: 1})
		if want := "go on with: nctrain " + name + " --resume runs/first"; !strings.HasSuffix(text, want) || status != exitInterrupted {
			t.Errorf("status %d, %q, want %q", status, text, want)
		}
		if name == "run" {
			for _, flags := range [][]string{{"--seeds", "1,2"}, {"--seeds", "1,2", "--overwrite"}} {
				command, _, _ := newRoot().Find([]string{name})
				if err := command.ParseFlags(flags); err != nil {
					t.Fatal(err)
				}
				text, status := describe(command, &run.Interrupted{Dir: "runs/many/seed-1", Epoch: 1})
				want := "go on with all seeds with the same command" + map[bool]string{true: " without --overwrite"}[len(flags) > 2]
				if !strings.HasPrefix(text, "runs/many/seed-1: ") || !strings.HasSuffix(text, want) || strings.Contains(text, "--resume") || status != exitInterrupted {
					t.Errorf("%v: status %d, %q, want %q", flags, status, text, want)
				}
			}
		}
		if _, status := describe(command, fmt.Errorf("bench: %w", &nn.PinError{})); status != exitUsage {
			t.Errorf("a pin that applies nowhere: status %d", status)
		}
	}
}

// What of a pinned variant does not apply is said beside the table, unless --quiet.
func TestBenchWarnsOfPins(t *testing.T) {
	args := []string{"bench", "infer", "--width", "1", "--batch", "2", "--steps", "1", "--variant", "conv_fprop=winograd_f42,sgd=direct"}
	_, stderr, status := call(args...)
	for _, part := range []string{"warning: conv_fprop=winograd_f42: needs a 3x3 filter with stride 2", "it does 3 of 20 calls", "warning: sgd=direct: pinned for nothing"} {
		if !strings.Contains(stderr, part) {
			t.Errorf("no %q in %q", part, stderr)
		}
	}
	if strings.Count(stderr, "\n") != 2 || status != 0 {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
	must(t, append(args, "--quiet")...)
}

func TestTrainWarnsOfPins(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	const want = "warning: conv_fprop=winograd_f42: needs a 3x3 filter with stride 2"
	for _, args := range [][]string{append([]string{"train", "--variant", "conv_fprop=winograd_f42"}, tiny(dir)...), {"train", "--resume", dir}} {
		if text := must(t, args...); strings.Count(text, want) != 1 {
			t.Errorf("%v: not one %q in:\n%s", args, want, text)
		}
	}
	if log := read(t, dir, "log.jsonl"); bytes.Count(log, []byte("it does 3 of 20 calls")) != 2 {
		t.Errorf("not in the log:\n%s", log)
	}
}

func TestDoctorTellsDeviceAndThreads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doctor.json")
	text := must(t, "doctor", "--threads", "3", "--json", path)
	for _, part := range []string{"instruction set", "3 of ", "BLAS", "conv_fprop=winograd_f43|", "trains in fp32 (kernels also in fp64, for tests)"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
	if !bytes.Contains(read(t, path), []byte(`"what": "device"`)) {
		t.Error("no device in the JSON")
	}
	if text := must(t, "doctor", "--variant", "conv_fprop=direct"); !strings.Contains(text, "conv_fprop=direct (pinned), conv_dgrad=winograd_f43|") {
		t.Errorf("no pinned variant in:\n%s", text)
	}
}

// A core type that the user set for OpenBLAS is kept, and doctor tells where that is slow; without one nothing is.
func TestDoctorTellsSlowKernelsOfOpenBLAS(t *testing.T) {
	doctor := func(value string) string {
		c, stderr := program(t, "doctor", "--threads", "1")
		if c.Env = slices.DeleteFunc(c.Env, func(entry string) bool { return strings.HasPrefix(entry, "OPENBLAS_CORETYPE=") }); value != "" {
			c.Env = append(c.Env, "OPENBLAS_CORETYPE="+value)
		}
		out, err := c.Output()
		if err != nil {
			t.Fatalf("doctor: %v: %s", err, stderr)
		}
		return string(out)
	}
	const wayOut = `kernels of Prescott, without the AVX2 that this processor has: unset OPENBLAS_CORETYPE (it is "Prescott")`
	left := doctor("")
	if strings.Contains(left, "kernels of") {
		t.Errorf("left alone, OpenBLAS is slow:\n%s", left)
	}
	if !strings.Contains(left, "DYNAMIC_ARCH") || !cpu.X86.HasAVX2 || !cpu.X86.HasFMA {
		t.Skip("this build or processor leaves OpenBLAS no choice")
	}
	if text := doctor("Prescott"); !strings.Contains(text, wayOut) {
		t.Errorf("no %q in:\n%s", wayOut, text)
	}
}

func TestKernelsListCheckAndBench(t *testing.T) {
	if text := must(t, "kernels", "list", "--op", "conv_fprop"); !strings.Contains(text, "im2col") || strings.Contains(text, "sgd") {
		t.Errorf("kernels list --op conv_fprop gives\n%s", text)
	}
	path := filepath.Join(t.TempDir(), "list.json")
	text := must(t, "kernels", "list", "--device", "cpu", "--op", "conv_fprop,conv_fprop_bn", "--json", path)
	for _, part := range []string{"a 3x3 filter with stride 1 and pad 1; unpinned: 16 channels or more in and out", "unpinned: with conv_fprop=winograd_f42"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
	var rows []struct {
		Needs    []string
		Unpinned []string `json:"needs_unpinned"`
		Here     []string `json:"precisions_here"`
	}
	decode(t, read(t, path), &rows)
	if len(rows) != 8 || len(rows[1].Needs) != 1 || !strings.Contains(rows[1].Needs[0], "stride 2") || len(rows[1].Unpinned) != 1 || rows[2].Needs == nil || rows[0].Here[0] != "fp32" {
		t.Errorf("kernels list --json gives %+v", rows)
	}
	for _, test := range []struct {
		flags []string
		rows  int // two operations, at each precision
	}{{nil, 4}, {[]string{"--precision", "fp32"}, 2}} {
		if text := must(t, append([]string{"kernels", "check", "--device", "cpu", "--op", "add,sgd"}, test.flags...)...); strings.Count(text, "ok\n") != test.rows {
			t.Errorf("kernels check %v gives\n%s", test.flags, text)
		}
	}
	if testing.Short() {
		t.Skip("measuring takes seconds")
	}
	if text := must(t, "kernels", "bench", "--op", "linear_fprop", "--width", "2", "--batch", "4", "--device", "cpu"); !strings.Contains(text, "direct") || !strings.Contains(text, "median of 2 measured") {
		t.Errorf("kernels bench gives\n%s", text)
	}
}

func TestBenchGivesTheJSONOfSpec(t *testing.T) {
	for _, what := range []string{"train-step", "infer"} {
		path := filepath.Join(t.TempDir(), "bench.json")
		trace := filepath.Join(t.TempDir(), "trace.json")
		args := []string{"bench", what, "--width", "2", "--batch", "4", "--steps", "3", "--json", path}
		text := must(t, append(args, "--by-operation=false")...)
		if bare := string(read(t, path)); strings.Contains(text, "conv_fprop") || strings.Contains(bare, "operations") || strings.Contains(bare, "peak") {
			t.Errorf("%s --by-operation=false gives\n%s\n%s", what, text, bare)
		}
		must(t, append(args, "--trace", trace)...)
		var got struct {
			ImagesPerSecond float64            `json:"images_per_second"`
			StepMs          map[string]float64 `json:"step_ms"`
			Device          string
			Operations      []map[string]any
		}
		decode(t, read(t, path), &got)
		if got.ImagesPerSecond <= 0 || got.StepMs["min"] <= 0 || got.StepMs["min"] > got.StepMs["median"] || got.StepMs["median"] > got.StepMs["max"] || got.Device == "" {
			t.Errorf("%s: %+v", what, got)
		}
		if len(got.Operations) == 0 {
			t.Fatalf("%s: no operations", what)
		}
		for _, key := range []string{"op", "variant", "ms", "limit_share"} {
			if _, ok := got.Operations[0][key]; !ok {
				t.Errorf("%s: operations have no %s", what, key)
			}
		}
		var events struct {
			TraceEvents []struct {
				Name, Ph string
				Dur      float64
				Args     map[string]any
			}
		}
		decode(t, read(t, trace), &events)
		operations := 0
		for _, e := range events.TraceEvents {
			if e.Ph == "X" {
				operations++
				if e.Args["variant"] == "" || e.Dur < 0 {
					t.Errorf("%s: trace event %+v", what, e)
				}
			}
		}
		if operations < 20 { // as many convolutions alone
			t.Errorf("%s: %s operations in the trace", what, strconv.Itoa(operations))
		}
	}
}

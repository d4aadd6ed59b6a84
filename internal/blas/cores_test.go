package blas

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestCoreType(t *testing.T) {
	none, avx2, avx512 := instructions{}, instructions{avx2: true}, instructions{avx2: true, avx512: true}
	for _, test := range []struct {
		core        string
		has         instructions
		environment []string
		want        string
	}{
		{"Prescott", avx512, []string{"HOME=/root"}, "SkylakeX"},
		{"Prescott", avx2, nil, "Haswell"},
		{"Sandybridge", avx512, nil, "SkylakeX"},
		{"Steamroller", avx2, nil, "Haswell"},
		{"Opteron_SSE3", none, nil, ""},
		{"Prescott", instructions{avx512: true}, nil, ""}, // an emulator's odd choice: SkylakeX's kernels use AVX2 and FMA too
		{"Haswell", avx512, nil, ""},                      // OpenBLAS's own decision
		{"Zen", avx2, nil, ""},
		{"Cooperlake", avx512, nil, ""},
		{"SapphireRapids", avx512, nil, ""},
		{"armv8", none, nil, ""},
		{"", avx512, nil, ""}, // gonum
		{"Prescott", avx512, []string{"OPENBLAS_CORETYPE=Prescott"}, ""},
		{"Prescott", avx512, []string{"OPENBLAS_CORETYPE="}, ""},
		{"Prescott", avx512, []string{"MY_OPENBLAS_CORETYPE=Prescott", "OPENBLAS_CORETYPES=Prescott"}, "SkylakeX"},
	} {
		if got := coreType(test.core, test.has, test.environment); got != test.want {
			t.Errorf("coreType(%q, %+v, %q) = %q, want %q", test.core, test.has, test.environment, got, test.want)
		}
	}
}

// childVariable makes the test binary a program that tells how FitProcessor has left it: "fit" calls that as a main does, "again CORE" starts again on any
// machine.
const childVariable = "NCTRAIN_BLAS_TEST_CHILD"

// state of a child.
type state struct {
	Core, Slow, Dir string
	Again           bool
	Process         int
	Args, Own       []string // Own: the variables of this package in its environment
}

func TestMain(m *testing.M) {
	mode := os.Getenv(childVariable)
	if mode == "" {
		os.Exit(m.Run())
	}
	if core, again := strings.CutPrefix(mode, "again "); again && os.Getenv(againVariable) == "" {
		startAgain(core)
	}
	FitProcessor()
	FitProcessor() // nothing happens twice
	s := state{Core: core(), Slow: SlowKernels(), Again: startedAgain, Process: os.Getpid(), Args: os.Args}
	s.Dir, _ = os.Getwd()
	for _, entry := range os.Environ() {
		if strings.HasPrefix(entry, coreVariable+"=") || strings.HasPrefix(entry, againVariable+"=") {
			s.Own = append(s.Own, entry)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
		panic(err)
	}
}

// child runs the test binary in a mode of TestMain, under an argv[0] and in a folder of its own; coreVariable is what environment says or not set.
func child(t *testing.T, mode string, environment ...string) (s state) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Args = []string{"under another name", "--flag", "two words", ""}
	c.Dir = t.TempDir()
	c.Env = slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, coreVariable+"=") })
	c.Env = append(c.Env, childVariable+"="+mode, "PWD="+c.Dir)
	c.Env = append(c.Env, environment...)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("%v in %q", err, out) // two starts would have printed twice
	}
	if s.Process != c.Process.Pid || !slices.Equal(s.Args, c.Args) || s.Dir != c.Dir {
		t.Errorf("the child is process %d with %q in %s, started as %d with %q in %s", s.Process, s.Args, s.Dir, c.Process.Pid, c.Args, c.Dir)
	}
	return s
}

// A core type that the user has set is kept, and where it is slow SlowKernels says so.
func TestCoreTypeOfTheUserIsKept(t *testing.T) {
	for _, value := range []string{"Prescott", ""} {
		s := child(t, "fit", coreVariable+"="+value)
		if s.Again || !slices.Equal(s.Own, []string{coreVariable + "=" + value}) {
			t.Errorf("%s=%s: started again: %t, the environment has %q", coreVariable, value, s.Again, s.Own)
		}
		if want := fmt.Sprintf("unset %s (it is %q)", coreVariable, value); coreType(s.Core, here(), nil) != "" && !strings.HasSuffix(s.Slow, want) {
			t.Errorf("on %s's kernels SlowKernels is %q, want the way out: %s", s.Core, s.Slow, want)
		}
	}
}

// Left alone, no program ends on kernels without AVX2 on a processor that has it; what it was started again with is not in its environment.
func TestKernelsFitTheProcessor(t *testing.T) {
	s := child(t, "fit")
	if s.Slow != "" || coreType(s.Core, here(), nil) != "" {
		t.Errorf("OpenBLAS is left with %s's kernels on a processor of %+v: %s", s.Core, here(), s.Slow)
	}
	if want := coreType(core(), here(), nil); os.Getenv(coreVariable) == "" && (s.Again != (want != "") || (s.Again && s.Core != want)) {
		t.Errorf("this process has %q, its child %q (started again: %t), want %q", core(), s.Core, s.Again, want)
	}
	if len(s.Own) > 0 {
		t.Errorf("the environment has %q", s.Own)
	}
}

// The second start has everything of the first, on any machine; there is no third, even where the kernels are slow still.
func TestStartAgain(t *testing.T) {
	for _, core := range []string{"Haswell", "Prescott"} {
		s := child(t, "again "+core)
		if !s.Again || len(s.Own) > 0 {
			t.Errorf("started again: %t, the environment has %q", s.Again, s.Own)
		}
		if !here().avx2 || !strings.Contains(Name(), "DYNAMIC_ARCH") {
			continue // no choice of kernels
		}
		if s.Core != core || (s.Slow != "") != (core == "Prescott") || strings.Contains(s.Slow, coreVariable) {
			t.Errorf("started again with %s=%s it has the kernels of %s: %q", coreVariable, core, s.Core, s.Slow)
		}
	}
}

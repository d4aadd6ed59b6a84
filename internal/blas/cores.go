package blas

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/cpu"
)

const (
	// coreVariable names the processor whose kernels OpenBLAS takes. It is read when the library is loaded, before main.
	coreVariable = "OPENBLAS_CORETYPE"
	// againVariable marks the second start of a program, whose coreVariable is ours and not the user's.
	againVariable = "NCTRAIN_STARTED_AGAIN"
)

// coresBeforeAVX2 are OpenBLAS's names of x86-64 processors, and with them of kernels, that know no AVX2 (dynamic.c of OpenBLAS 0.3.21, as openblas_get_corename gives them).
var coresBeforeAVX2 = []string{"Katmai", "Coppermine", "Northwood", "Prescott", "Banias", "Atom", "Core2", "Penryn", "Dunnington", "Nehalem", "Sandybridge",
	"Athlon", "Opteron", "Opteron_SSE3", "Barcelona", "Nano", "Bobcat", "Bulldozer", "Piledriver", "Steamroller"}

// instructions of a processor that OpenBLAS has kernels for.
type instructions struct {
	avx2   bool // AVX2 and FMA
	avx512 bool // F, VL, BW and DQ
}

func here() instructions {
	x := &cpu.X86
	return instructions{avx2: x.HasAVX2 && x.HasFMA, avx512: x.HasAVX512F && x.HasAVX512VL && x.HasAVX512BW && x.HasAVX512DQ}
}

// coreType is what coreVariable should say where the kernels of core know no AVX2 although the processor does; empty where core or the user's own choice stands.
func coreType(core string, has instructions, environment []string) string {
	isSet := func(entry string) bool { return strings.HasPrefix(entry, coreVariable+"=") }
	switch {
	case !has.avx2 || !slices.Contains(coresBeforeAVX2, core) || slices.ContainsFunc(environment, isSet):
		return ""
	case has.avx512:
		return "SkylakeX"
	}
	return "Haswell"
}

// startedAgain is whether this is the second start.
var startedAgain bool

// FitProcessor is the first call of a main. Where OpenBLAS does not know the processor and has fallen back to kernels without AVX2, which the processor has, it starts the
// program again (the same process, arguments, environment and folder) with OPENBLAS_CORETYPE set, once: Debian 12's 0.3.21 takes Prescott's kernels on Emerald Rapids, and with
// them 3.2 times as long for NC and OOD of 50,000 x 512 rows; the second start costs 7 ms. A variable that the user has set is kept, also an empty one. Where the start
// fails the program goes on as it is, and SlowKernels tells.
func FitProcessor() {
	if startedAgain {
		return
	}
	if os.Getenv(againVariable) != "" {
		startedAgain = true
		// OpenBLAS has read it; neither is for the programs that this one starts.
		os.Unsetenv(againVariable)
		os.Unsetenv(coreVariable)
		return
	}
	if core := coreType(core(), here(), os.Environ()); core != "" {
		startAgain(core)
	}
}

// startAgain comes back only where it fails.
func startAgain(core string) {
	if self, err := os.Executable(); err == nil {
		_ = syscall.Exec(self, os.Args, append(os.Environ(), coreVariable+"="+core, againVariable+"=1"))
	}
}

// SlowKernels says why OpenBLAS's kernels are slower than the processor allows, and the way out; empty where they are not.
func SlowKernels() string {
	better := coreType(core(), here(), nil)
	if better == "" {
		return ""
	}
	slow := fmt.Sprintf("kernels of %s, without the AVX2 that this processor has: ", core())
	switch chosen, set := os.LookupEnv(coreVariable); {
	case set:
		return slow + fmt.Sprintf("unset %s (it is %q)", coreVariable, chosen)
	case startedAgain:
		return slow + "this OpenBLAS has no others: install one that is built with DYNAMIC_ARCH=1, as Debian's and Ubuntu's are (apt-get install libopenblas-dev)"
	}
	return slow + fmt.Sprintf("set %s=%s", coreVariable, better)
}

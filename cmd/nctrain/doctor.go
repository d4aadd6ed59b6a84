package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"nctrain/cmd/nctrain/internal/table"
	"nctrain/cmd/nctrain/internal/version"
	"nctrain/internal/blas"
	"nctrain/kernels"
)

// finding is one line of `doctor`.
type finding struct {
	What  string `json:"what"`
	Found string `json:"found"`
	Fix   string `json:"fix,omitempty"` // the command that brings what is missing
}

func newDoctorCommand() *cobra.Command {
	var device deviceFlags
	var output outputFlags
	c := &cobra.Command{
		Use: "doctor", Short: "Device, instruction set, BLAS, variants; what is missing and the command that brings it", Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := device.open()
			if err != nil {
				return err
			}
			defer m.Close()
			findings := examine(m)
			out := output.stdout(c)
			t := table.New("what", "found").Left(1)
			missing := 0
			for _, f := range findings {
				t.Row(f.What, f.Found)
				if f.Fix != "" {
					missing++
				}
			}
			if err := t.Write(out, ""); err != nil {
				return err
			}
			if missing == 0 {
				fmt.Fprintln(out, "nothing is missing")
			}
			for _, f := range findings {
				if f.Fix != "" {
					fmt.Fprintf(out, "%s: %s\n", f.What, f.Fix)
				}
			}
			return output.write(findings)
		},
	}
	device.register(c.Flags())
	output.register(c.Flags())
	return c
}

func examine(m *machine) []finding {
	caps := m.Capabilities()
	isa := finding{What: "instruction set", Found: caps.ISA}
	threads := fmt.Sprintf("%d of %d cores", caps.Threads, runtime.NumCPU())
	if caps.Kind == kernels.CUDA {
		threads = fmt.Sprintf("%d cores, for the analysis", runtime.NumCPU())
	} else if capped := os.Getenv("NCTRAIN_CPU_ISA"); capped != "" {
		isa.Found += " (NCTRAIN_CPU_ISA=" + capped + ")"
	}
	var variants []string
	for _, op := range kernels.Ops() {
		if rows := kernels.Variants(op.ID, caps.Kind); len(rows) > 1 {
			var names []string
			for _, v := range rows {
				if m.chosen(v) {
					names = append(names, v.Name)
				}
			}
			text := op.Name + "=" + strings.Join(names, "|")
			if m.options.Choice[op.ID] != "" {
				text += " (pinned)"
			}
			variants = append(variants, text)
		}
	}
	return []finding{
		{What: "nctrain", Found: fmt.Sprintf("%s, %s, %s/%s", version.String(), runtime.Version(), runtime.GOOS, runtime.GOARCH)},
		{What: "device", Found: m.Description()},
		isa,
		{What: "precisions", Found: precisions(caps.Precisions)},
		{What: "threads", Found: threads},
		examineBLAS(),
		examineCUDA(),
		{What: "choice of variants", Found: strings.Join(variants, ", ")},
	}
}

// precisions tells those of training apart from the tests'.
func precisions(list []kernels.Precision) string {
	var names []string
	tests := ""
	for _, p := range list {
		if p == kernels.FP64 {
			tests = " (kernels also in fp64, for tests)"
			continue
		}
		names = append(names, p.String())
	}
	return "trains in " + strings.Join(names, ", ") + tests
}

// examineBLAS tells what the analysis computes with.
func examineBLAS() finding {
	f := finding{What: "BLAS of the analysis", Found: blas.Name(), Fix: blas.SlowKernels()}
	if !strings.Contains(strings.ToLower(f.Found), "openblas") {
		f.Fix = "OpenBLAS would speed the analysis up: apt-get install libopenblas-dev liblapacke-dev, then make build"
		if found, _ := filepath.Glob("/usr/lib*/*/libopenblas*.so*"); len(found) > 0 {
			f.Fix = "OpenBLAS is installed, this build leaves it out: make build (with liblapacke-dev installed too)"
		}
	}
	return f
}

// examineCUDA tells which driver is at work, and whether a card lies idle.
func examineCUDA() finding {
	state, problem := kernels.DriverState()
	f := finding{What: "CUDA", Found: state}
	if problem == "" {
		return f
	}
	f.Found = problem
	cards, _ := filepath.Glob("/dev/nvidia[0-9]*")
	switch {
	case len(cards) == 0:
	case !kernels.HaveCUDA:
		f.Found += fmt.Sprintf(" (%d NVIDIA cards are here)", len(cards))
		f.Fix = "make cuda, and --device cuda trains on them"
	default:
		f.Fix = fmt.Sprintf("%d NVIDIA cards are here, and no driver: install NVIDIA's, 580 or later (Debian, Ubuntu: apt-get install nvidia-driver)", len(cards))
	}
	return f
}

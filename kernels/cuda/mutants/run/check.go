package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"nctrain/kernels"
)

// checkFlop bounds the shapes that a mutant is tried on: what the emulated driver does in a second or so.
const checkFlop = 2.5e6

// A child process checks one kernel: a fault may also hang or kill it.
const (
	exitCaught  = 3
	exitUntried = 1
	childLimit  = 5 * time.Minute
	childSwitch = "-check"
)

// check runs a kernel's conformance at its operation's smaller shapes, and says what it finds first.
func check(kernel string) error {
	dev, err := kernels.OpenCUDA()
	if err != nil {
		return err
	}
	defer dev.Close()
	calls := 0
	for _, op := range kernels.Ops() {
		for _, v := range kernels.Variants(op.ID, kernels.CUDA) {
			if v.KernelName() != kernel {
				continue
			}
			shapes := slices.DeleteFunc(slices.Clone(op.Shapes), func(s kernels.Shape) bool { return op.Flop(s) > checkFlop })
			slices.SortStableFunc(shapes, func(a, b kernels.Shape) int { return cmp.Compare(op.Flop(a), op.Flop(b)) })
			for _, s := range shapes {
				for _, p := range v.Precisions {
					// The other precisions of a kernel that has float32 run the same code.
					if p != v.Precisions[0] && slices.Contains(v.Precisions, kernels.FP32) || v.Check(s, p, dev.Capabilities()) != nil {
						continue
					}
					r, err := kernels.Check(dev, v, p, s, 1)
					if err != nil {
						return caught{err}
					}
					calls += r.Calls
				}
			}
		}
	}
	if calls == 0 {
		return fmt.Errorf("mutants: no row of the table has the kernel %s, or none of its shapes is small enough", kernel)
	}
	return nil
}

// caught is what a mutant should end with.
type caught struct{ error }

// child is the check in a process of its own.
func child(kernel string) {
	err := check(kernel)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	if errors.As(err, &caught{}) {
		os.Exit(exitCaught)
	}
	os.Exit(exitUntried)
}

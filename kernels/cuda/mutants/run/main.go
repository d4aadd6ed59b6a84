// Run puts faults into the kernels of kernels/cuda, one at a time, and sees whether the conformance suite under the emulated driver catches each: every barrier
// left out, and the faults of mutants.Table. It is run by `make mutants`, which makes what it needs; a mutant that nothing catches makes it exit with 1.
//
// With -only TEXT it tries the mutants with TEXT in their file or fault.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"nctrain/cudart/emu"
	"nctrain/kernels/cuda/mutants"
)

const folder = "kernels/cuda"

func main() {
	if len(os.Args) == 3 && os.Args[1] == childSwitch {
		child(os.Args[2])
		return
	}
	only := flag.String("only", "", "only the mutants with this text in their file or fault")
	jobs := flag.Int("jobs", max(1, runtime.NumCPU()/2), "mutants at a time")
	flag.Parse()
	if err := run(*only, *jobs); err != nil {
		fmt.Fprintln(os.Stderr, "nctrain:", err)
		os.Exit(1)
	}
}

func run(only string, jobs int) error {
	src, err := mutants.ReadSources(folder)
	if err != nil {
		return err
	}
	var chosen []mutants.Mutant
	for _, m := range src.Mutants() {
		// Each applies, chosen or not.
		if _, err := m.Apply(src[m.File]); err != nil {
			return err
		}
		if strings.Contains(m.String(), only) {
			chosen = append(chosen, m)
		}
	}
	r := runner{sources: src, sound: map[string]*soundness{}}
	for _, name := range src.Names() {
		r.sound[strings.TrimSuffix(name, ".cu")] = &soundness{}
	}
	outcomes := make([]outcome, len(chosen))
	slots := make(chan struct{}, jobs)
	var wait sync.WaitGroup
	var printing sync.Mutex
	for i, m := range chosen {
		slots <- struct{}{}
		wait.Go(func() {
			outcomes[i] = r.try(m)
			printing.Lock()
			fmt.Println(outcomes[i])
			printing.Unlock()
			<-slots
		})
	}
	wait.Wait()
	n := 0
	var failed []error
	for _, o := range outcomes {
		if o.by != "" {
			n++
		}
		failed = append(failed, o.err)
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	fmt.Printf("mutants: %d caught of %d\n", n, len(chosen))
	if n < len(chosen) {
		return fmt.Errorf("mutants: %d live: the suite does not see these faults, or what they remove is not needed", len(chosen)-n)
	}
	return nil
}

// outcome of a mutant: the kernel whose check caught it and what that said, or nothing.
type outcome struct {
	mutants.Mutant
	by, report string
	err        error // the mutant could not be tried
}

func (o outcome) String() string {
	switch {
	case o.err != nil:
		return fmt.Sprintf("ERROR  %v: %v", o.Mutant, o.err)
	case o.by == "":
		return fmt.Sprintf("LIVES  %v", o.Mutant)
	}
	return fmt.Sprintf("caught %v\n       %s", o.Mutant, o.report)
}

type runner struct {
	sources mutants.Sources
	sound   map[string]*soundness
}

// soundness is a kernel as it stands: its image, for a fault that does not change it need not be checked (a header serves many kernels, and not each has in it what
// the fault changes); and the outcome of its check, for one that fails anyway catches nothing.
type soundness struct {
	compiled, checked sync.Once
	image             []byte
	compileErr, err   error
}

func (r runner) soundImage(kernel string) ([]byte, error) {
	s := r.sound[kernel]
	s.compiled.Do(func() { s.image, s.compileErr = r.compile(kernel, r.sources) })
	return s.image, s.compileErr
}

func (r runner) soundCheck(kernel string) error {
	s := r.sound[kernel]
	s.checked.Do(func() {
		if report, caught, err := checkIn("", kernel); err != nil || caught {
			s.err = errors.Join(fmt.Errorf("%s fails without a fault: %s", kernel, report), err)
		}
	})
	return s.err
}

// try puts the fault into each kernel that its file is part of, until one is caught.
func (r runner) try(m mutants.Mutant) outcome {
	o := outcome{Mutant: m}
	for _, kernel := range r.sources.Kernels(m.File) {
		report, caught, err := r.inKernel(m, kernel)
		if o.err = err; err != nil {
			return o
		}
		if caught {
			o.by, o.report = kernel, report
			return o
		}
	}
	return o
}

// inKernel compiles a kernel with the fault and checks it.
func (r runner) inKernel(m mutants.Mutant, kernel string) (report string, caught bool, err error) {
	faulty := maps.Clone(r.sources)
	if faulty[m.File], err = m.Apply(faulty[m.File]); err != nil {
		return "", false, err
	}
	sound, err := r.soundImage(kernel)
	if err != nil {
		return "", false, err
	}
	image, err := r.compile(kernel, faulty)
	if err != nil || bytes.Equal(image, sound) {
		return "", false, err
	}
	if err := r.soundCheck(kernel); err != nil {
		return "", false, err
	}
	dir, err := os.MkdirTemp("", "nctrain-mutant")
	if err != nil {
		return "", false, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, kernel+".so"), image, 0o644); err != nil {
		return "", false, err
	}
	return checkIn(dir, kernel)
}

// compile gives a kernel's image, which the sources alone determine.
func (runner) compile(kernel string, sources mutants.Sources) ([]byte, error) {
	dir, err := os.MkdirTemp("", "nctrain-mutant")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for name, text := range sources {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	// A fault may leave something unused.
	return emu.Compile(".", filepath.Join(dir, kernel+".cu"), "-w", "-ffile-prefix-map="+dir+"=.")
}

// checkIn checks a kernel in a process of its own, its image from a folder.
func checkIn(images, kernel string) (report string, caught bool, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", false, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), childLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, childSwitch, kernel)
	cmd.Env = append(os.Environ(), "NCTRAIN_CUDA_IMAGES="+images)
	out, err := cmd.CombinedOutput()
	report = firstLine(string(out))
	var exit *exec.ExitError
	switch {
	case err == nil:
		return report, false, nil
	case ctx.Err() != nil:
		return fmt.Sprintf("did not end within %v", childLimit), true, nil
	case errors.As(err, &exit) && exit.ExitCode() != exitUntried:
		return report, true, nil // by a rule, a number, or what a wild access does to the process
	}
	return report, false, fmt.Errorf("check of %s: %w: %s", kernel, err, report)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

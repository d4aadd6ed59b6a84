package emu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Image gives a test's own .cu source for the driver at work: for the emulated one compiled, or as the .so that lies in the source's place (the archive of
// `make gpu-bundle` has no compiler); for a real one the .fatbin that lies there. Without a fatbin the error wraps [fs.ErrNotExist].
func Image(emulated bool, root, source string) ([]byte, error) {
	base := strings.TrimSuffix(source, ".cu")
	if !emulated {
		image, err := os.ReadFile(base + ".fatbin")
		if err != nil {
			return nil, fmt.Errorf("emu: %w: the archive of make gpu-bundle has it", err)
		}
		return image, nil
	}
	if image, err := os.ReadFile(base + ".so"); !errors.Is(err, fs.ErrNotExist) {
		return image, err
	}
	return Compile(root, source)
}

// Compile makes of a .cu source the image that the emulated driver takes where a real one takes a fatbin. root is the repository's, where
// build/libcuda_emu.so must be; flags go to g++.
func Compile(root, source string, flags ...string) ([]byte, error) {
	library := filepath.Join(root, "build", "libcuda_emu.so")
	if _, err := os.Stat(library); err != nil {
		return nil, fmt.Errorf("emu: %s is not there: make emu", library)
	}
	dir, err := os.MkdirTemp("", "nctrain-emu")
	if err != nil {
		return nil, fmt.Errorf("emu: %w", err)
	}
	defer os.RemoveAll(dir)
	intermediate, object := filepath.Join(dir, "kernel.o"), filepath.Join(dir, "kernel.so")
	// No contraction: the sources say where a multiply-add is fused, and nvcc is called with -fmad=false.
	compile := append([]string{"-x", "c++", "-std=c++20", "-O1", "-g", "-fPIC", "-fsanitize=thread,signed-integer-overflow", "-ffp-contract=off", "-Wall", "-Wextra", "-Wno-unknown-pragmas",
		"-I" + filepath.Join(root, "cudart/emu/include"), "-c", source, "-o", intermediate}, flags...)
	if out, err := exec.Command("g++", compile...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("emu: compile %s: %w\n%s", source, err, out)
	}
	// Linked without -fsanitize=thread: its hooks are the driver's.
	if out, err := exec.Command("g++", "-shared", "-o", object, intermediate, library).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("emu: link %s: %w\n%s", source, err, out)
	}
	return os.ReadFile(object)
}

package emu

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Compile makes of a .cu source the shared object that the emulated driver takes where a real one takes a fatbin. root is the repository's, where
// build/libcuda_emu.so must be; flags go to g++.
func Compile(root, source, object string, flags ...string) error {
	library := filepath.Join(root, "build", "libcuda_emu.so")
	if _, err := os.Stat(library); err != nil {
		return fmt.Errorf("emu: %s is not there: make emu", library)
	}
	intermediate := object + ".o"
	defer os.Remove(intermediate)
	// No contraction: the sources say where a multiply-add is fused, and nvcc is called with -fmad=false.
	compile := append([]string{"-x", "c++", "-std=c++20", "-O1", "-g", "-fPIC", "-fsanitize=thread", "-ffp-contract=off", "-Wall", "-Wextra",
		"-I" + filepath.Join(root, "cudart/emu/include"), "-c", source, "-o", intermediate}, flags...)
	if out, err := exec.Command("g++", compile...).CombinedOutput(); err != nil {
		return fmt.Errorf("emu: compile %s: %w\n%s", source, err, out)
	}
	// Linked without -fsanitize=thread: its hooks are the driver's.
	if out, err := exec.Command("g++", "-shared", "-o", object, intermediate, library).CombinedOutput(); err != nil {
		return fmt.Errorf("emu: link %s: %w\n%s", source, err, out)
	}
	return nil
}

//go:build cuda

package driver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gorgonia.org/cu"
)

// TestMain reports what a program linked with the late-bound driver sees, when the tests below start it again.
func TestMain(m *testing.M) {
	if os.Getenv("NCTRAIN_DRIVER_TEST_REPORT") == "" {
		os.Exit(m.Run())
	}
	n, err := cu.NumDevices()
	_, memErr := cu.MemAlloc(1)
	fmt.Printf("devices=%d err=%v alloc=%v path=%s missing=%s problem=%s", n, err, memErr, Path(), Missing(), Problem())
}

// report starts this test program with the given driver.
func report(t *testing.T, driver string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "NCTRAIN_DRIVER_TEST_REPORT=1", "NCTRAIN_CUDA_DRIVER="+driver)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("a program without a CUDA driver must start: %v\n%s", err, out)
	}
	return string(out)
}

func expect(t *testing.T, out string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("the report lacks %q:\n%s", part, out)
		}
	}
}

// standIn compiles a driver of a few lines.
func standIn(t *testing.T, source string) string {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc to compile a stand-in driver with")
	}
	dir := t.TempDir()
	c, so := filepath.Join(dir, "standin.c"), filepath.Join(dir, "libstandin.so")
	if err := os.WriteFile(c, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(gcc, "-shared", "-fPIC", "-o", so, c).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return so
}

func TestStartsWithoutADriver(t *testing.T) {
	expect(t, report(t, "/nowhere/libcuda.so"), "devices=0 err=<nil>", "alloc=NoDevice", "path=/nowhere/libcuda.so", "problem=/nowhere/libcuda.so: cannot open")
}

func TestTakesAStandIn(t *testing.T) {
	so := standIn(t, `int cuInit(unsigned f) { return 0; }
int cuDeviceGetCount(int* n) { *n = 3; return 0; }
int cuMemAlloc_v2(unsigned long long* p, unsigned long n) { *p = 4096; return n == 1 ? 2 : 0; }`)
	expect(t, report(t, so), "devices=3 err=<nil>", "alloc=OutOfMemory", "missing= problem=")
}

// A driver that is older than the headers lacks functions; the first that is missed is named.
func TestNamesAFunctionThatTheDriverLacks(t *testing.T) {
	so := standIn(t, `int cuInit(unsigned f) { return 0; }
int cuDeviceGetCount(int* n) { *n = 1; return 0; }`)
	expect(t, report(t, so), "devices=1", "alloc=NotSupported", "missing=cuMemAlloc_v2")
}

// A real driver on a machine without a card fails in cuInit, which must not end the program.
func TestADriverThatDoesNotStartIsNoDevice(t *testing.T) {
	so := standIn(t, `int cuInit(unsigned f) { return 999; }
int cuGetErrorString(int e, const char** s) { *s = "no such luck"; return 0; }
int cuDeviceGetCount(int* n) { *n = 5; return 0; }`)
	expect(t, report(t, so), "devices=0 err=<nil>", "alloc=NoDevice", "problem=cuInit: no such luck (CUDA error 999)")
}

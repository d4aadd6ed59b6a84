package cpu

import (
	"bufio"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// Each instruction set's code stays in its namespace. A template or inline function that two isa_*.cpp instantiate outside of it is kept once by the
// linker, perhaps as AVX-512 code, and ends the program on a machine without. No kernel calls an allocator either.
func TestISAsDoNotLeak(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("reads x86-64 code")
	}
	if testing.Short() {
		t.Skip("disassembles the package")
	}
	objdump, err := exec.LookPath("objdump")
	if err != nil {
		t.Skip("objdump (binutils) is not installed")
	}
	archive := filepath.Join(t.TempDir(), "cpu.a") // the package's objects, before a linker chose among their copies
	if out, err := exec.Command("go", "build", "-o", archive, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command(objdump, "--disassemble", "--reloc", "--no-show-raw-insn", archive)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var (
		header    = regexp.MustCompile(`^[0-9a-f]+ <(.*)>:$`)
		vex       = regexp.MustCompile(`\tv[a-z0-9]+ `) // every VEX or EVEX mnemonic starts with v
		evex      = regexp.MustCompile(`%zmm|%[xy]mm(1[6-9]|2[0-9]|3[01])|%k[0-7]`)
		allocator = regexp.MustCompile(`R_X86_64_\w+\t(malloc|calloc|realloc|aligned_alloc|posix_memalign|_Zn[wa])`)
	)
	symbol, namespace := "", ""
	wide := map[string]int{} // instructions of the widest vectors, by namespace
	failures := 0
	fail := func(why, line string) {
		if failures++; failures <= 20 {
			t.Errorf("%s %s: %s", symbol, why, strings.TrimSpace(line))
		}
	}
	scanner := bufio.NewScanner(pipe)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := scanner.Text()
		if m := header.FindStringSubmatch(line); m != nil {
			symbol, namespace = m[1], ""
			for _, isa := range []string{"baseline", "avx2", "avx512"} {
				if strings.Contains(symbol, fmt.Sprintf("3nct%d%s", len(isa), isa)) { // nct::isa, mangled
					namespace = isa
				}
			}
			continue
		}
		if namespace != "" && allocator.MatchString(line) {
			fail("allocates", line)
		}
		switch namespace {
		case "avx512":
			if strings.Contains(line, "%zmm") {
				wide[namespace]++
			}
		case "avx2":
			if evex.MatchString(line) {
				fail("holds AVX-512 code", line)
			}
			if strings.Contains(line, "%ymm") {
				wide[namespace]++
			}
		default:
			if vex.MatchString(line) {
				fail("holds AVX code", line)
			}
			if namespace == "baseline" && strings.Contains(line, "mulps") {
				wide[namespace]++
			}
		}
	}
	_ = cmd.Wait() // it complains of the archive's members that are Go's; what it must have found is counted
	for _, isa := range []string{"baseline", "avx2", "avx512"} {
		if wide[isa] < 20 {
			t.Errorf("%d vector instructions found in nct::%s: the test does not see the kernels", wide[isa], isa)
		}
	}
}

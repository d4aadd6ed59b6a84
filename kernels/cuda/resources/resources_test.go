package main

import (
	"strings"
	"testing"
)

// What NVIDIA's occupancy calculator gives for these.
func TestOccupancy(t *testing.T) {
	for _, c := range []struct {
		arch                       string
		threads, registers, shared int
		blocks                     int
		share                      float64
	}{
		{"sm_80", 256, 32, 0, 8, 1},
		{"sm_80", 256, 64, 0, 4, 0.5},
		{"sm_80", 256, 65, 0, 3, 0.375},
		{"sm_80", 128, 168, 73728, 2, 0.125},
		{"sm_90a", 128, 168, 73728, 3, 0.1875},
		{"sm_90a", 1, 16, 0, 32, 0.5},
		{"sm_90a", 1024, 64, 0, 1, 0.5},
		{"sm_90a", 1024, 72, 0, 0, 0},
	} {
		blocks, share := multiprocessors[c.arch].occupancy(c.threads, c.registers, c.shared)
		if blocks != c.blocks || share != c.share {
			t.Errorf("%+v: %d blocks, %g of the warps", c, blocks, share)
		}
	}
}

const report = `
Fatbin elf code:
================
arch = sm_80
identifier = k.cu

Resource usage:
 Common:
  GLOBAL:0
 Function k:
  REG:34 STACK:8 SHARED:16 LOCAL:4 CONSTANT[0]:424 TEXTURE:0 SURFACE:0 SAMPLER:0

Fatbin elf code:
================
arch = sm_90a
identifier = k.cu

Resource usage:
 Common:
  GLOBAL:0
 Function k:
  REG:32 STACK:0 SHARED:0 LOCAL:0 CONSTANT[0]:424 TEXTURE:0 SURFACE:0 SAMPLER:0
`

// Two loops: the second has the products, with a spill and a narrow load in it.
const disassembly = `
		Function : k
	.headerflags	@"EF_CUDA_SM80"
        /*0000*/                   LDG.E.128.CONSTANT R4, [R2.64] ;      /* 0x00000a00ff017b82 */
                                                                         /* 0x000fe20000000800 */
        /*0010*/                   STG.E [R2.64], R4 ;                   /* 0x00000a00ff017b82 */
        /*0020*/              @P0 BRA 0x0 ;                              /* 0x00000a00ff017b82 */
        /*0030*/                   LDGSTS.E.BYPASS.128 [R3], [R2.64] ;   /* 0x00000a00ff017b82 */
        /*0040*/                   LDGDEPBAR ;                           /* 0x00000a00ff017b82 */
        /*0050*/                   LDG.E R4, [R2.64] ;                   /* 0x00000a00ff017b82 */
        /*0060*/                   LDL R4, [R1] ;                        /* 0x00000a00ff017b82 */
        /*0070*/                   HMMA.1688.F32.TF32 R4, R8, R10, R4 ;  /* 0x00000a00ff017b82 */
        /*0080*/             @!UP0 BRA 0x30 ;                             /* 0x00000a00ff017b82 */
        /*0090*/                   EXIT ;                                /* 0x00000a00ff017b82 */
        /*00a0*/                   BRA 0xa0;                             /* 0x00000a00ff017b82 */
`

func TestReadingWhatTheCompilerSays(t *testing.T) {
	if got := parseUsage(report, "sm_80")["k"]; got != (usage{registers: 34, stack: 8, shared: 16, local: 4}) {
		t.Errorf("%+v", got)
	}
	if got := parseUsage(report, "sm_90a")["k"]; got != (usage{registers: 32}) {
		t.Errorf("%+v", got)
	}
	code := parseCode(disassembly)["k"]
	if len(code) != 11 {
		t.Fatalf("%d instructions, not 11: %v", len(code), code)
	}
	loop := hotLoop(code)
	if len(loop) != 6 || loop[0].address != 0x30 || countIf(loop, isMatrix) != 1 {
		t.Errorf("hot loop %v", loop)
	}
	if global, wide, local := countIf(code, isGlobal), countIf(code, isWide), countIf(code, isLocal); global != 4 || wide != 2 || local != 1 {
		t.Errorf("%d global accesses, %d of 16 bytes, %d local", global, wide, local)
	}
}

// Every rule says what it finds.
func TestProblems(t *testing.T) {
	e := expectation{function: "k", threads: 256, percent: 100, wide: true, products: true, matrix: true}
	bad := function{"k", "k", "sm_80", usage{registers: 65, stack: 8}, parseCode(disassembly)["k"]}
	found := strings.Join(e.problems(bad), "\n")
	for _, want := range []string{"8 bytes of stack", "1 accesses of local memory", "3 blocks of 256 threads", "1 narrow accesses"} {
		if !strings.Contains(found, want) {
			t.Errorf("%q does not say %q", found, want)
		}
	}
	bad.code = bad.code[9:]
	found = strings.Join(e.problems(bad), "\n")
	for _, want := range []string{"no access of 16 bytes of global memory\n", "in its hot loop", "no HMMA"} {
		if !strings.Contains(found, want) {
			t.Errorf("%q does not say %q", found, want)
		}
	}
	if err := check([]function{bad}); err == nil || !strings.Contains(err.Error(), "k states nothing") || !strings.Contains(err.Error(), "no kernel has add_direct") {
		t.Errorf("a function without a line, and lines without a function: %v", err)
	}
}

package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// A kernel is tested on operands in mapped memory with guard bands around each, at every instruction set and precision of this machine and on 1 to 4
// threads, against a reference that is written in Go next to its test. Inputs are float32 numbers, so the reference does not depend on the precision.

type kind int

const (
	realKind kind = iota // float32 or float64, the kernel's own
	float64Kind
	int32Kind
	int64Kind
	uint8Kind
)

func (k kind) size(bits int) int {
	switch k {
	case realKind:
		return bits / 8
	case int32Kind:
		return 4
	case uint8Kind:
		return 1
	}
	return 8
}

// arg is one operand of a test: its input values (nil: an output, poisoned before the call) and what the call should leave there (nil: what was there).
type arg struct {
	name   string
	kind   kind
	in     []float64
	want   []float64
	bound  []float64 // allowed error of want in units of the precision's roundoff; nil: none
	slack  float64   // allowed error beside it, of arithmetic that is in double under either precision
	absent bool
}

// reals is n random float32 numbers, a tenth of them zero.
func reals(seed uint64, n int) []float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	v := make([]float64, n)
	for i := range v {
		if rng.IntN(10) > 0 {
			v[i] = float64(float32(rng.NormFloat64()))
		}
	}
	return v
}

// block is mapped memory that tests carve up; guard bands hold guardByte.
const (
	guardBytes = 64
	guardByte  = 0xa5
)

type tensor struct {
	bytes []byte // of the operand, inside the mapping
	guard []byte // the operand and its bands
	kind  kind
	bits  int
}

func (x tensor) address() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(x.bytes))) }

func view[T any](x tensor, n int) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(x.bytes))), n)
}

func (x tensor) set(values []float64) {
	for i, v := range values {
		switch {
		case x.kind == int32Kind:
			view[int32](x, len(values))[i] = int32(v)
		case x.kind == int64Kind:
			view[int64](x, len(values))[i] = int64(v)
		case x.kind == uint8Kind:
			x.bytes[i] = uint8(v)
		case x.kind == realKind && x.bits == 32:
			view[float32](x, len(values))[i] = float32(v)
		default:
			view[float64](x, len(values))[i] = v
		}
	}
}

func (x tensor) get(i, n int) float64 {
	switch {
	case x.kind == int32Kind:
		return float64(view[int32](x, n)[i])
	case x.kind == int64Kind:
		return float64(view[int64](x, n)[i])
	case x.kind == uint8Kind:
		return float64(x.bytes[i])
	case x.kind == realKind && x.bits == 32:
		return float64(view[float32](x, n)[i])
	}
	return view[float64](x, n)[i]
}

func (x tensor) guardsIntact() bool {
	before := len(x.guard) - len(x.bytes) - guardBytes
	for i, b := range x.guard {
		if (i < before || i >= before+len(x.bytes)) && b != guardByte {
			return false
		}
	}
	return true
}

// testPool is a pool that the caller closes. An even number of threads has a large second-level cache and an odd one none, so that what must not depend on the
// number of threads must not depend on the cache either.
func testPool(t testing.TB, threads int) *Pool {
	t.Helper()
	pool, err := NewPool(threads)
	if err != nil {
		t.Fatal(err)
	}
	pool.AssumeCache(int64(1-threads%2) << 26)
	return pool
}

// mapBytes maps memory until the test ends.
func mapBytes(t testing.TB, bytes int) []byte {
	t.Helper()
	p, err := Map(int64(bytes))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Unmap(p, int64(bytes)) })
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&p)), bytes)
}

// prepare lays the operands out with guards and poison, and fills the call. skew shifts them off a cache line's start by so many elements.
func prepare(t testing.TB, k Kernel, bits int, s Shape, args []arg, skew int) (*Call, []tensor) {
	t.Helper()
	total := 0
	for _, a := range args {
		total += max(len(a.in), len(a.want))*a.kind.size(bits) + 4*guardBytes
	}
	r := k.Requirements(s)
	memory := mapBytes(t, total+int(r.Workspace)+128)
	call := &Call{Shape: s}
	tensors := make([]tensor, len(args))
	for i, a := range args {
		if a.absent {
			continue
		}
		size := a.kind.size(bits)
		before, length := guardBytes+skew*size, max(len(a.in), len(a.want))*size
		used := (before + length + guardBytes + 63) / 64 * 64
		x := tensor{bytes: memory[before : before+length], guard: memory[:used], kind: a.kind, bits: bits}
		for j := range x.guard {
			x.guard[j] = guardByte
		}
		x.guard = x.guard[:before+length+guardBytes]
		for j := range x.bytes {
			x.bytes[j] = 0xff // NaN in either precision
		}
		x.set(a.in)
		call.Operand[i] = x.address()
		tensors[i] = x
		memory = memory[used:]
	}
	if r.Workspace > 0 {
		for i := range memory[:r.Workspace] {
			memory[i] = 0xff
		}
		call.Workspace = uintptr(unsafe.Pointer(&memory[0]))
	}
	return call, tensors
}

func roundoff(bits int) float64 {
	if bits == 64 {
		return 0x1p-53
	}
	return 0x1p-24
}

// checkKernel runs the kernel everywhere on args and compares.
func checkKernel(t *testing.T, name string, s Shape, args []arg, scalars []float64, flags uint32) {
	t.Helper()
	for _, isa := range SupportedISAs() {
		for _, bits := range []int{32, 64} {
			k, ok := Find(name, isa, bits)
			if !ok {
				if bits == 64 && !slices.Contains(Names(isa, 64), name) && slices.Contains(Names(isa, 32), name) {
					continue
				}
				t.Fatalf("no kernel %s at %v, %d bits", name, isa, bits)
			}
			var first []tensor
			for threads := 1; threads <= 4; threads++ {
				label := fmt.Sprintf("%s %v %d bits %d threads %+v flags %d", name, isa, bits, threads, s, flags)
				pool := testPool(t, threads)
				call, tensors := prepare(t, k, bits, s, args, threads%2*3)
				copy(call.Scalar[:], scalars)
				call.Flags = flags
				if err := pool.Reserve(k.Requirements(s).Scratch); err != nil {
					t.Fatal(err)
				}
				Run(k, call, pool)
				pool.Close()
				if first == nil {
					first = tensors
					checkOperands(t, label, args, tensors, roundoff(bits))
				}
				for i, x := range tensors {
					if !x.guardsIntact() {
						t.Fatalf("%s: wrote outside %s", label, args[i].name)
					}
					if string(x.bytes) != string(first[i].bytes) {
						t.Fatalf("%s: %s differs from that of one thread", label, args[i].name)
					}
				}
			}
		}
	}
}

func checkOperands(t *testing.T, label string, args []arg, tensors []tensor, eps float64) {
	t.Helper()
	for i, a := range args {
		if a.absent {
			continue
		}
		x := tensors[i]
		if !x.guardsIntact() {
			t.Fatalf("%s: wrote outside %s", label, a.name)
		}
		want := a.want
		if want == nil {
			want = a.in
		}
		for j, w := range want {
			allowed := a.slack
			if a.want != nil && a.bound != nil {
				allowed += a.bound[j] * eps
			}
			if got := x.get(j, len(want)); got != w && !(math.Abs(got-w) <= allowed) && !(math.IsNaN(got) && math.IsNaN(w) && a.in != nil) {
				t.Fatalf("%s: %s[%d] = %v, want %v, allowed error %v", label, a.name, j, got, w, allowed)
			}
		}
	}
}

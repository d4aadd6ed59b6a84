package kernels

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"nctrain/kernels/cpu"
)

// CPUOptions choose how the cpu device computes.
type CPUOptions struct {
	Threads int    // of the pool; 0: one a core
	ISA     string // "avx512", "avx2", "neon" or "baseline" caps the instruction set; empty: $NCTRAIN_CPU_ISA, else the best there is
}

// cpuDevice runs the native kernels of kernels/cpu on a pool of threads. Its arena is a range of addresses as large as the machine's memory, of
// which the system backs what is touched.
type cpuDevice struct {
	pool      *cpu.Pool
	isa       cpu.ISA
	arena     *arena
	base      uintptr
	dirty     int // offsets below it have been handed out before and may not be zero
	recording *cpu.Recording
	captured  map[*cpuRecording]bool // those that are not closed
}

// OpenCPU opens the cpu device.
func OpenCPU(o CPUOptions) (Device, error) {
	isa, err := chooseISA(o.ISA)
	if err != nil {
		return nil, err
	}
	if o.Threads <= 0 {
		o.Threads = runtime.NumCPU()
	}
	size, err := physicalMemory()
	if err != nil {
		return nil, fmt.Errorf("cpu device: %w", err)
	}
	base, err := cpu.Map(int64(size))
	if err != nil {
		return nil, fmt.Errorf("cpu device: reserve %d MiB of addresses: %w", mib(size), err)
	}
	pool, err := cpu.NewPool(o.Threads)
	if err != nil {
		cpu.Unmap(base, int64(size))
		return nil, fmt.Errorf("cpu device: %d threads: %w", o.Threads, err)
	}
	return &cpuDevice{pool: pool, isa: isa, arena: newArena(size), base: base, captured: map[*cpuRecording]bool{}}, nil
}

func chooseISA(name string) (cpu.ISA, error) {
	where := "instruction set"
	if name == "" {
		name, where = os.Getenv("NCTRAIN_CPU_ISA"), "NCTRAIN_CPU_ISA"
	}
	if name == "" {
		return cpu.Detect(), nil
	}
	isa, err := cpu.ParseISA(name)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", where, err)
	}
	return isa, nil
}

func (d *cpuDevice) Kind() Kind { return CPU }

func (d *cpuDevice) Description() string {
	return fmt.Sprintf("%s, %d threads, %v", processorName(), d.pool.Threads(), d.isa)
}

func (d *cpuDevice) Capabilities() Capabilities {
	return Capabilities{Kind: CPU, ISA: d.isa.String(), Precisions: []Precision{FP32, FP64}, Threads: d.pool.Threads()}
}

func (d *cpuDevice) Alloc(bytes int) (Buffer, error) {
	offset, err := d.arena.alloc(bytes)
	if err != nil {
		return Buffer{}, err
	}
	b := Buffer{d.base + uintptr(offset), bytes}
	// Fresh pages are zero, and writing to them here would place them near this thread.
	if n := min(d.dirty-offset, bytes); n > 0 {
		clear(b.host()[:n])
	}
	d.dirty = max(d.dirty, offset+bytes)
	return b, nil
}

func (d *cpuDevice) Free(b Buffer) { d.arena.release(int(b.addr - d.base)) }

// host views a buffer of the cpu device. Its memory is not Go's, so no address of it is kept as a Go pointer.
func (b Buffer) host() []byte {
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&b.addr))), b.bytes)
}

var errCapturing = errors.New("cpu device: copies cannot be captured")

func (d *cpuDevice) Upload(dst Buffer, src []byte) error {
	if d.recording != nil {
		return errCapturing
	}
	copy(dst.Slice(0, len(src)).host(), src)
	return nil
}

func (d *cpuDevice) Download(dst []byte, src Buffer) error {
	if d.recording != nil {
		return errCapturing
	}
	copy(dst, src.Slice(0, len(dst)).host())
	return nil
}

// cpuReadback copies at once: a call is done when Launch returns.
type cpuReadback struct {
	dev  *cpuDevice
	from []Buffer
	host [][]byte
}

func (d *cpuDevice) NewReadback(from ...Buffer) (Readback, error) {
	r := &cpuReadback{dev: d, from: from}
	for _, b := range from {
		r.host = append(r.host, make([]byte, b.bytes))
	}
	return r, nil
}

func (r *cpuReadback) Queue() error {
	for i, b := range r.from {
		if err := r.dev.Download(r.host[i], b); err != nil {
			return err
		}
	}
	return nil
}

func (r *cpuReadback) Ready() (bool, error) { return true, nil }
func (r *cpuReadback) Wait() error          { return nil }
func (r *cpuReadback) Bytes(i int) []byte   { return r.host[i] }
func (r *cpuReadback) Close() error         { return nil }

func (d *cpuDevice) Zero(b Buffer) error {
	if d.recording != nil {
		return errCapturing
	}
	clear(b.host())
	return nil
}

func (d *cpuDevice) find(name string, p Precision) (cpu.Kernel, error) {
	k, ok := cpu.Find(name, d.isa, 8*p.Size())
	if !ok {
		return cpu.Kernel{}, fmt.Errorf("cpu device: no kernel %s for %v, %v: a row of kernels/variants.go names one that kernels/cpu/table.hpp does not list", name, d.isa, p)
	}
	return k, nil
}

func cpuShape(s Shape) cpu.Shape {
	return cpu.Shape{
		N: int64(s.N), H: int64(s.H), W: int64(s.W), C: int64(s.C), K: int64(s.K), R: int64(s.R), S: int64(s.S),
		Stride: int64(s.Stride), Pad: int64(s.Pad),
	}
}

func (d *cpuDevice) Requirements(v *Variant, s Shape, p Precision) (Requirements, error) {
	k, err := d.find(v.KernelName(), p)
	if err != nil {
		return Requirements{}, err
	}
	r := k.Requirements(cpuShape(s))
	return Requirements{Workspace: int(r.Workspace), Packed: int(r.Packed)}, nil
}

func (d *cpuDevice) Launch(v *Variant, c *Call) error {
	k, err := d.find(v.KernelName(), c.Precision)
	if err != nil {
		return err
	}
	call := cpu.Call{Shape: cpuShape(c.Shape), Flags: uint32(c.Flags), Scalar: c.Scalars, Workspace: c.Workspace.addr}
	for i := range c.Operands {
		call.Operand[i] = c.Operands[i].addr
	}
	return d.run(k, &call)
}

func (d *cpuDevice) Pack(v *Variant, s Shape, p Precision, w, packed Buffer) error {
	k, err := d.find(v.KernelName()+"_pack", p)
	if err != nil {
		return err
	}
	return d.run(k, &cpu.Call{Shape: cpuShape(s), Operand: [MaxOperands]uintptr{w.addr, packed.addr}})
}

func (d *cpuDevice) run(k cpu.Kernel, c *cpu.Call) error {
	if err := d.pool.Reserve(k.Requirements(c.Shape).Scratch); err != nil {
		return fmt.Errorf("cpu device: scratch memory: %w", err)
	}
	if d.recording != nil {
		return d.recording.Add(k, c)
	}
	cpu.Run(k, c, d.pool)
	return nil
}

func (d *cpuDevice) Capture(body func() error) (Recording, error) {
	if d.recording != nil {
		return nil, errors.New("cpu device: capture inside a capture")
	}
	rec, err := cpu.NewRecording()
	if err != nil {
		return nil, err
	}
	d.recording = rec
	defer func() { d.recording = nil }()
	if err := body(); err != nil {
		rec.Close()
		return nil, err
	}
	r := &cpuRecording{rec, d}
	d.captured[r] = true
	return r, nil
}

func (d *cpuDevice) Synchronize() error { return nil }

func (d *cpuDevice) Close() error {
	for r := range d.captured {
		_ = r.Close() // it cannot fail
	}
	d.pool.Close()
	cpu.Unmap(d.base, int64(d.arena.size))
	return nil
}

type cpuRecording struct {
	*cpu.Recording
	dev *cpuDevice
}

func (r *cpuRecording) Replay() error {
	r.Recording.Replay(r.dev.pool)
	return nil
}

func (r *cpuRecording) Profile(durations []time.Duration) error {
	ns := make([]int64, r.Len())
	r.Recording.Profile(r.dev.pool, ns)
	for i, t := range ns {
		durations[i] = time.Duration(t)
	}
	return nil
}

func (r *cpuRecording) Close() error {
	delete(r.dev.captured, r)
	r.Recording.Close()
	return nil
}

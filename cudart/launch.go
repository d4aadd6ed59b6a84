//go:build cuda

package cudart

import (
	"fmt"
	"math"
	"unsafe"

	"gorgonia.org/cu"
)

// Module is an image of compiled kernels on a device.
type Module struct {
	device *Device
	module cu.Module
}

// LoadModule loads an image: a fatbin, or for the emulated driver a shared object made from the same source. name is for errors.
func (d *Device) LoadModule(name string, image []byte) (*Module, error) {
	m := &Module{device: d}
	err := d.do(func() (err error) {
		m.module, err = cu.LoadData(string(image))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cudart: load kernels %s (%d bytes) for %s: %w", name, len(image), d.capabilities.SM(), err)
	}
	return m, nil
}

// Close drops the module and its functions.
func (m *Module) Close() error { return m.device.named("close a module", m.module.Unload) }

// Function is a kernel.
type Function struct {
	device   *Device
	name     string
	function cu.Function
	sizes    []int // bytes of each parameter; nil where the driver does not tell
}

// Function finds a kernel by name.
func (m *Module) Function(name string) (*Function, error) {
	f := &Function{device: m.device, name: name}
	err := m.device.named("find kernel "+name, func() (err error) {
		if f.function, err = m.module.Function(name); err == nil {
			f.sizes = parameterSizes(f.function)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// AllowShared lets launches of the kernel have up to bytes of dynamic shared memory; without it 48 KB are the limit.
func (f *Function) AllowShared(bytes int) error {
	return f.device.named(fmt.Sprintf("allow %s %d bytes of shared memory", f.name, bytes), func() error { return allowShared(f.function, bytes) })
}

// Geometry of a launch: blocks, threads a block, and bytes of dynamic shared memory.
type Geometry struct {
	Grid, Block [3]int
	Shared      int
}

// Linear is a geometry of one dimension.
func Linear(blocks, threads int) Geometry {
	return Geometry{Grid: [3]int{blocks, 1, 1}, Block: [3]int{threads, 1, 1}}
}

func (g Geometry) String() string {
	return fmt.Sprintf("grid %dx%dx%d block %dx%dx%d shared %d", g.Grid[0], g.Grid[1], g.Grid[2], g.Block[0], g.Block[1], g.Block[2], g.Shared)
}

// Arg is an argument of a kernel, with the size that the kernel gives it.
type Arg struct {
	bits  uint64
	bytes int
}

// Scalar is an argument by value.
func Scalar[T ~int32 | ~uint32 | ~int64 | ~uint64 | ~float32 | ~float64](v T) Arg {
	switch unsafe.Sizeof(v) {
	case 4:
		return Arg{uint64(*(*uint32)(unsafe.Pointer(&v))), 4}
	default:
		return Arg{*(*uint64)(unsafe.Pointer(&v)), 8}
	}
}

// Pointer is the address of device memory as an argument; 0 is null.
func Pointer(a Address) Arg { return Arg{uint64(a), 8} }

// Launch queues the kernel. Where the driver tells the kernel's parameters, number and sizes of the arguments must be theirs.
func (s *Stream) Launch(f *Function, g Geometry, args ...Arg) error {
	if err := f.accepts(args); err != nil {
		return fmt.Errorf("cudart: launch %s %v: %w", f.name, g, err)
	}
	for _, n := range [...]int{g.Grid[0], g.Grid[1], g.Grid[2], g.Block[0], g.Block[1], g.Block[2]} {
		if n < 1 || n > math.MaxInt32 {
			return fmt.Errorf("cudart: launch %s %v: every dimension is from 1 to 2^31-1", f.name, g)
		}
	}
	var slots [maxParameters]uint64
	for i, a := range args {
		slots[i] = a.bits
	}
	err := s.device.do(func() error { return nativeLaunch(f.function, g, s.stream, &slots, len(args)) })
	if err != nil {
		return fmt.Errorf("cudart: launch %s %v: %w", f.name, g, err)
	}
	return nil
}

func (f *Function) accepts(args []Arg) error {
	if len(args) > maxParameters {
		return fmt.Errorf("%d arguments, at most %d are possible", len(args), maxParameters)
	}
	if f.sizes == nil {
		return nil
	}
	if len(args) != len(f.sizes) {
		return fmt.Errorf("%d arguments, the kernel takes %d", len(args), len(f.sizes))
	}
	for i, a := range args {
		if a.bytes != f.sizes[i] {
			return fmt.Errorf("argument %d has %d bytes, the kernel takes %d", i, a.bytes, f.sizes[i])
		}
	}
	return nil
}

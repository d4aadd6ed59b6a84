//go:build cuda

package cuda

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"nctrain/cudart"
)

//go:embed images/*.fatbin images/*.so
var images embed.FS

// MaxOperands and MaxScalars bound a call.
const (
	MaxOperands = 12
	MaxScalars  = 8
)

// Flags of a [Call]; device.cuh has the same numbers.
const (
	ReLU uint32 = 1 << iota
	RandomCropFlip
)

// Shape is the geometry of a call, as kernels.Shape.
type Shape struct{ N, H, W, C, K, R, S, Stride, Pad int }

// Call is one call of a kernel. Operands stand in the order of the operation's row in kernels/ops.go, 0 where an optional one is absent.
type Call struct {
	Shape    Shape
	Operands [MaxOperands]cudart.Address
	Scalars  [MaxScalars]float64
	Flags    uint32
}

// Library is the kernels on one device, each loaded when it is first looked up.
type Library struct {
	device *cudart.Device
	loaded map[string]*Kernel
}

// Kernel is one kernel on a device.
type Kernel struct {
	module   *cudart.Module
	function *cudart.Function
	launch   launcher
}

// NewLibrary is the library of a device.
func NewLibrary(d *cudart.Device) *Library {
	return &Library{device: d, loaded: map[string]*Kernel{}}
}

// Names lists the kernels that there are, sorted.
func Names() []string {
	entries, err := fs.ReadDir(images, "images")
	if err != nil {
		panic(err) // the embedded folder is there, or the package does not compile
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".fatbin"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Find gives a kernel by name, "relu_forward_direct".
func (l *Library) Find(name string) (*Kernel, error) {
	if k := l.loaded[name]; k != nil {
		return k, nil
	}
	launch, ok := launches[name]
	if !ok {
		return nil, fmt.Errorf("kernels/cuda: no kernel %q", name)
	}
	suffix := ".fatbin"
	if l.device.Capabilities().Emulated {
		suffix = ".so"
	}
	image, err := images.ReadFile("images/" + name + suffix)
	if err != nil {
		return nil, fmt.Errorf("kernels/cuda: %w: make cuda-kernels, then build again", err)
	}
	k := &Kernel{launch: launch}
	if k.module, err = l.device.LoadModule(name, image); err != nil {
		return nil, err
	}
	if k.function, err = k.module.Function(name); err != nil {
		return nil, err
	}
	l.loaded[name] = k
	return k, nil
}

// Close unloads the kernels.
func (l *Library) Close() error {
	var first error
	for _, k := range l.loaded {
		if err := k.module.Close(); err != nil && first == nil {
			first = err
		}
	}
	clear(l.loaded)
	return first
}

// Launch queues the kernel on a stream.
func (k *Kernel) Launch(s *cudart.Stream, c *Call) error {
	geometry, arguments := k.launch(c)
	return s.Launch(k.function, geometry, arguments...)
}

//go:build cuda

package cuda

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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

// Precision is how a call multiplies, as kernels.Precision; real numbers are stored as float32 in each.
type Precision uint8

// Precisions of a [Call]; kernels.Precision has the same numbers.
const (
	FP32 Precision = 0
	TF32 Precision = 2
	BF16 Precision = 3
)

// Shape is the geometry of a call, as kernels.Shape.
type Shape struct{ N, H, W, C, K, R, S, Stride, Pad int }

// P is the output height of a convolution.
func (s Shape) P() int { return (s.H+2*s.Pad-s.R)/s.Stride + 1 }

// Q is the output width of a convolution.
func (s Shape) Q() int { return (s.W+2*s.Pad-s.S)/s.Stride + 1 }

// Call is one call of a kernel. Operands stand in the order of the operation's row in kernels/ops.go, 0 where an optional one is absent.
type Call struct {
	Shape     Shape
	Precision Precision
	Operands  [MaxOperands]cudart.Address
	Scalars   [MaxScalars]float64
	Flags     uint32
	Tensors   []int // as kernels.Call.Tensors
	Workspace cudart.Address
}

// Library is the kernels on one device, each loaded when it is first looked up.
type Library struct {
	device  *cudart.Device
	loaded  map[string]*Kernel
	instead string // folder of images that stand in for the program's; empty: none
}

// Kernel is one variant's kernel on a device: the functions of its source, each looked up when it is first launched.
type Kernel struct {
	entry     entry
	module    *cudart.Module
	functions map[string]*function
}

type function struct {
	*cudart.Function
	shared int // bytes of dynamic shared memory that it may have
}

// Work is a call that is ready to be queued, any number of times: nothing is left to load.
type Work []readyLaunch

type readyLaunch struct {
	launch
	f *function
}

// NewLibrary is the library of a device. $NCTRAIN_CUDA_IMAGES names a folder whose images stand in for the program's, where it has them: changed kernels in a
// program that stays as it is (kernels/cuda/mutants).
func NewLibrary(d *cudart.Device) *Library {
	return &Library{device: d, loaded: map[string]*Kernel{}, instead: os.Getenv("NCTRAIN_CUDA_IMAGES")}
}

func (l *Library) image(file string) ([]byte, error) {
	if l.instead != "" {
		if image, err := os.ReadFile(filepath.Join(l.instead, file)); !errors.Is(err, fs.ErrNotExist) {
			return image, err
		}
	}
	return images.ReadFile("images/" + file)
}

// Names lists the kernels that there are, sorted.
func Names() []string {
	files, err := fs.ReadDir(images, "images")
	if err != nil {
		panic(err) // the embedded folder is there, or the package does not compile
	}
	var names []string
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), ".fatbin"); ok {
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
	e, ok := entries[name]
	if !ok {
		return nil, fmt.Errorf("kernels/cuda: no kernel %q: a row of kernels/variants_cuda.go names one that no launches_*.go registers", name)
	}
	suffix := ".fatbin"
	if l.device.Capabilities().Emulated {
		suffix = ".so"
	}
	image, err := l.image(name + suffix)
	if err != nil {
		return nil, fmt.Errorf("kernels/cuda: %w: make cuda-kernels, then build again", err)
	}
	k := &Kernel{entry: e, functions: map[string]*function{}}
	if k.module, err = l.device.LoadModule(name, image); err != nil {
		return nil, err
	}
	l.loaded[name] = k
	return k, nil
}

// Close unloads the kernels.
func (l *Library) Close() error {
	var err error
	for _, k := range l.loaded {
		err = errors.Join(err, k.module.Close())
	}
	clear(l.loaded)
	return err
}

// Workspace is how many bytes of Call.Workspace a call needs.
func (k *Kernel) Workspace(s Shape, p Precision) int {
	if k.entry.workspace == nil {
		return 0
	}
	return k.entry.workspace(s, p)
}

// Packed is how many bytes the weight operand takes in the kernel's own order, 0 where it reads KRSC.
func (k *Kernel) Packed(s Shape, p Precision) int {
	if k.entry.packed == nil {
		return 0
	}
	return k.entry.packed(s, p)
}

// Ready makes a call ready.
func (k *Kernel) Ready(c *Call) (Work, error) { return k.ready(k.entry.launches(c)) }

// ReadyPack makes ready what reorders weights for the kernel: Operands[0] are the weights in KRSC, Operands[1] the packed ones. Only of kernels with Packed.
func (k *Kernel) ReadyPack(c *Call) (Work, error) { return k.ready(k.entry.pack(c)) }

func (k *Kernel) ready(launches []launch) (Work, error) {
	work := make(Work, len(launches))
	for i, l := range launches {
		f, err := k.function(l.function)
		if err != nil {
			return nil, err
		}
		if l.geometry.Shared > f.shared {
			if err := f.AllowShared(l.geometry.Shared); err != nil {
				return nil, err
			}
			f.shared = l.geometry.Shared
		}
		work[i] = readyLaunch{l, f}
	}
	return work, nil
}

const sharedWithoutAsking = 48 << 10

func (k *Kernel) function(name string) (*function, error) {
	if f := k.functions[name]; f != nil {
		return f, nil
	}
	f, err := k.module.Function(name)
	if err != nil {
		return nil, err
	}
	k.functions[name] = &function{Function: f, shared: sharedWithoutAsking}
	return k.functions[name], nil
}

// Launch queues the work on a stream.
func (w Work) Launch(s *cudart.Stream) error {
	for _, l := range w {
		if err := s.Launch(l.f.Function, l.geometry, l.args...); err != nil {
			return err
		}
	}
	return nil
}

//go:build cuda

package kernels

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"nctrain/cudart"
	"nctrain/kernels/cuda"
)

// HaveCUDA tells whether this program has the cuda device in it.
const HaveCUDA = true

// HaveCard tells whether there is a card to compute on. The emulated driver's is none: it is there to be asked for.
func HaveCard() bool {
	n, err := cudart.Count()
	return err == nil && n > 0 && !cudart.Emulated()
}

// DriverState tells of the CUDA driver in words, and why there is none at work.
func DriverState() (state, problem string) { return cudart.DriverState() }

// cudaDevice runs the kernels of kernels/cuda through cudart: one arena, one stream.
type cudaDevice struct {
	device    *cudart.Device
	stream    *cudart.Stream
	library   *cuda.Library
	memory    *cudart.Arena
	arena     *arena                  // of memory's addresses
	capturing *cudaRecording          // what calls are recorded in, between the ends of a Capture
	captured  map[*cudaRecording]bool // those that are not closed
}

// OpenCUDA opens the first CUDA device (CUDA_VISIBLE_DEVICES says which that is), and takes its free memory but for a margin, or as many bytes of it as
// $NCTRAIN_CUDA_MEMORY says where others want some.
func OpenCUDA() (_ Device, err error) {
	device, err := cudart.Open(0)
	if err != nil {
		return nil, err
	}
	d := &cudaDevice{device: device, library: cuda.NewLibrary(device), captured: map[*cudaRecording]bool{}}
	defer func() {
		if err != nil {
			_ = device.Close()
		}
	}()
	if c := device.Capabilities(); sm(c) < leastSM {
		return nil, fmt.Errorf("%s is %s: the kernels need sm_%d (Turing) or later", c.Name, c.SM(), leastSM)
	}
	if d.stream, err = device.NewStream(); err != nil {
		return nil, err
	}
	free, err := device.FreeMemory()
	if err != nil {
		return nil, err
	}
	size := free - memoryMargin(free)
	if text := os.Getenv(memoryVariable); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < arenaAlign {
			return nil, fmt.Errorf("%s=%s: it is a number of bytes, at least %d", memoryVariable, text, arenaAlign)
		}
		size = min(size, n)
	}
	size = size / arenaAlign * arenaAlign
	if d.memory, err = device.NewArena(size); err != nil {
		return nil, err
	}
	d.arena = newArena(size)
	return d, nil
}

const memoryVariable = "NCTRAIN_CUDA_MEMORY"

// memoryMargin is what the arena leaves to the driver: it loads kernels and instantiates graphs later.
func memoryMargin(free int) int { return min(free/16, 1<<30) }

func sm(c cudart.Capabilities) int { return 10*c.Major + c.Minor }

func (d *cudaDevice) Kind() Kind { return CUDA }

func (d *cudaDevice) Description() string {
	c := d.device.Capabilities()
	return fmt.Sprintf("%s, %s, %d multiprocessors, %d MiB", c.Name, c.SM(), c.Multiprocessors, c.Memory>>20)
}

func (d *cudaDevice) Capabilities() Capabilities {
	c := d.device.Capabilities()
	out := Capabilities{Kind: CUDA, ISA: c.SM(), SM: sm(c), Emulated: c.Emulated}
	for _, p := range cudaPrecisions {
		if out.SM >= p.LeastSM() {
			out.Precisions = append(out.Precisions, p)
		}
	}
	return out
}

func (d *cudaDevice) Alloc(bytes int) (Buffer, error) {
	offset, err := d.arena.alloc(bytes)
	if err != nil {
		return Buffer{}, err
	}
	at, err := d.memory.Take(offset, bytes)
	if err == nil {
		err = d.stream.Fill(at, 0, bytes)
	}
	if err != nil {
		d.arena.release(offset)
		return Buffer{}, err
	}
	return Buffer{uintptr(at), bytes}, nil
}

// offset of a buffer in the arena.
func (d *cudaDevice) offset(b Buffer) int { return int(b.addr - uintptr(d.memory.Base())) }

func (d *cudaDevice) Free(b Buffer) {
	d.arena.release(d.offset(b))
	_ = d.memory.Give(d.offset(b), b.bytes) // only the emulated driver listens, and it does not refuse what Take handed out
}

var errCapturingCUDA = errors.New("cuda device: copies cannot be captured")

func (d *cudaDevice) Upload(dst Buffer, src []byte) error {
	if d.capturing != nil {
		return errCapturingCUDA
	}
	return d.device.Upload(cudart.Address(dst.Slice(0, len(src)).addr), src)
}

func (d *cudaDevice) Download(dst []byte, src Buffer) error {
	if d.capturing != nil {
		return errCapturingCUDA
	}
	return d.device.Download(dst, cudart.Address(src.Slice(0, len(dst)).addr))
}

func (d *cudaDevice) Zero(b Buffer) error {
	if d.capturing != nil {
		return errCapturingCUDA
	}
	return d.stream.Fill(cudart.Address(b.addr), 0, b.bytes)
}

func (d *cudaDevice) Requirements(v *Variant, s Shape, p Precision) (Requirements, error) {
	k, err := d.library.Find(v.KernelName())
	if err != nil {
		return Requirements{}, err
	}
	shape, precision := cuda.Shape(s), cuda.Precision(p)
	return Requirements{Workspace: k.Workspace(shape, precision), Packed: k.Packed(shape, precision)}, nil
}

func (d *cudaDevice) Launch(v *Variant, c *Call) error {
	k, err := d.library.Find(v.KernelName())
	if err != nil {
		return err
	}
	call := cuda.Call{
		Shape: cuda.Shape(c.Shape), Precision: cuda.Precision(c.Precision), Scalars: c.Scalars, Flags: uint32(c.Flags), Tensors: c.Tensors,
		Workspace: cudart.Address(c.Workspace.addr),
	}
	for i, b := range c.Operands {
		call.Operands[i] = cudart.Address(b.addr)
	}
	return d.run(k.Ready(&call))
}

func (d *cudaDevice) Pack(v *Variant, s Shape, p Precision, w, packed Buffer) error {
	k, err := d.library.Find(v.KernelName())
	if err != nil {
		return err
	}
	call := cuda.Call{Shape: cuda.Shape(s), Precision: cuda.Precision(p)}
	call.Operands[0], call.Operands[1] = cudart.Address(w.addr), cudart.Address(packed.addr)
	return d.run(k.ReadyPack(&call))
}

func (d *cudaDevice) run(w cuda.Work, err error) error {
	if err != nil {
		return err
	}
	if d.capturing != nil {
		d.capturing.calls = append(d.capturing.calls, w)
		return nil
	}
	return w.Launch(d.stream)
}

func (d *cudaDevice) Synchronize() error { return d.device.Synchronize() }

func (d *cudaDevice) Close() error {
	var err error
	for r := range d.captured {
		err = errors.Join(err, r.Close())
	}
	return errors.Join(err, d.library.Close(), d.stream.Close(), d.memory.Close(), d.device.Close())
}

// What the emulated driver watches ([Watched]). On a card these do nothing.

func (d *cudaDevice) Undefine(b Buffer) error {
	_, err := d.memory.Take(d.offset(b), b.bytes)
	return err
}
func (d *cudaDevice) Fence(b Buffer) error { return d.memory.Give(d.offset(b), b.bytes) }
func (d *cudaDevice) ForgetFault()         { cudart.ForgetFault() }

func (d *cudaDevice) count(run func() error) (Counters, error) {
	c, err := cudart.CountRequests(run)
	return Counters{
		LoadRequests: float64(c.LoadRequests), LoadSectors: float64(c.LoadSectors), StoreRequests: float64(c.StoreRequests), StoreSectors: float64(c.StoreSectors),
		SharedRequests: float64(c.SharedRequests), SharedConflicts: float64(c.BankConflicts),
	}, err
}

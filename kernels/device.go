package kernels

import (
	"fmt"
	"time"
	"unsafe"
)

// Kind is a family of devices that share variants.
type Kind uint8

const (
	CPU Kind = iota
	CUDA
)

func (k Kind) String() string { return [...]string{CPU: "cpu", CUDA: "cuda"}[k] }

// Capabilities are what [Variant.Check] and a plan ask about.
type Capabilities struct {
	Kind       Kind
	ISA        string      // instruction set ("avx512"), or compute capability ("sm_90")
	SM         int         // compute capability as a number: 90; 0 on the CPU
	Emulated   bool        // by cudart/emu: it finds faults, and has no speed
	Precisions []Precision // that the device has, the tests' FP64 among them where it has that
	Threads    int         // of the pool; 0 on CUDA
}

// Buffer is a piece of a device's arena. The zero Buffer is no buffer.
type Buffer struct {
	addr  uintptr
	bytes int
}

// IsNil reports whether b is no buffer.
func (b Buffer) IsNil() bool { return b.addr == 0 }

// Bytes is the buffer's size.
func (b Buffer) Bytes() int { return b.bytes }

// Overlaps reports whether the two share memory.
func (b Buffer) Overlaps(o Buffer) bool {
	return b.addr < o.addr+uintptr(o.bytes) && o.addr < b.addr+uintptr(b.bytes)
}

// Slice is the part of b from offset (bytes) on. It panics where that part is not inside.
func (b Buffer) Slice(offset, bytes int) Buffer {
	if offset < 0 || bytes < 0 || offset+bytes > b.bytes {
		panic(fmt.Sprintf("kernels: slice [%d:%d] of a buffer of %d bytes", offset, offset+bytes, b.bytes))
	}
	return Buffer{b.addr + uintptr(offset), bytes}
}

// Call is one operation on given buffers. Operands stand in the order of the operation's row.
type Call struct {
	Op        OpID
	Shape     Shape
	Precision Precision
	Flags     Flags
	Operands  [MaxOperands]Buffer
	Scalars   [MaxScalars]float64
	// Tensors (of sgd) are the elements at which the tensors end that lie together in its operands, ascending, the last N; each starts at a multiple of
	// [TensorAlign] elements. nil: one tensor. A variant may go over them one by one.
	Tensors   []int
	Workspace Buffer
}

// TensorAlign (elements) keeps each of several tensors that lie together on a vector of any width.
const TensorAlign = 64

// Requirements are what a call needs beside its operands, a function of its shape alone.
type Requirements struct {
	Workspace int // bytes of Call.Workspace
	Packed    int // bytes of the weight operand in the variant's own order, 0 where it reads KRSC
}

// Device is a machine that computes: one arena of memory, and one queue of calls. It is not safe for use by several goroutines at once.
type Device interface {
	Kind() Kind
	// Description names the device for people: the processor or the card.
	Description() string
	Capabilities() Capabilities

	// Alloc takes bytes (more than 0) from the arena, zeroed and aligned to 256. The error says how much was asked and how much there is.
	Alloc(bytes int) (Buffer, error)
	// Free gives a buffer from Alloc back.
	Free(Buffer)
	// Upload copies src to the start of dst; Download copies the start of src to dst. Both wait until the copy and all calls before it are done.
	Upload(dst Buffer, src []byte) error
	Download(dst []byte, src Buffer) error
	// NewReadback makes room on the host for copies of buffers that are made while the device goes on.
	NewReadback(from ...Buffer) (Readback, error)
	// Zero sets all of b to zero, in the order of the queue.
	Zero(b Buffer) error

	// Requirements of a variant at a shape.
	Requirements(v *Variant, s Shape, p Precision) (Requirements, error)
	// Launch queues a call. Inside Capture it is recorded instead.
	Launch(v *Variant, c *Call) error
	// Pack queues the reordering of a weight operand (KRSC) into the order that v reads.
	Pack(v *Variant, s Shape, p Precision, w, packed Buffer) error
	// Capture records what body launches and packs; nothing runs.
	Capture(body func() error) (Recording, error)
	// Synchronize waits for the queue and returns the first error of what ran.
	Synchronize() error
	// Close frees everything, recordings too. The device is not usable afterwards.
	Close() error
}

// Recording is a captured sequence of calls. It need not be closed before its device is.
type Recording interface {
	// Replay queues all of it, without allocating.
	Replay() error
	// Len is the number of calls.
	Len() int
	// Profile runs all of it, waiting after each call, and stores how long each took. It is for measuring, not for training.
	Profile(durations []time.Duration) error
	Close() error
}

// Readback copies buffers to the host behind calls that are queued, so that the device need not stop for what the host wants to know. One set of copies is under
// way at a time.
type Readback interface {
	// Queue queues the copies behind the calls so far.
	Queue() error
	// Ready tells without waiting whether they are made, and Wait waits until they are. Both return the first error of what ran before.
	Ready() (bool, error)
	Wait() error
	// Bytes are those of the i-th buffer, good until the next Queue. It panics between Queue and the end of the copies.
	Bytes(i int) []byte
	// Close gives the host's memory back, after a Wait if need be.
	Close() error
}

// Watched is a device whose driver can watch what kernels touch, as the emulated CUDA driver does; on a card these do nothing.
type Watched interface {
	Fence(Buffer) error    // kernels may not touch it
	Undefine(Buffer) error // kernels may touch it, but nobody wrote it yet: to read it is a fault
	ForgetFault()          // a fault was reported: go on all the same
}

// Element is what device memory holds.
type Element interface {
	~uint8 | ~int32 | ~int64 | ~float32 | ~float64
}

// Upload copies a slice to the start of dst.
func Upload[T Element](d Device, dst Buffer, src []T) error { return d.Upload(dst, bytesOf(src)) }

// Download fills a slice from the start of src.
func Download[T Element](d Device, dst []T, src Buffer) error { return d.Download(bytesOf(dst), src) }

// Read views the i-th buffer of a readback as a slice.
func Read[T Element](r Readback, i int) []T {
	b := r.Bytes(i)
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), len(b)/int(unsafe.Sizeof(*new(T))))
}

// bytesOf views a slice's memory: every device here and its host are little-endian.
func bytesOf[T Element](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}

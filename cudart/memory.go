//go:build cuda

package cudart

import (
	"errors"
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// Address is a place in device memory.
type Address uint64

// Arena is one allocation of device memory, whose owner hands out parts of it.
type Arena struct {
	device *Device
	base   Address
	bytes  int
}

// FreeMemory is how many bytes of device memory nobody has.
func (d *Device) FreeMemory() (int, error) {
	var free int64
	err := d.named("free memory", func() (err error) {
		free, _, err = cu.MemInfo()
		return err
	})
	return int(free), err
}

// NewArena allocates bytes of device memory. Its error says how much was asked and how much is free.
func (d *Device) NewArena(bytes int) (*Arena, error) {
	a := &Arena{device: d, bytes: bytes}
	var free int64
	err := d.do(func() error {
		var err error
		if free, _, err = cu.MemInfo(); err != nil {
			return err
		}
		at, err := cu.MemAlloc(int64(bytes))
		a.base = Address(at)
		return err
	})
	switch {
	case errors.Is(err, OutOfMemory):
		return nil, fmt.Errorf("cudart: %s: %d bytes of device memory asked, %d are free: %w", d.capabilities.Name, bytes, free, err)
	case err != nil:
		return nil, fmt.Errorf("cudart: allocate %d bytes: %w", bytes, err)
	}
	if err := mark(a.base, bytes, false); err != nil { // until a part of it is handed out
		return nil, errors.Join(fmt.Errorf("cudart: mark the arena: %w", err), a.Close())
	}
	return a, nil
}

// Take hands out [offset, offset+bytes); what is in it is undefined. Under the emulated driver kernels may touch what is taken, and nothing else.
func (a *Arena) Take(offset, bytes int) (Address, error) { return a.set(offset, bytes, true) }

// Give takes a part back.
func (a *Arena) Give(offset, bytes int) error {
	_, err := a.set(offset, bytes, false)
	return err
}

func (a *Arena) set(offset, bytes int, live bool) (Address, error) {
	if offset < 0 || bytes < 0 || bytes > a.bytes-offset {
		panic(fmt.Sprintf("cudart: [%d:%d] of an arena of %d bytes", offset, offset+bytes, a.bytes))
	}
	at := a.base + Address(offset)
	return at, a.device.named("mark a buffer", func() error { return mark(at, bytes, live) })
}

// Base is the arena's first address, Bytes its size.
func (a *Arena) Base() Address { return a.base }
func (a *Arena) Bytes() int    { return a.bytes }

// Close frees the arena.
func (a *Arena) Close() error {
	return a.device.named("free the arena", func() error { return cu.MemFree(cu.DevicePtr(a.base)) })
}

// Upload copies src to the device, and Download from it into dst. Both wait for the copy, and for what streams of this package queued before.
func (d *Device) Upload(to Address, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	return d.named(fmt.Sprintf("upload %d bytes", len(src)), func() error {
		if err := cu.Synchronize(); err != nil {
			return err
		}
		if err := copyIn(to, src); err != nil {
			return err
		}
		// src is not pinned: the driver has taken it, but it may still be on its way, in the default stream, for which those of this package do not wait.
		return cu.Synchronize()
	})
}

func (d *Device) Download(dst []byte, from Address) error {
	if len(dst) == 0 {
		return nil
	}
	return d.named(fmt.Sprintf("download %d bytes", len(dst)), func() error {
		if err := cu.Synchronize(); err != nil {
			return err
		}
		return copyOut(dst, from)
	})
}

// Pinned is host memory that the device copies to and from without the processor, so that a copy can be queued.
type Pinned struct {
	device *Device
	memory unsafe.Pointer
	bytes  int
}

// NewPinned allocates pinned host memory.
func (d *Device) NewPinned(bytes int) (*Pinned, error) {
	p := &Pinned{device: d, bytes: bytes}
	err := d.named(fmt.Sprintf("allocate %d bytes of pinned memory", bytes), func() (err error) {
		p.memory, err = pinnedAlloc(bytes)
		return err
	})
	return p, err
}

// Bytes is the memory itself, good until Close.
func (p *Pinned) Bytes() []byte { return unsafe.Slice((*byte)(p.memory), p.bytes) }

// Close frees it.
func (p *Pinned) Close() error {
	return p.device.named("free pinned memory", func() error { return pinnedFree(p.memory) })
}

// part is the start of the memory for a copy of so many bytes.
func (p *Pinned) part(bytes int) unsafe.Pointer {
	if bytes < 0 || bytes > p.bytes {
		panic(fmt.Sprintf("cudart: %d bytes of %d of pinned memory", bytes, p.bytes))
	}
	return p.memory
}

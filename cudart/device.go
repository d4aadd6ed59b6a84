//go:build cuda

package cudart

import (
	"errors"
	"fmt"
	"runtime"

	"gorgonia.org/cu"

	"nctrain/cudart/driver"
)

// Capabilities of a device.
type Capabilities struct {
	Name                string
	Major, Minor        int   // compute capability: 9, 0 for sm_90
	Multiprocessors     int   //
	SharedPerBlock      int   // bytes of shared memory that a block may have without asking
	SharedPerBlockOptIn int   // bytes after Function.AllowShared
	Memory              int64 // bytes of device memory
	DriverVersion       int   // 12040 for CUDA 12.4
	Emulated            bool  // the driver is cudart/emu's
}

// SM is the compute capability as nvcc writes it: "sm_90".
func (c Capabilities) SM() string { return fmt.Sprintf("sm_%d%d", c.Major, c.Minor) }

// Device is one GPU, driven by one OS thread of its own that has the device's context: methods of it and of what it made may be called from any goroutine,
// but from one at a time.
type Device struct {
	capabilities Capabilities
	context      cu.CUContext
	work         chan func() error
	done         chan error
}

// ErrNoDevice is what Open's error wraps where there is no CUDA device at all.
var ErrNoDevice = errors.New("no CUDA device")

// Count is the number of devices: 0 without a driver.
func Count() (int, error) {
	n, err := cu.NumDevices()
	if err != nil {
		return 0, fmt.Errorf("cudart: count devices: %w", describe(err))
	}
	return n, nil
}

// Open opens a device, and starts its thread.
func Open(ordinal int) (*Device, error) {
	n, err := Count()
	if err != nil {
		return nil, err
	}
	if n == 0 {
		reason := driver.Problem()
		if reason == "" {
			reason = "the driver knows no card"
		}
		return nil, fmt.Errorf("cudart: %w: %s: install NVIDIA's driver, or set NCTRAIN_CUDA_DRIVER (build/libcuda_emu.so emulates one)", ErrNoDevice, reason)
	}
	// What one CUDA compiles, drivers of its whole major version and later ones run.
	if knows, needs := cu.Version(), compiledCUDA/1000*1000; knows < needs {
		return nil, fmt.Errorf("cudart: the driver is too old: it knows CUDA %s, the kernels are of CUDA %s and need one that knows %s: update NVIDIA's driver",
			version(knows), version(compiledCUDA), version(needs))
	}
	if ordinal < 0 || ordinal >= n {
		return nil, fmt.Errorf("cudart: device %d: this machine has %d, numbered from 0", ordinal, n)
	}
	d := &Device{work: make(chan func() error), done: make(chan error)}
	go d.drive()
	if err := d.do(func() error { return d.open(ordinal) }); err != nil {
		close(d.work)
		return nil, fmt.Errorf("cudart: open device %d: %w", ordinal, err)
	}
	return d, nil
}

// version writes 12040 as "12.4".
func version(n int) string { return fmt.Sprintf("%d.%d", n/1000, n%1000/10) }

// drive is the device's thread: a CUDA context is current to a thread, not to a goroutine.
func (d *Device) drive() {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and its context with it
	for f := range d.work {
		d.done <- f()
	}
}

// do runs f on the device's thread.
func (d *Device) do(f func() error) error {
	d.work <- f
	return describe(<-d.done)
}

func (d *Device) open(ordinal int) error {
	device, err := cu.GetDevice(ordinal)
	if err != nil {
		return err
	}
	c := &d.capabilities
	if c.Name, err = device.Name(); err != nil {
		return err
	}
	if c.Memory, err = device.TotalMem(); err != nil {
		return err
	}
	for _, a := range []struct {
		attribute cu.DeviceAttribute
		value     *int
	}{
		{cu.ComputeCapabilityMajor, &c.Major}, {cu.ComputeCapabilityMinor, &c.Minor}, {cu.MultiprocessorCount, &c.Multiprocessors},
		{cu.MaxSharedMemoryPerBlock, &c.SharedPerBlock}, {sharedOptIn, &c.SharedPerBlockOptIn},
	} {
		if *a.value, err = device.Attribute(a.attribute); err != nil {
			return err
		}
	}
	c.DriverVersion = cu.Version()
	c.Emulated = Emulated()
	d.context, err = device.MakeContext(cu.SchedAuto)
	return err
}

// Capabilities of the device.
func (d *Device) Capabilities() Capabilities { return d.capabilities }

// Synchronize waits for everything that was queued, and returns the first error of what ran.
func (d *Device) Synchronize() error { return d.named("synchronize", cu.Synchronize) }

// Close frees everything that the device holds. It is not usable afterwards.
func (d *Device) Close() error {
	err := d.named("close device", d.context.Destroy)
	close(d.work)
	return err
}

// named runs f on the device's thread; its error says what was tried.
func (d *Device) named(what string, f func() error) error {
	if err := d.do(f); err != nil {
		return fmt.Errorf("cudart: %s: %w", what, err)
	}
	return nil
}

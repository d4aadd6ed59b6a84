package kernels

import (
	"errors"
	"fmt"
)

// Counters are what the emulated CUDA driver counts of a call: memory requests, each of one instruction of one warp.
type Counters struct {
	LoadRequests, LoadSectors       float64 // of device memory, in sectors of 32 bytes
	StoreRequests, StoreSectors     float64
	SharedRequests, SharedConflicts float64 // a conflict is a pass over the banks that a request without conflicts would not need
}

// sectorBytes is what device memory is read and written in.
const sectorBytes = 32

// Bytes that a call moves to and from device memory, caches left out.
func (c Counters) Bytes() float64 { return sectorBytes * (c.LoadSectors + c.StoreSectors) }

// counting is a device that counts: the emulated one.
type counting interface {
	count(run func() error) (Counters, error)
}

// Count gives the counters of a variant at a shape, in the form that [Bench] measures.
func Count(dev Device, v *Variant, p Precision, s Shape) (Counters, error) {
	counter, ok := dev.(counting)
	if !ok || !dev.Capabilities().Emulated {
		return Counters{}, fmt.Errorf("count %v: %s does not count", v, dev.Description())
	}
	run, err := newBenchRun(dev, v, p, s, BenchOptions{CacheBytes: 1}.withDefaults())
	if err != nil {
		return Counters{}, fmt.Errorf("count %v %v at %v: %w", v, p, s, err)
	}
	defer run.close()
	c, err := counter.count(func() error { return errors.Join(run.rec.Replay(), dev.Synchronize()) })
	if err != nil {
		return Counters{}, fmt.Errorf("count %v %v at %v: %w", v, p, s, err)
	}
	for _, n := range []*float64{&c.LoadRequests, &c.LoadSectors, &c.StoreRequests, &c.StoreSectors, &c.SharedRequests, &c.SharedConflicts} {
		*n /= float64(run.calls)
	}
	return c, nil
}

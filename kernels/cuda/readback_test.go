//go:build cuda

package cuda_test

import (
	"slices"
	"testing"

	"nctrain/kernels"
)

// A readback holds what its buffers held where it was queued, whatever was queued behind it, and does not show it before; on either device.
func TestReadback(t *testing.T) {
	cpu, err := kernels.OpenCPU(kernels.CPUOptions{Threads: 1})
	must(t, err)
	t.Cleanup(func() { must(t, cpu.Close()) })
	for _, dev := range []kernels.Device{cpu, open(t)} {
		t.Run(dev.Kind().String(), func(t *testing.T) {
			want := []int64{3, 5, 8}
			b, err := dev.Alloc(24)
			must(t, err)
			r, err := dev.NewReadback(b, b.Slice(8, 8))
			must(t, err)
			for name, end := range map[string]func(){
				"wait": func() { must(t, r.Wait()) },
				"ask": func() {
					for {
						ready, err := r.Ready()
						must(t, err)
						if ready {
							return
						}
						if !panics(func() { r.Bytes(0) }) {
							t.Fatal("copies that are not made can be looked at")
						}
					}
				},
			} {
				must(t, kernels.Upload(dev, b, want))
				must(t, r.Queue())
				must(t, dev.Zero(b))
				end()
				if got, second := kernels.Read[int64](r, 0), kernels.Read[int64](r, 1); !slices.Equal(got, want) || second[0] != want[1] {
					t.Errorf("%s: %v and %v", name, got, second)
				}
			}
			must(t, r.Queue())
			must(t, r.Close()) // waits
		})
	}
}

// A readback one of whose copies is refused is none: what was queued before ends first, so that its memory can be given back, and nothing waits for an event that was not recorded.
func TestReadbackOfARefusedCopy(t *testing.T) {
	cpu, err := kernels.OpenCPU(kernels.CPUOptions{Threads: 1})
	must(t, err)
	t.Cleanup(func() { must(t, cpu.Close()) })
	dev := open(t)
	if !dev.Capabilities().Emulated {
		t.Skip("a card may read the host's memory")
	}
	b, err := dev.Alloc(24)
	must(t, err)
	foreign, err := cpu.Alloc(24)
	must(t, err)
	r, err := dev.NewReadback(b, foreign)
	must(t, err)
	if err := r.Queue(); err == nil {
		t.Error("memory of another device was read")
	}
	must(t, r.Close())
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

package kernels

import "testing"

// A device frees the recordings that are left when it is closed, and those that were closed before no second time.
func TestCloseFreesRecordings(t *testing.T) {
	dev, err := OpenCPU(CPUOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	d := dev.(*cpuDevice)
	var recordings []Recording
	for range 2 {
		r, err := dev.Capture(func() error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		recordings = append(recordings, r)
	}
	if err := recordings[0].Close(); err != nil || len(d.captured) != 1 {
		t.Errorf("%d recordings are open, want 1; %v", len(d.captured), err)
	}
	if err := dev.Close(); err != nil || len(d.captured) != 0 {
		t.Errorf("%d recordings are left by Close; %v", len(d.captured), err)
	}
}

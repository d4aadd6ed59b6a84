//go:build cuda

package run

import (
	"os"
	"testing"

	"nctrain/kernels"
)

// The sums that the cuda device takes while it computes the features are those of the host over the same features.
func TestCUDAClassSumsAreTheHosts(t *testing.T) {
	if _, problem := kernels.DriverState(); problem != "" && os.Getenv("NCTRAIN_REQUIRE_GPU") != "1" {
		t.Skipf("no CUDA driver (%s): make emu, and set NCTRAIN_CUDA_DRIVER=build/libcuda_emu.so", problem)
	}
	dev, err := kernels.OpenCUDA()
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	assertDeviceSums(t, dev, nil)
}

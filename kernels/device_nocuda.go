//go:build !cuda

package kernels

import "errors"

// HaveCUDA tells whether this program has the cuda device in it.
const HaveCUDA = false

// OpenCUDA opens the cuda device.
func OpenCUDA() (Device, error) {
	return nil, errors.New("this nctrain was built without CUDA: make cuda")
}

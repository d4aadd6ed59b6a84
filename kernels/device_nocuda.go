//go:build !cuda

package kernels

import "errors"

// HaveCUDA tells whether this program has the cuda device in it.
const HaveCUDA = false

// HaveCard tells whether there is a card to compute on.
func HaveCard() bool { return false }

// DriverState tells of the CUDA driver in words, and why there is none at work.
func DriverState() (state, problem string) { return "", "this build computes on the CPU alone" }

// OpenCUDA opens the cuda device.
func OpenCUDA() (Device, error) {
	return nil, errors.New("this nctrain was built without CUDA: make cuda")
}

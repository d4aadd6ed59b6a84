// Package cuda holds the kernels of the cuda device: one .cu source a kernel, named as the kernel, whose header comment is its contract; device.cuh, which they
// all include; and how each is launched (launches.go).
//
// Its Go code stands behind the build tag cuda and embeds images/, which `make cuda-kernels` fills: each kernel as a fatbin for the card, and as the shared
// object that the emulated driver (cudart/emu) takes instead.
package cuda

// Package driver is a libcuda that is bound when the program runs, not when it is linked.
//
// build/driver/libcuda.a (make driver) holds a trampoline for each driver function that the program needs. At the first call it opens $NCTRAIN_CUDA_DRIVER, or
// libcuda.so.1. Without a driver the program starts all the same, and finds no device. include/cuda.h makes CUDA 12 and 13 headers look alike.
//
// The package's Go code, behind the build tag cuda, says which driver was found and what is wrong with it.
package driver

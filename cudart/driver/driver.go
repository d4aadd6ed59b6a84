//go:build cuda

package driver

// #cgo CFLAGS: -I${SRCDIR}/include
// #cgo LDFLAGS: -lcuda
// #include <stdlib.h>
// #include <nctrain_driver.h>
import "C"
import "unsafe"

// Path is where the driver was looked for: $NCTRAIN_CUDA_DRIVER, else libcuda.so.1.
func Path() string { return C.GoString(C.nctrain_driver_path()) }

// Problem says why there is no driver at work (what the loader said, or the driver's answer to cuInit), and is empty where one is.
func Problem() string { return C.GoString(C.nctrain_driver_problem()) }

// Missing is the first function that was called and that the driver does not have, or empty.
func Missing() string { return C.GoString(C.nctrain_driver_missing()) }

// Symbol is the address of a function of the driver that CUDA's interface does not have (the emulated driver's own), or nil.
func Symbol(name string) unsafe.Pointer {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	return C.nctrain_driver_symbol(c)
}

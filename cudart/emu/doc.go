// Package emu is a CUDA driver without a GPU: build/libcuda_emu.so (make emu), taken by NCTRAIN_CUDA_DRIVER=build/libcuda_emu.so.
//
// It runs the same .cu sources, compiled by g++ against include/emu_device.h with -fsanitize=thread,signed-integer-overflow, whose hooks are its own: so it sees each access
// of memory and finds by rule, in whatever order threads run, what leaves its buffer, is misaligned, reads what nobody wrote, or has no barrier between it and
// another thread's access; what waits for ever it names. A fault ends the launch, and stays. src/ holds the driver, in C++.
package emu

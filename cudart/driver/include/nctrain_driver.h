// What the late-bound driver tells beyond CUDA's own interface (bind.c).
#ifndef NCTRAIN_DRIVER_H
#define NCTRAIN_DRIVER_H

// Where the driver was looked for: $NCTRAIN_CUDA_DRIVER, else "libcuda.so.1".
const char* nctrain_driver_path(void);

// Why there is no device: what dlopen said, or the driver's own answer to cuInit. Empty where a driver is at work.
const char* nctrain_driver_problem(void);

// The first function that was called and that the loaded driver does not have (it is older than the headers), or empty.
const char* nctrain_driver_missing(void);

// A function of the loaded driver, or null. For what only the emulated driver has.
void* nctrain_driver_symbol(const char* name);
#endif

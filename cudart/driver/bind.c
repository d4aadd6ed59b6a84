//go:build ignore

// The late-bound CUDA driver: opened at the first call of any of its functions, each function looked up at its own first call (trampolines.sh).
//
// A program linked with it starts on any machine: cuInit always succeeds, and where there is no driver, or the driver does not start, cuDeviceGetCount says
// zero and everything else CUDA_ERROR_NO_DEVICE. (gorgonia.org/cu calls cuInit when the program starts and ends the process where that fails.)
// A function that the driver lacks answers CUDA_ERROR_NOT_SUPPORTED.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nctrain_driver.h"

enum { SUCCESS = 0, NO_DEVICE = 100, NOT_SUPPORTED = 801 };

extern void* nctrain_driver_slots[];  // one a symbol: its address once it is known
extern const char* const nctrain_driver_names[];

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char* path;
static void* driver;
static int absent;  // no driver, or one that does not start
static char problem[512];
static const char* missing = "";

static int no_device(void) { return NO_DEVICE; }
static int not_supported(void) { return NOT_SUPPORTED; }

static void open_driver(void) {
  const char* const chosen = getenv("NCTRAIN_CUDA_DRIVER");
  path = chosen && *chosen ? chosen : "libcuda.so.1";
  driver = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  int (*init)(unsigned) = driver ? (int (*)(unsigned))dlsym(driver, "cuInit") : NULL;
  if (!init) {
    const char* const why = dlerror();
    snprintf(problem, sizeof problem, "%s", why ? why : "has no cuInit");
    absent = 1;
    return;
  }
  const int answer = init(0);
  if (answer == SUCCESS) return;
  int (*describe)(int, const char**) = (int (*)(int, const char**))dlsym(driver, "cuGetErrorString");
  const char* text = NULL;
  if (describe) describe(answer, &text);
  snprintf(problem, sizeof problem, "cuInit: %s (CUDA error %d)", text ? text : "failed", answer);
  absent = 1;
}

static int late_init(unsigned flags) { return (void)flags, SUCCESS; }
static int late_device_count(int* count) {
  if (absent) return *count = 0, SUCCESS;
  int (*real)(int*) = (int (*)(int*))dlsym(driver, "cuDeviceGetCount");
  return real ? real(count) : NOT_SUPPORTED;
}

static void* find(const char* name) {
  if (!strcmp(name, "cuInit")) return (void*)late_init;
  if (!strcmp(name, "cuDeviceGetCount")) return (void*)late_device_count;
  if (absent) return (void*)no_device;
  void* const function = dlsym(driver, name);
  if (function) return function;
  if (!*missing) missing = name;
  return (void*)not_supported;
}

// nctrain_driver_resolve is called by a trampoline whose slot is empty. Two threads may meet here: both store the same address.
void* nctrain_driver_resolve(int i) {
  pthread_once(&once, open_driver);
  void* const function = find(nctrain_driver_names[i]);
  __atomic_store_n(&nctrain_driver_slots[i], function, __ATOMIC_RELEASE);
  return function;
}

const char* nctrain_driver_path(void) { return pthread_once(&once, open_driver), path; }
const char* nctrain_driver_problem(void) { return pthread_once(&once, open_driver), problem; }
const char* nctrain_driver_missing(void) { return missing; }
void* nctrain_driver_symbol(const char* name) {
  pthread_once(&once, open_driver);
  return absent ? NULL : dlsym(driver, name);
}

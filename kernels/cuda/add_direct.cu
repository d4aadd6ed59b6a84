// add_direct: y = a + b, n elements.
// Grid:  one thread four elements, 16 bytes a load and a store.      Needs: 16-byte aligned buffers.      Builds for: sm_75 and later.
// Cost:  12 bytes an element, bound by memory.
#include "device.cuh"

KERNEL add_direct(float* y, const float* a, const float* b, int64_t n) {
  for4(n, [=](int64_t i, auto at) { at.store(y + i, each([](float u, float v) { return u + v; }, at.load(a + i), at.load(b + i))); });
}
EXPORT_KERNEL(add_direct)

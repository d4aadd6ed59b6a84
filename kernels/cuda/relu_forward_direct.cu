// relu_forward_direct: y = max(x, 0), n elements; NaN stays NaN.
// Grid:  one thread four elements, 16 bytes a load and a store.      Needs: x and y 16-byte aligned.      Builds for: sm_75 and later.
// Cost:  8 bytes an element, bound by memory.      Exact: no rounding.
#include "device.cuh"

KERNEL relu_forward_direct(float* y, const float* x, int64_t n) {
  for4(n, [=](int64_t i, auto at) { at.store(y + i, each([](float v) { return relu(v); }, at.load(x + i))); });
}
EXPORT_KERNEL(relu_forward_direct)

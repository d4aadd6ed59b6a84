// relu_backward_direct: dx = dy where y > 0, else 0, n elements: the mask is the output itself, so nothing is saved.
// Grid:  one thread four elements, 16 bytes a load and a store.      Needs: 16-byte aligned buffers.      Builds for: sm_75 and later.
// Cost:  12 bytes an element, bound by memory.      Exact: no rounding.
#include "device.cuh"

KERNEL relu_backward_direct(float* dx, const float* dy, const float* y, int64_t n) {
  for4(n, [=](int64_t i, auto at) { at.store(dx + i, each([](float g, float v) { return relu_gradient(g, v); }, at.load(dy + i), at.load(y + i))); });
}
EXPORT_KERNEL(relu_backward_direct)

// peak_fma_direct: y[i] = x[i] after k times x = x*a + (1 - a), n elements.      What the card's float32 units can compute: 2*n*k flop and no memory traffic.
// Grid:  one thread four elements: four independent chains, and enough warps that none waits for an addition.      Builds for: sm_75 and later.
// Cost:  2*n*k flop.      No network calls it: `nctrain kernels bench` compares the other kernels with it.
#include "device.cuh"

KERNEL peak_fma_direct(float* y, const float* x, float a, int32_t k, int64_t n) {
  const float b = 1.0f - a;
  for4(n, [=](int64_t i, auto at) {
    auto value = at.load(x + i);
    for (int32_t step = 0; step < k; step++) value = each([=](float v) { return fmaf(v, a, b); }, value);
    at.store(y + i, value);
  });
}
EXPORT_KERNEL(peak_fma_direct)

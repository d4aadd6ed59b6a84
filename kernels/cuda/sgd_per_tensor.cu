// sgd_per_tensor: sgd_update on the n elements of one tensor and what pads it to the next.      w, g, buf [n]; lr: float64
// Grid:  one launch a tensor; one thread four elements, 16 bytes a load and a store.      Needs: 16-byte aligned buffers.      Builds for: sm_75 and later.
// Cost:  20 bytes an element, bound by memory in large tensors; small ones, which are most, by their launch.
#include "sgd.cuh"

KERNEL sgd_per_tensor(float* w, const float* g, float* buf, const double* lr, const int64_t* state, float momentum, float weight_decay, int64_t n) {
  sgd_update(w, g, buf, lr, state, momentum, weight_decay, n);
}
EXPORT_KERNEL(sgd_per_tensor)

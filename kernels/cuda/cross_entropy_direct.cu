// cross_entropy_direct: losses[slot] = avg_n (logsumexp_k logits[n,k] - logits[n,labels[n]]), correct[slot] = #(argmax_k == label, the first of equals),
// dlogits = (softmax - onehot)/N where asked for, slot = state[1] mod `slots`; a loss that is not finite sets state[5] = 1 + state[0] unless it is set.
// logits, dlogits [n,k]; labels [n] int32; losses [slots] float64; correct [slots] int32
// Grid:  one block of 16 warps; a warp takes every 16th row, its lanes every 32nd class.      Builds for: sm_75 and later.
// Cost:  nothing beside a convolution's, so in double: the loss is what people read. One block, so that the mean needs no second kernel.
#include "device.cuh"

constexpr int kWarps = 16;
constexpr unsigned kAllLanes = 0xffffffffu;

template <typename T>
DEVICE T warp_sum(T v) {
  for (int lanes = 16; lanes > 0; lanes /= 2) v += __shfl_xor_sync(kAllLanes, v, lanes);
  return v;
}

KERNEL cross_entropy_direct(float* dlogits, double* losses, int32_t* correct, int64_t* state, const float* logits, const int32_t* labels, int32_t n,
                            int32_t k, int32_t slots) {
  SHARED(double, warp_loss, kWarps);
  SHARED(int32_t, warp_hits, kWarps);
  const int32_t lane = static_cast<int32_t>(threadIdx.x) % 32, warp = static_cast<int32_t>(threadIdx.x) / 32;
  double loss = 0;
  int32_t hits = 0;
  for (int32_t sample = warp; sample < n; sample += kWarps) {
    const float* const row = logits + static_cast<int64_t>(sample) * k;
    const int32_t label = labels[sample];
    float top = lane < k ? row[lane] : -INFINITY;
    int32_t best = lane;
    for (int32_t i = lane + 32; i < k; i += 32) {
      if (row[i] > top) {
        top = row[i];
        best = i;
      }
    }
    for (int lanes = 16; lanes > 0; lanes /= 2) {
      const float other = __shfl_xor_sync(kAllLanes, top, lanes);
      const int32_t where = __shfl_xor_sync(kAllLanes, best, lanes);
      if (other > top || (other == top && where < best)) {
        top = other;
        best = where;
      }
    }
    double sum = 0;
    for (int32_t i = lane; i < k; i += 32) sum += exp(static_cast<double>(row[i]) - static_cast<double>(top));
    const double logsumexp = static_cast<double>(top) + log(warp_sum(sum));
    loss += logsumexp - static_cast<double>(row[label]);
    hits += best == label;
    if (!dlogits) continue;
    for (int32_t i = lane; i < k; i += 32) {
      const double softmax = exp(static_cast<double>(row[i]) - logsumexp);
      dlogits[static_cast<int64_t>(sample) * k + i] = static_cast<float>((softmax - (i == label ? 1.0 : 0.0)) / n);
    }
  }
  if (lane == 0) {
    warp_loss[warp] = loss;
    warp_hits[warp] = hits;
  }
  __syncthreads();
  if (warp != 0) return;
  const double total = warp_sum(lane < kWarps ? warp_loss[lane] : 0.0);
  const int32_t total_hits = warp_sum(lane < kWarps ? warp_hits[lane] : 0);
  if (lane != 0) return;
  const int64_t slot = state[STATE_SLOT] % slots;
  losses[slot] = total / n;
  correct[slot] = total_hits;
  if (!isfinite(total) && state[STATE_NONFINITE] == 0) state[STATE_NONFINITE] = 1 + state[STATE_STEP];
}
EXPORT_KERNEL(cross_entropy_direct)

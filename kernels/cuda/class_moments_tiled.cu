// class_moments_tiled: the sums of rows of features x by their class, of which NC's statistics are made (analysis/stats), in double: where count[k] = 0 and the
// call has rows of k, shift[k] = their mean; with d[n] = x[n] - shift[labels[n]], sum[k] += sum_n d[n], square[k] += sum_n |d[n]|^2, second[i,j] += sum_n
// d[n,i]*d[n,j] for i <= j, count[k] += rows of k.
// x [n,c]; labels [n] int32 in [0,k); count [k] int64; shift, sum [k,c], square [k], second [c,c] float64
// Grid:  _sums: x: 256 columns, y: class; _second: x: a tile of 32x32 of second on or above the diagonal, of 256 threads; _squares: a class, of 256 threads;
//        in this order: _squares alone changes count, which says what is a class's first call.      Builds for: sm_75 and later.
// Cost:  n*c*(c+1) flop in double; x is read once a tile of columns, second moved once.      Rows are summed in their order: the same bits always.
#include "device.cuh"

constexpr int kSide = 32, kRows = 16, kThreads = 256;  // launches_moments.go has the side

KERNEL class_moments_tiled_sums(double* shift, double* sum, const float* x, const int32_t* labels, const int64_t* count, int32_t n, int32_t c) {
  const int32_t column = static_cast<int32_t>(global_thread()), k = static_cast<int32_t>(blockIdx.y);
  if (column >= c) return;
  const auto each_row = [=](auto f) {
    for (int32_t row = 0; row < n; row++)
      if (labels[row] == k) f(static_cast<double>(x[static_cast<int64_t>(row) * c + column]));
  };
  int32_t rows = 0;
  double total = 0;
  each_row([&](double v) {
    rows++;
    total += v;
  });
  if (rows == 0) return;
  const int64_t at = static_cast<int64_t>(k) * c + column;
  const double from = count[k] == 0 ? total / rows : shift[at];
  if (count[k] == 0) shift[at] = from;
  total = 0;
  each_row([&](double v) { total += v - from; });
  sum[at] += total;
}
EXPORT_KERNEL(class_moments_tiled_sums)

// The tiles on and above the diagonal, row by row.
KERNEL class_moments_tiled_second(double* second, const float* x, const int32_t* labels, const double* shift, int32_t n, int32_t c) {
  SHARED(double, tiles, 2 * kRows * kSide);
  const int32_t side = (c + kSide - 1) / kSide;
  int32_t tile_i = 0, left = static_cast<int32_t>(blockIdx.x);
  for (; left >= side - tile_i; tile_i++) left -= side - tile_i;
  const int32_t first[2] = {tile_i * kSide, (tile_i + left) * kSide};
  // A thread has the sums of two rows, 16 apart, and two columns, 16 apart.
  const int32_t thread = static_cast<int32_t>(threadIdx.x), i = thread / 16, j = thread % 16;
  double total[2][2] = {};
  for (int32_t row0 = 0; row0 < n; row0 += kRows) {
    __syncthreads();  // nobody reads the last rows any more
    for (int32_t e = thread; e < 2 * kRows * kSide; e += kThreads) {
      const int32_t row = row0 + e / kSide % kRows, column = first[e / (kRows * kSide)] + e % kSide;
      tiles[e] = row < n && column < c
                     ? static_cast<double>(x[static_cast<int64_t>(row) * c + column]) - shift[static_cast<int64_t>(labels[row]) * c + column]
                     : 0.0;
    }
    __syncthreads();  // these are whole
    for (int32_t row = 0; row < kRows; row++) {
      const double* const a = tiles + row * kSide + i;
      const double* const b = tiles + (kRows + row) * kSide + j;
      for (int v = 0; v < 2; v++)
        for (int w = 0; w < 2; w++) total[v][w] = fma(a[16 * v], b[16 * w], total[v][w]);
    }
  }
  for (int v = 0; v < 2; v++)
    for (int w = 0; w < 2; w++) {
      const int32_t p = first[0] + i + 16 * v, q = first[1] + j + 16 * w;
      if (p <= q && q < c) second[static_cast<int64_t>(p) * c + q] += total[v][w];
    }
}
EXPORT_KERNEL(class_moments_tiled_second)

KERNEL class_moments_tiled_squares(double* square, int64_t* count, const float* x, const int32_t* labels, const double* shift, int32_t n, int32_t c) {
  SHARED(double, totals, kThreads);
  const int32_t k = static_cast<int32_t>(blockIdx.x), thread = static_cast<int32_t>(threadIdx.x);
  double total = 0;
  int32_t rows = 0;
  for (int32_t row = 0; row < n; row++) {
    if (labels[row] != k) continue;
    rows++;
    for (int32_t column = thread; column < c; column += kThreads) {
      const double d = static_cast<double>(x[static_cast<int64_t>(row) * c + column]) - shift[static_cast<int64_t>(k) * c + column];
      total = fma(d, d, total);
    }
  }
  totals[thread] = total;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread < half) totals[thread] += totals[thread + half];
  }
  if (thread != 0) return;
  square[k] += totals[0];
  count[k] += rows;
}
EXPORT_KERNEL(class_moments_tiled_squares)

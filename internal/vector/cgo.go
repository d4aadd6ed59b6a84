//go:build cgo

package vector

/*
#cgo CFLAGS: -O3 -std=c17
#cgo LDFLAGS: -lm
#include <math.h>
#include <stddef.h>
#include <stdint.h>

// The loader takes the vectors that the processor has, where it can.
#if defined(__x86_64__) && defined(__GLIBC__)
#define VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VECTORS
#endif

VECTORS static void widen(double *to, const float *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    to[i] = x[i];
}

VECTORS static void less_narrow(float *to, double *lengths, const double *x, const double *origin, size_t n, size_t d) {
  for (size_t i = 0; i < n; i++, x += d, to += d) {
    double sum[8] = {0}; // as many as the widest vector holds
    size_t j = 0;
    for (; j + 8 <= d; j += 8)
      for (size_t k = 0; k < 8; k++) {
        const double a = x[j + k] - origin[j + k];
        to[j + k] = (float)a;
        sum[k] += a * a;
      }
    double square = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
    for (; j < d; j++) {
      const double a = x[j] - origin[j];
      to[j] = (float)a;
      square += a * a;
    }
    lengths[i] = sqrt(square);
  }
}

VECTORS static void largest(double *restrict to, const double *restrict x, size_t n, size_t d) {
  for (size_t i = 0; i < n; i++, x += d)
    for (size_t j = 0; j < d; j++) {
      const double a = fabs(x[j]);
      to[j] = a > to[j] ? a : to[j];
    }
}

// fold adds four of the widest vectors up, into the first number.
static inline __attribute__((always_inline)) void fold(double *sum) {
  for (size_t half = 16; half > 0; half /= 2)
    for (size_t k = 0; k < half; k++)
      sum[k] += sum[k + half];
}

VECTORS static void squares(double *restrict to, const double *restrict x, size_t n, size_t d) {
  for (size_t i = 0; i < n; i++, x += d) {
    double sum[32] = {0}; // four of the widest vectors: one addition need not wait for the one before
    size_t j = 0;
    for (; j + 32 <= d; j += 32)
      for (size_t k = 0; k < 32; k++)
        sum[k] += x[j + k] * x[j + k];
    fold(sum);
    for (; j < d; j++)
      sum[0] += x[j] * x[j];
    to[i] = sum[0];
  }
}

VECTORS static void less(double *restrict to, double *restrict squares, const double *restrict x, size_t pitch, const double *restrict origins, const int64_t *of, size_t n,
                         size_t d) {
  for (size_t i = 0; i < n; i++, x += pitch) {
    const double *origin = of ? origins + of[i] * d : origins;
    double sum[32] = {0}; // as in squares
    size_t j = 0;
    for (; j + 32 <= d; j += 32)
      for (size_t k = 0; k < 32; k++) {
        const double a = x[j + k] - origin[j + k];
        if (to)
          to[i * d + j + k] = a;
        sum[k] += a * a;
      }
    fold(sum);
    for (; j < d; j++) {
      const double a = x[j] - origin[j];
      if (to)
        to[i * d + j] = a;
      sum[0] += a * a;
    }
    if (squares)
      squares[i] = sum[0];
  }
}

VECTORS static void only_near(int64_t *only, const float *dots, const double *squares, const double *slack, size_t n, size_t c) {
  for (size_t i = 0; i < n; i++, dots += c) {
    double least[8];
    for (size_t k = 0; k < 8; k++)
      least[k] = INFINITY;
    size_t j = 0;
    for (; j + 8 <= c; j += 8)
      for (size_t k = 0; k < 8; k++) {
        const double a = squares[j + k] - 2 * (double)dots[j + k];
        least[k] = a < least[k] ? a : least[k];
      }
    for (; j < c; j++) {
      const double a = squares[j] - 2 * (double)dots[j];
      least[0] = a < least[0] ? a : least[0];
    }
    for (size_t half = 4; half > 0; half /= 2)
      for (size_t k = 0; k < half; k++)
        least[k] = least[k + half] < least[k] ? least[k + half] : least[k];
    const double limit = least[0] + slack[i];
    int64_t near = 0, sum = 0;
    for (j = 0; j < c; j++) {
      const int64_t in = !(squares[j] - 2 * (double)dots[j] > limit);
      near += in;
      sum += in * (int64_t)j;
    }
    only[i] = near == 1 ? sum : -1;
  }
}
*/
import "C"

import "unsafe"

func widen(dst []float64, src []float32) {
	C.widen((*C.double)(&dst[0]), (*C.float)(&src[0]), C.size_t(len(src)))
}

func lessNarrow(dst []float32, lengths, x, origin []float64) {
	C.less_narrow((*C.float)(&dst[0]), (*C.double)(&lengths[0]), (*C.double)(&x[0]), (*C.double)(&origin[0]), C.size_t(len(lengths)), C.size_t(len(origin)))
}

func largest(to, x []float64) {
	C.largest((*C.double)(&to[0]), (*C.double)(&x[0]), C.size_t(len(x)/len(to)), C.size_t(len(to)))
}

func squares(to, x []float64) {
	C.squares((*C.double)(&to[0]), (*C.double)(&x[0]), C.size_t(len(to)), C.size_t(len(x)/len(to)))
}

func less(to, squares, x []float64, pitch int, origins []float64, of []int64, n, d int) {
	C.less((*C.double)(unsafe.SliceData(to)), (*C.double)(unsafe.SliceData(squares)), (*C.double)(&x[0]), C.size_t(pitch), (*C.double)(&origins[0]),
		(*C.int64_t)(unsafe.SliceData(of)), C.size_t(n), C.size_t(d))
}

func onlyNear(only []int64, dots []float32, squares, slack []float64) {
	C.only_near((*C.int64_t)(&only[0]), (*C.float)(&dots[0]), (*C.double)(&squares[0]), (*C.double)(&slack[0]), C.size_t(len(only)), C.size_t(len(squares)))
}

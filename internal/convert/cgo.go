//go:build cgo

package convert

/*
#cgo CFLAGS: -O3
#cgo LDFLAGS: -lm
#include <math.h>
#include <stddef.h>
#include <string.h>

typedef double doubles __attribute__((vector_size(32)));
typedef float floats __attribute__((vector_size(16)));

static void less_narrow(float *to, double *lengths, const double *x, const double *origin, size_t n, size_t d) {
  for (size_t i = 0; i < n; i++, x += d, to += d) {
    doubles sum = {0};
    size_t j = 0;
    for (; j + 4 <= d; j += 4) {
      doubles a, b;
      memcpy(&a, x + j, sizeof a);
      memcpy(&b, origin + j, sizeof b);
      a -= b;
      const floats narrow = __builtin_convertvector(a, floats);
      memcpy(to + j, &narrow, sizeof narrow);
      sum += a * a;
    }
    double square = sum[0] + sum[1] + sum[2] + sum[3];
    for (; j < d; j++) {
      const double a = x[j] - origin[j];
      to[j] = (float)a;
      square += a * a;
    }
    lengths[i] = sqrt(square);
  }
}
*/
import "C"

func lessNarrow(dst []float32, lengths, x, origin []float64) {
	C.less_narrow((*C.float)(&dst[0]), (*C.double)(&lengths[0]), (*C.double)(&x[0]), (*C.double)(&origin[0]), C.size_t(len(lengths)), C.size_t(len(origin)))
}

// The operations of kernels/ops.go as sanitize_main.cpp tries them: operands, their kinds and numbers, and odd shapes.
#ifndef NCT_SANITIZE_OPERATIONS_HPP
#define NCT_SANITIZE_OPERATIONS_HPP
#include <stdint.h>

#include <vector>

#include "../nct.h"

namespace {

enum Type { kReal, kFloat64, kInt32, kInt64, kUint8 };
enum Role { kIn, kOut, kInOut };

int64_t size_of(Type type, int bits) {
  switch (type) {
    case kReal: return bits / 8;
    case kInt32: return 4;
    case kUint8: return 1;
    default: return 8;
  }
}

using Count = int64_t (*)(const nct_shape&);

int64_t p_of(const nct_shape& s) { return (s.h + 2 * s.pad - s.r) / s.stride + 1; }
int64_t q_of(const nct_shape& s) { return (s.w + 2 * s.pad - s.s) / s.stride + 1; }
int64_t count_x(const nct_shape& s) { return s.n * s.h * s.w * s.c; }
int64_t count_y(const nct_shape& s) { return s.n * p_of(s) * q_of(s) * s.k; }
int64_t count_w(const nct_shape& s) { return s.k * s.r * s.s * s.c; }
int64_t count_images(const nct_shape& s) { return s.k * s.h * s.w * s.c; }
int64_t count_lut(const nct_shape& s) { return 256 * s.c; }
int64_t count_c(const nct_shape& s) { return s.c; }
int64_t count_k(const nct_shape& s) { return s.k; }
int64_t count_n(const nct_shape& s) { return s.n; }
int64_t count_h(const nct_shape& s) { return s.h; }
int64_t count_nc(const nct_shape& s) { return s.n * s.c; }
int64_t count_nk(const nct_shape& s) { return s.n * s.k; }
int64_t count_kc(const nct_shape& s) { return s.k * s.c; }
int64_t count_cc(const nct_shape& s) { return s.c * s.c; }
int64_t count_one(const nct_shape&) { return 1; }
int64_t count_state(const nct_shape&) { return NCT_STATE_LEN; }

// What an operand's numbers are: any real numbers, positive ones, indices of images or of classes in ascending order.
enum Values { kAny, kPositive, kIndex };

struct Operand {
  Count count;
  Role role = kIn;
  Type type = kReal;
  Values values = kAny;
  bool optional = false;
};

struct Operation {
  const char* name;
  std::vector<Operand> operands;
  std::vector<nct_shape> shapes;
  std::vector<double> scalars;
  uint32_t flag = 0;
};

const std::vector<nct_shape> kConvShapes = {
    {2, 8, 8, 16, 16, 3, 3, 1, 1}, {1, 7, 5, 3, 8, 3, 3, 1, 1},   {3, 9, 9, 17, 13, 3, 3, 1, 1},
    {1, 1, 1, 5, 7, 3, 3, 1, 1},   {2, 6, 7, 72, 33, 3, 3, 2, 1}, {3, 11, 8, 18, 66, 3, 3, 2, 1},
    {1, 7, 8, 9, 5, 1, 1, 2, 0},   {1, 6, 5, 2, 3, 2, 5, 3, 3},   {3, 5, 5, 8, 40, 1, 1, 1, 0},
};
const std::vector<nct_shape> kBNShapes = {{2, 8, 8, 16, 0, 0, 0, 0, 0},  {1, 1, 2, 3, 0, 0, 0, 0, 0},    {3, 7, 5, 17, 0, 0, 0, 0, 0},
                                          {5, 13, 16, 8, 0, 0, 0, 0, 0}, {3, 3, 1, 1029, 0, 0, 0, 0, 0}, {1, 1, 1, 20, 0, 0, 0, 0, 0}};
const std::vector<nct_shape> kFlatShapes = {{1, 0, 0, 0, 0, 0, 0, 0, 0}, {67, 0, 0, 0, 0, 0, 0, 0, 0}, {33001, 0, 0, 0, 0, 0, 0, 0, 0}};
const std::vector<nct_shape> kLinearShapes = {{4, 0, 0, 16, 10, 0, 0, 0, 0}, {1, 0, 0, 1, 1, 0, 0, 0, 0}, {5, 0, 0, 33, 17, 0, 0, 0, 0}};

// The operations of kernels/ops.go, and the machine's own limits. A kernel whose operation is missing here is an error.
const std::vector<Operation> kOperations = {
    {"conv_fprop", {{count_x}, {count_w}, {count_y, kOut}}, kConvShapes, {}},
    {"conv_dgrad", {{count_y}, {count_w}, {count_x, kOut}}, kConvShapes, {}},
    {"conv_wgrad", {{count_x}, {count_y}, {count_w, kOut}}, kConvShapes, {}},
    {"conv_fprop_bn",
     {{count_x}, {count_w}, {count_k}, {count_k}, {count_k}, {count_k}, {count_y, kIn, kReal, kAny, true}, {count_y, kOut}},
     kConvShapes,
     {},
     NCT_RELU},
    {"conv_fprop_stats",
     {{count_x},
      {count_w},
      {count_k, kInOut},
      {count_k, kInOut, kReal, kPositive},
      {count_one, kInOut, kInt64},
      {count_y, kOut},
      {count_k, kOut},
      {count_k, kOut}},
     kConvShapes,
     {1e-5, 0.1}},
    {"conv_dgrad_add", {{count_y}, {count_w}, {count_x, kInOut}}, kConvShapes, {}},
    {"bn_stats",
     {{count_x}, {count_c, kInOut}, {count_c, kInOut, kReal, kPositive}, {count_one, kInOut, kInt64}, {count_c, kOut}, {count_c, kOut}},
     kBNShapes,
     {1e-5, 0.1}},
    {"bn_eval_stats", {{count_c}, {count_c, kIn, kReal, kPositive}, {count_c, kOut}, {count_c, kOut}}, kBNShapes, {1e-5}},
    {"bn_forward",
     {{count_x}, {count_c}, {count_c}, {count_c}, {count_c}, {count_x, kIn, kReal, kAny, true}, {count_x, kOut}},
     kBNShapes,
     {},
     NCT_RELU},
    {"bn_backward_stats", {{count_x}, {count_x}, {count_x}, {count_c}, {count_c}, {count_c, kOut}, {count_c, kOut}}, kBNShapes, {}, NCT_RELU},
    {"bn_backward",
     {{count_x}, {count_x}, {count_x}, {count_c}, {count_c}, {count_c}, {count_c}, {count_c}, {count_x, kOut}, {count_x, kOut, kReal, kAny, true}},
     kBNShapes,
     {},
     NCT_RELU},
    {"relu_forward", {{count_n}, {count_n, kOut}}, kFlatShapes, {}},
    {"relu_backward", {{count_n}, {count_n}, {count_n, kOut}}, kFlatShapes, {}},
    {"add", {{count_n}, {count_n}, {count_n, kOut}}, kFlatShapes, {}},
    {"avg_pool_forward", {{count_x}, {count_nc, kOut}}, kBNShapes, {}},
    {"avg_pool_backward", {{count_nc}, {count_x, kOut}}, kBNShapes, {}},
    {"linear_fprop", {{count_nc}, {count_kc}, {count_k}, {count_nk, kOut}}, kLinearShapes, {}},
    {"linear_dgrad", {{count_nk}, {count_kc}, {count_nc, kOut}}, kLinearShapes, {}},
    {"linear_wgrad", {{count_nc}, {count_nk}, {count_kc, kOut}, {count_k, kOut}}, kLinearShapes, {}},
    {"cross_entropy",
     {{count_nk},
      {count_n, kIn, kInt32, kIndex},
      {count_state, kInOut, kInt64},
      {count_h, kInOut, kFloat64},
      {count_h, kInOut, kInt32},
      {count_nk, kOut, kReal, kAny, true}},
     {{7, 2, 0, 0, 33, 0, 0, 0, 0}, {1, 1, 0, 0, 2, 0, 0, 0, 0}},
     {}},
    {"class_moments",
     {{count_nc},
      {count_n, kIn, kInt32, kIndex},
      {count_k, kInOut, kInt64},
      {count_kc, kInOut, kFloat64},
      {count_kc, kInOut, kFloat64},
      {count_k, kInOut, kFloat64},
      {count_cc, kInOut, kFloat64}},
     {{7, 0, 0, 35, 9, 0, 0, 0, 0}, {1, 0, 0, 1, 1, 0, 0, 0, 0}},
     {}},
    {"augment",
     {{count_images, kIn, kUint8},
      {count_k, kIn, kInt32},
      {count_k, kIn, kInt32, kIndex},
      {count_state, kIn, kInt64},
      {count_lut},
      {count_x, kOut},
      {count_n, kOut, kInt32}},
     {{4, 8, 8, 3, 9, 0, 0, 0, 4}, {3, 5, 7, 1, 6, 0, 0, 0, 2}},
     {},
     NCT_RANDOM_CROP_FLIP},
    {"sgd", {{count_n, kInOut}, {count_n}, {count_n, kInOut}, {count_one, kIn, kFloat64}, {count_state, kIn, kInt64}}, kFlatShapes, {0.9, 5e-4}},
    {"advance", {{count_state, kInOut, kInt64}}, kFlatShapes, {}},
    {"peak_fma", {{count_n}, {count_n, kOut}}, {{33001, 0, 0, 0, 3, 0, 0, 0, 0}}, {0.5}},
    {"peak_read", {{count_nc}, {count_n, kOut}}, {{3, 0, 0, 1001, 0, 0, 0, 0, 0}}, {}},
};

}  // namespace
#endif

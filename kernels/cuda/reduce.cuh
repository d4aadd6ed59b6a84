// How kernels reduce a matrix [rows,c] over its rows, in an order that follows from the shape alone: the same bits in every run, without atomics.
//
// A first kernel has a block of kSlots x kLanes threads for each task of task_rows rows (grid x) and each tile of columns (grid y, which has room for fewer). A
// thread takes the columns of one load (four, or one where c is no multiple of 4) and every kSlots-th row of the task, in float32 and few enough of them for its
// bound; the slots' results are folded in double, and a task leaves two doubles a column in the workspace. A second kernel, whose block has kFoldSlots x kLanes
// threads for kLanes columns, folds the tasks'. launches_bn.go has the grids.
#ifndef NCTRAIN_REDUCE_CUH
#define NCTRAIN_REDUCE_CUH
#include "device.cuh"

constexpr int kLanes = 16, kSlots = 16, kFoldSlots = 32;

DEVICE float part(float v, int) { return v; }
DEVICE float part(float4 v, int i) { return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w; }

// What a thread of the first kernel reduces; At is how it loads: Vector4 or Single.
template <typename At>
struct Column {
  using Value = decltype(At::load(nullptr));
  static constexpr int kWidth = At::kWidth, kTile = kWidth * kLanes;

  int64_t first;  // row of the task
  int32_t in_task, slot, tile, within, c;

  DEVICE Column(int64_t rows, int32_t task_rows, int32_t c)
      : first(static_cast<int64_t>(blockIdx.x) * task_rows),
        in_task(rows - first < task_rows ? static_cast<int32_t>(rows - first) : task_rows),
        slot(static_cast<int32_t>(threadIdx.x) / kLanes),
        tile(static_cast<int32_t>(blockIdx.y) * kTile),
        within(static_cast<int32_t>(threadIdx.x) % kLanes * kWidth),
        c(c) {}

  DEVICE int32_t column(int i) const { return within + i; }
  // How many rows a slot has.
  DEVICE int32_t rows_of(int32_t of_slot) const { return of_slot < in_task ? (in_task - of_slot + kSlots - 1) / kSlots : 0; }
  // How many the thread has: none beyond the last column.
  DEVICE int32_t rows() const { return tile + within < c ? rows_of(slot) : 0; }
  // Where the thread's r-th row starts in the matrix.
  DEVICE int64_t at(int32_t r) const { return (first + slot + static_cast<int64_t>(r) * kSlots) * c + tile + within; }
};

struct Pair {
  double first, second;
};

// Two doubles for each slot and column, in a block's shared memory. Each of four slots has its columns in another order, so that lanes that put every second
// column of four slots at a time (conv_mma.cuh) meet no bank twice.
template <int SlotCount, int Columns>
struct Pairs {
  double* base;
  static constexpr int kSlotCount = SlotCount, kDoubles = 2 * SlotCount * Columns;
  static_assert(Columns % 16 == 0, "the orders are of 16 columns");

  DEVICE double& at(int slot, int column) const { return base[slot * Columns + (column ^ (slot % 2 + slot / 2 % 2 * 8))]; }
  DEVICE void put(int slot, int column, double a, double b) const {
    at(slot, column) = a;
    at(SlotCount + slot, column) = b;
  }
  DEVICE double first(int slot, int column) const { return at(slot, column); }
  DEVICE double second(int slot, int column) const { return at(SlotCount + slot, column); }
  // sum of all slots, in their order.
  DEVICE Pair sum(int column) const {
    Pair total = {0, 0};
    for (int slot = 0; slot < SlotCount; slot++) total = {total.first + first(slot, column), total.second + second(slot, column)};
    return total;
  }
};
using SlotPairs = Pairs<kSlots, 4 * kLanes>;
using FoldPairs = Pairs<kFoldSlots, kLanes>;

// What the tasks leave in the workspace: [tasks][2][c].
struct Partial {
  double* base;
  int32_t c;

  DEVICE void put(int64_t task, int32_t column, double a, double b) const {
    base[2 * task * c + column] = a;
    base[(2 * task + 1) * c + column] = b;
  }
  DEVICE double first(int64_t task, int32_t column) const { return base[2 * task * c + column]; }
  DEVICE double second(int64_t task, int32_t column) const { return base[(2 * task + 1) * c + column]; }
};

// store_task leaves in the workspace two doubles for each of a task's columns. `rows` tells which of them the thread has: kWidth columns, column(i) of the block's
// kTile, the first of which is `tile` of c. of_column(i) gives the thread's two of its i-th, of_slots(column) those of all slots.
template <typename Rows, typename Slots, typename OfColumn, typename OfSlots>
DEVICE void store_task(const Rows& rows, const Slots& slots, const Partial& partial, OfColumn of_column, OfSlots of_slots) {
#pragma unroll
  for (int i = 0; i < Rows::kWidth; i++) {
    const Pair of_thread = of_column(i);
    slots.put(rows.slot, rows.column(i), of_thread.first, of_thread.second);
  }
  __syncthreads();
  const int32_t column = static_cast<int32_t>(threadIdx.x);
  if (column >= Rows::kTile || rows.tile + column >= partial.c) return;
  const Pair of_task = of_slots(column);
  partial.put(blockIdx.x, rows.tile + column, of_task.first, of_task.second);
}

#endif

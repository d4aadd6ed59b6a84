package main

// expectation is what a function of kernels/cuda states: how it is launched (launches_*.go), and what its machine code must show.
type expectation struct {
	function string
	threads  int  // of a block
	dynamic  int  // bytes of dynamic shared memory
	percent  int  // of a multiprocessor's warps that are resident at least
	wide     bool // moves 16 bytes of global memory at once, where channels or elements allow it
	products bool // its hot loop does nothing else with global memory
	matrix   bool // HMMA in its hot loop
}

// mmaShared is what launches_conv.go asks for: three stages of 32 places along k of 128 + 64 lines.
const mmaShared = 3 * 32 * (128 + 64) * 4

// expectations has every function of every kernel.
var expectations = []expectation{
	{function: "add_direct", threads: 256, percent: 75, wide: true},
	{function: "advance_direct", threads: 1, percent: 0},
	{function: "augment_direct", threads: 256, percent: 50},
	{function: "avg_pool_backward_direct", threads: 256, percent: 75},
	{function: "avg_pool_forward_direct", threads: 256, percent: 75},
	{function: "bn_backward_direct", threads: 256, percent: 50, wide: true},
	{function: "bn_backward_stats_direct", threads: 256, percent: 50, wide: true},
	{function: "bn_backward_stats_direct_merge", threads: 512, percent: 50},
	{function: "bn_eval_stats_direct", threads: 256, percent: 75},
	{function: "bn_forward_direct", threads: 256, percent: 75, wide: true},
	{function: "bn_stats_merge", threads: 512, percent: 50},
	{function: "bn_stats_two_pass", threads: 256, percent: 37, wide: true},
	{function: "bn_stats_welford", threads: 256, percent: 37, wide: true},
	{function: "class_moments_tiled_second", threads: 256, percent: 50},
	{function: "class_moments_tiled_squares", threads: 256, percent: 50},
	{function: "class_moments_tiled_sums", threads: 256, percent: 50},
	{function: "conv_dgrad_add_direct", threads: 256, percent: 50},
	{function: "conv_dgrad_add_mma_bf16", threads: 128, dynamic: mmaShared, percent: 12, wide: true, products: true, matrix: true},
	{function: "conv_dgrad_add_mma_tf32", threads: 128, dynamic: mmaShared, percent: 12, wide: true, products: true, matrix: true},
	{function: "conv_dgrad_add_tiled", threads: 128, percent: 18, wide: true, products: true},
	{function: "conv_dgrad_direct", threads: 256, percent: 50},
	{function: "conv_fprop_direct", threads: 256, percent: 50},
	{function: "conv_wgrad_direct", threads: 256, percent: 50},
	{function: "conv_dgrad_mma_bf16", threads: 128, dynamic: mmaShared, percent: 12, wide: true, products: true, matrix: true},
	{function: "conv_dgrad_mma_tf32", threads: 128, dynamic: mmaShared, percent: 12, wide: true, products: true, matrix: true},
	{function: "conv_dgrad_tiled", threads: 128, percent: 18, wide: true, products: true},
	{function: "conv_fprop_bn_direct", threads: 256, percent: 50},
	{function: "conv_fprop_bn_mma_bf16", threads: 128, dynamic: mmaShared, percent: 12, wide: true, products: true, matrix: true},
	{function: "conv_fprop_bn_mma_tf32", threads: 128, dynamic: mmaShared, percent: 12, wide: true, products: true, matrix: true},
	{function: "conv_fprop_bn_registers", threads: 256, percent: 25},
	{function: "conv_fprop_bn_tiled", threads: 128, percent: 18, wide: true, products: true},
	{function: "conv_fprop_mma_bf16", threads: 128, dynamic: mmaShared, percent: 12, wide: true, products: true, matrix: true},
	{function: "conv_fprop_mma_tf32", threads: 128, dynamic: mmaShared, percent: 12, wide: true, products: true, matrix: true},
	{function: "conv_fprop_registers", threads: 256, percent: 25},
	{function: "conv_fprop_stats_mma_bf16", threads: 128, dynamic: mmaShared, percent: 12, wide: true, products: true, matrix: true},
	{function: "conv_fprop_stats_mma_tf32", threads: 128, dynamic: mmaShared, percent: 12, wide: true, products: true, matrix: true},
	{function: "conv_fprop_stats_registers", threads: 256, percent: 25},
	{function: "conv_fprop_stats_tiled", threads: 128, percent: 18, wide: true, products: true},
	{function: "conv_fprop_tiled", threads: 128, percent: 18, wide: true, products: true},
	{function: "conv_wgrad_mma_bf16", threads: 128, dynamic: mmaShared, percent: 12, wide: true, products: true, matrix: true},
	{function: "conv_wgrad_mma_tf32", threads: 128, dynamic: mmaShared, percent: 12, wide: true, products: true, matrix: true},
	{function: "conv_wgrad_registers", threads: 256, percent: 25},
	{function: "conv_wgrad_tiled", threads: 128, percent: 18, wide: true, products: true},
	{function: "conv_wgrad_sum", threads: 256, percent: 50, wide: true},
	{function: "cross_entropy_direct", threads: 512, percent: 25},
	{function: "linear_dgrad_direct", threads: 256, percent: 75},
	{function: "linear_dgrad_tiled", threads: 256, percent: 75, wide: true},
	{function: "linear_fprop_direct", threads: 256, percent: 62},
	{function: "linear_fprop_tiled", threads: 256, percent: 75, wide: true},
	{function: "linear_wgrad_direct", threads: 256, percent: 75},
	{function: "linear_wgrad_tiled", threads: 256, percent: 75, wide: true},
	{function: "peak_fma_direct", threads: 256, percent: 50},
	{function: "peak_mma_bf16", threads: 256, percent: 50, matrix: true},
	{function: "peak_mma_tf32", threads: 256, percent: 50, matrix: true},
	{function: "peak_read_direct", threads: 256, percent: 50, wide: true},
	{function: "relu_backward_direct", threads: 256, percent: 75, wide: true},
	{function: "relu_forward_direct", threads: 256, percent: 75, wide: true},
	{function: "sgd_multi_tensor", threads: 256, percent: 75, wide: true},
	{function: "sgd_per_tensor", threads: 256, percent: 75, wide: true},
}

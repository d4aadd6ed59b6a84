// Package cuda holds the kernels of the cuda device: one .cu source a variant, named as the variant's kernel (<operation>_<variant>), whose header comment is
// its contract; device.cuh, which they all include; and how each is launched (launches_<family>.go).
//
// To add a kernel: write conv_wgrad_tiled.cu (header comment with formula, "// Grid: ", "Builds for: sm_NN and later." and cost; KERNEL functions whose names start
// with the source's, each followed by EXPORT_KERNEL(name); inline PTX only in device.cuh); register its entry in its family's file (the launches of a
// [Call] in order, for example conv_wgrad_tiled and then conv_wgrad_tiled_reduce, and the workspace and packed weights they need); add its row to
// kernels/variants_cuda.go; say what its machine code must show in kernels/cuda/resources/table.go (`make check-resources` holds it to that); `make cuda-kernels`, and
// `make resources` for the table in docs/kernels.md. Tests, planner, `nctrain kernels` and benchmarks read the row: nothing else names the kernel.
// `make cuda-kernels` compiles, and `make test-cuda` runs the conformance suite over it under the emulated driver.
//
// Its Go code, but for limits.go, stands behind the build tag cuda and embeds images/, which `make cuda-kernels` fills: each kernel as a fatbin for the card, and as the shared
// object that the emulated driver (cudart/emu) takes instead.
package cuda

// Package kernels is the seam between a network and the machine that computes it.
//
// It holds three things, and everything above it sees nothing below them:
//
//   - [Device]: buffers in one arena, copies, launches, capture and replay.
//   - The table: an [Op] is a row that says what is computed (operands, float64 reference, cost), a [Variant] is a row under it that says
//     how (its mechanism, where it applies, what it needs, what it can fuse).
//   - What checks and compares the variants: the conformance suite ([Check]) and the benchmarks read the same table.
//
// Adding a variant: docs/kernels.md, "Adding a variant".
//
// Activations are NHWC, weights KRSC (PyTorch's OIHW with the channel moved last), row-major, on every device.
package kernels

// Package nn is a network and how it learns.
//
// A [Graph] is a record: layers, written as in PyTorch, append operations of the table in package kernels; [Graph.Backward] appends their gradients and
// [Graph.Update] the optimiser's step. [Compile] turns the record into a [Plan]: operations fused where the table offers a fused form, memory reused by
// liveness, variants chosen, everything captured once. [Plan.Run] replays it without allocating. What changes from step to step (step number, learning
// rate, sample order, losses) lives in device memory.
//
// [Trainer] drives plans over a data set, and what it saves (weights, resume state) is PyTorch's names and layouts at the file boundary.
package nn

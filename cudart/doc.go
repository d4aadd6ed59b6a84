// Package cudart drives one NVIDIA GPU: a thin, typed runtime on gorgonia.org/cu.
//
// Its code stands behind the build tag cuda, since it needs CUDA's headers; without the tag the package is empty. What it links against is the late-bound
// driver of cudart/driver, so that one program runs with a real driver, with the emulated one of cudart/emu, and without any.
package cudart

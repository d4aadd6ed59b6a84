//go:build !openblas

package blas

func name() string { return "gonum (pure Go)" }

// core is empty: there are no kernels to choose from.
func core() string { return "" }

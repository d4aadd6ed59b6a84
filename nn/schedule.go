package nn

import "math"

// cosineLR is PyTorch's CosineAnnealingLR to 0 over epochs, stepped once an epoch: the rate of epoch e (from 0).
func cosineLR(base float64, e, epochs int) float64 {
	return base * (1 + math.Cos(math.Pi*float64(e)/float64(epochs))) / 2
}

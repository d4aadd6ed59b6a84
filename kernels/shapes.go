package kernels

// What the conformance suite tries: the layer kinds of ResNet-18 in small, and odd sizes around every tile and vector width.

var convShapes = []Shape{
	{N: 2, H: 8, W: 8, C: 16, K: 16, R: 3, S: 3, Stride: 1, Pad: 1},
	{N: 1, H: 7, W: 5, C: 3, K: 8, R: 3, S: 3, Stride: 1, Pad: 1},    // stem, odd image, batch 1
	{N: 2, H: 32, W: 32, C: 3, K: 64, R: 3, S: 3, Stride: 1, Pad: 1}, // stem
	{N: 3, H: 9, W: 9, C: 17, K: 13, R: 3, S: 3, Stride: 1, Pad: 1},  // nothing divides
	{N: 1, H: 1, W: 1, C: 5, K: 7, R: 3, S: 3, Stride: 1, Pad: 1},    // mostly padding
	{N: 2, H: 4, W: 4, C: 64, K: 64, R: 3, S: 3, Stride: 1, Pad: 1},
	{N: 5, H: 6, W: 10, C: 32, K: 48, R: 3, S: 3, Stride: 1, Pad: 1},
	{N: 2, H: 8, W: 8, C: 16, K: 32, R: 3, S: 3, Stride: 2, Pad: 1},
	{N: 1, H: 7, W: 9, C: 10, K: 11, R: 3, S: 3, Stride: 2, Pad: 1},
	{N: 2, H: 8, W: 8, C: 16, K: 32, R: 1, S: 1, Stride: 2, Pad: 0},
	{N: 1, H: 7, W: 7, C: 9, K: 5, R: 1, S: 1, Stride: 2, Pad: 0},
	{N: 3, H: 5, W: 5, C: 8, K: 24, R: 1, S: 1, Stride: 1, Pad: 0},
	{N: 1, H: 4, W: 4, C: 512, K: 16, R: 3, S: 3, Stride: 1, Pad: 1}, // the longest sums of fprop
	{N: 1, H: 4, W: 4, C: 16, K: 512, R: 3, S: 3, Stride: 1, Pad: 1}, // of dgrad
	{N: 5, H: 32, W: 32, C: 3, K: 4, R: 3, S: 3, Stride: 1, Pad: 1},  // of wgrad: more than wgradBlock pixels
	// Little work, but several of a kernel's tiles or steps along each dimension.
	{N: 2, H: 9, W: 9, C: 4, K: 68, R: 3, S: 3, Stride: 1, Pad: 1},
	{N: 1, H: 5, W: 5, C: 20, K: 12, R: 3, S: 3, Stride: 2, Pad: 1},
	{N: 3, H: 14, W: 14, C: 4, K: 4, R: 1, S: 1, Stride: 1, Pad: 0}, // five parts of a weight gradient's pixels
}

var bnShapes = []Shape{
	{N: 2, H: 8, W: 8, C: 16},
	{N: 1, H: 1, W: 2, C: 3},
	{N: 3, H: 7, W: 5, C: 17},
	{N: 4, H: 16, W: 16, C: 8},
	{N: 5, H: 4, W: 4, C: 130},
	{N: 2, H: 2, W: 1, C: 1056}, // more channels than a kernel's tile
	{N: 5, H: 41, W: 45, C: 3},  // more tasks than a reduction folds at once, the last of them short
}

var flatShapes = []Shape{{N: 1}, {N: 15}, {N: 16}, {N: 4099}, {N: 70001}}

var poolShapes = []Shape{{N: 2, H: 4, W: 4, C: 16}, {N: 1, H: 1, W: 1, C: 3}, {N: 3, H: 3, W: 5, C: 33}, {N: 7, H: 4, W: 4, C: 64}}

var linearShapes = []Shape{{N: 4, C: 16, K: 10}, {N: 1, C: 1, K: 1}, {N: 3, C: 33, K: 17}, {N: 128, C: 64, K: 100}, {N: 17, C: 512, K: 10}}

// H is the ring of losses.
var crossEntropyShapes = []Shape{{N: 4, K: 10, H: 3}, {N: 1, K: 2, H: 1}, {N: 128, K: 100, H: 5}, {N: 7, K: 33, H: 2}}

// K is the number of classes, C that of features.
var classMomentShapes = []Shape{
	{N: 5, C: 3, K: 2}, {N: 1, C: 1, K: 1}, {N: 33, C: 40, K: 7}, {N: 70, C: 33, K: 3}, {N: 17, C: 130, K: 30}, {N: 128, C: 64, K: 100}, {N: 40, C: 300, K: 5},
}

// K is the number of images in the set.
var augmentShapes = []Shape{
	{N: 4, H: 32, W: 32, C: 3, K: 9, Pad: 4}, {N: 1, H: 32, W: 32, C: 3, K: 1, Pad: 4}, {N: 5, H: 9, W: 7, C: 3, K: 6, Pad: 4},
}

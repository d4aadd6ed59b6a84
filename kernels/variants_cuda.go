package kernels

// What the card multiplies in. Operations without products that lose precision run as FP32 under each.
var cudaPrecisions = []Precision{FP32, TF32, BF16}

// cudaVariants are the rows for the cuda device; under each operation the preferred first. Each names a source of kernels/cuda, which holds its launch.
var cudaVariants = []Variant{
	{Op: ConvFprop, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "plain loops: the readable reference, for any number of channels"},
	{Op: ConvDgrad, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "plain loops: the readable reference, for any number of channels"},
	{Op: ConvWgrad, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "plain loops over parts of the pixels: the readable reference, for any number of channels"},
	{Op: BNStats, Name: "two_pass", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "each thread goes twice over eight rows in registers; threads and tasks are merged by Chan's formula in double"},
	{Op: BNStats, Name: "welford", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "one value at a time, for one more rounding of the mean a row"},
	{Op: BNEvalStats, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "a thread a channel"},
	{Op: BNForward, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "normalise, add and ReLU in one pass, four elements a thread"},
	{Op: BNBackwardStats, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "eight rows a thread in float32, the rest in double"},
	{Op: BNBackward, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "mask, gradient and the residual's in one pass, four elements a thread"},
	{Op: ReLUForward, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "four elements a thread"},
	{Op: ReLUBackward, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "four elements a thread"},
	{Op: Add, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "four elements a thread"},
	{Op: AvgPoolForward, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "a thread a channel of an image"},
	{Op: AvgPoolBackward, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "a thread an element"},
	{Op: LinearFprop, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "a warp an output"},
	{Op: LinearDgrad, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "a thread an output"},
	{Op: LinearWgrad, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "a thread a weight"},
	{Op: CrossEntropy, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "one block, in double: the loss is what people read"},
	{Op: Augment, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "a thread a pixel, each with its own Philox"},
	{Op: SGD, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "one pass over all parameters, which lie together"},
	{Op: Advance, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "one thread"},
}

package cuda

// GridYZ is CUDA's limit of a grid's second and third dimension (its first has 2^31-1).
const GridYZ = 1<<16 - 1

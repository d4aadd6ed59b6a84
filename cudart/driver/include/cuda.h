// The driver's header as gorgonia.org/cu v0.9.6 knows it. This folder stands first on the include path; the installed header comes after.
// CUDA 13 gave five functions new prototypes under their old names. Those the package calls are mapped back to the old prototype here, so that it needs no fork:
// with CUDA 12 headers this file changes nothing.
#ifndef NCTRAIN_CUDA_H
#define NCTRAIN_CUDA_H
#include_next <cuda.h>

#if CUDA_VERSION >= 13000
// The driver still exports the older context creation; only its declaration left the header.
#undef cuCtxCreate
#define cuCtxCreate cuCtxCreate_v2
CUresult CUDAAPI cuCtxCreate_v2(CUcontext* context, unsigned int flags, CUdevice device);

static inline CUmemLocation nctrain_location(CUdevice device) {
  CUmemLocation location;
  location.type = device == CU_DEVICE_CPU ? CU_MEM_LOCATION_TYPE_HOST : CU_MEM_LOCATION_TYPE_DEVICE;
  location.id = device;
  return location;
}
static inline CUresult nctrain_cuMemAdvise(CUdeviceptr address, size_t bytes, CUmem_advise advice, CUdevice device) {
  return cuMemAdvise_v2(address, bytes, advice, nctrain_location(device));
}
static inline CUresult nctrain_cuMemPrefetchAsync(CUdeviceptr address, size_t bytes, CUdevice device, CUstream stream) {
  return cuMemPrefetchAsync_v2(address, bytes, nctrain_location(device), 0, stream);
}
static inline CUresult nctrain_cuGraphAddDependencies(CUgraph graph, const CUgraphNode* from, const CUgraphNode* to, size_t count) {
  return cuGraphAddDependencies_v2(graph, from, to, 0, count);
}
static inline CUresult nctrain_cuGraphGetEdges(CUgraph graph, CUgraphNode* from, CUgraphNode* to, size_t* count) {
  return cuGraphGetEdges_v2(graph, from, to, 0, count);
}
#undef cuMemAdvise
#undef cuMemPrefetchAsync
#undef cuGraphAddDependencies
#undef cuGraphGetEdges
#define cuMemAdvise nctrain_cuMemAdvise
#define cuMemPrefetchAsync nctrain_cuMemPrefetchAsync
#define cuGraphAddDependencies nctrain_cuGraphAddDependencies
#define cuGraphGetEdges nctrain_cuGraphGetEdges
#endif
#endif

// Vectors of one instruction set, on GCC's vector extensions: the language in which every kernel is written.
//
// Vector<T> holds lanes<T> values. Loops over n values go through for_vectors, which gives the body the whole vectors and then the partial last
// one by the same code, so that a value's arithmetic does not depend on where it stands.
//
// Contraction: GCC turns a*b + c into a fused multiply-add where the ISA has one. Write fma(a, b, c) where that is meant and rounded(a*b) + c where
// the product must be rounded first; then fused and unfused forms of a kernel give the same bits.
#ifndef NCT_ISA
#error "include through table.hpp, which an isa_*.cpp includes"
#endif
#ifndef NCT_VEC_HPP
#define NCT_VEC_HPP
#include <stddef.h>
#include <stdint.h>

namespace nct::NCT_ISA {

template <typename T>
constexpr int lanes = NCT_VECTOR_BYTES / static_cast<int>(sizeof(T));

template <typename T, int N>
struct VectorTypes {
  typedef T vector __attribute__((vector_size(N * sizeof(T))));
  typedef T unaligned __attribute__((vector_size(N * sizeof(T)), aligned(sizeof(T)), may_alias));
};

// VectorN<T, N> is a vector of N values; Vector<T> fills a register of this ISA.
template <typename T, int N>
using VectorN = typename VectorTypes<T, N>::vector;
template <typename T>
using Vector = VectorN<T, lanes<T>>;

// Whole and Part say how much of a vector memory has: all lanes, or the first n.
struct Whole {};
struct Part {
  int n;
};

template <typename T>
inline Vector<T> load(const T* p, Whole = {}) {
  return *reinterpret_cast<const typename VectorTypes<T, lanes<T>>::unaligned*>(p);
}

// The other lanes are zero.
template <typename T>
inline Vector<T> load(const T* p, Part part) {
  Vector<T> v{};
  for (int i = 0; i < part.n; i++) v[i] = p[i];
  return v;
}

template <typename T>
inline void store(T* p, Vector<T> v, Whole = {}) {
  *reinterpret_cast<typename VectorTypes<T, lanes<T>>::unaligned*>(p) = v;
}

template <typename T>
inline void store(T* p, Vector<T> v, Part part) {
  for (int i = 0; i < part.n; i++) p[i] = v[i];
}

// load_ahead is load in a pass over several arrays at once, where the processor's own prefetcher stays too close: it asks for what the pass reads some lines later.
template <typename T, typename Width>
inline Vector<T> load_ahead(const T* p, Width part) {
  constexpr int64_t kBytes = 2048;
  __builtin_prefetch(reinterpret_cast<const char*>(p) + kBytes, 0, 3);
  return load(p, part);
}

// stream is store past the caches, for a whole aligned line of what will not be read before it would have left them: the line is not read first. Where
// vectors are shorter than a line it is store. Before another thread reads: stream_end.
template <typename T>
inline void stream(T* p, Vector<T> v) {
#if NCT_VECTOR_BYTES == 64 && defined(__x86_64__)
  asm volatile("vmovntps %1, %0" : "=m"(*reinterpret_cast<typename VectorTypes<T, lanes<T>>::unaligned*>(p)) : "v"(v));
#else
  store(p, v);
#endif
}

inline void stream_end() {
#if NCT_VECTOR_BYTES == 64 && defined(__x86_64__)
  asm volatile("sfence" ::: "memory");
#endif
}

// streams_output: whether an output of n values is streamed: one of 16 MB and more has left a cache of 32 MB before the next operation has come to its end (figures:
// docs/kernels.md). Whole vectors of it must then lie on lines.
template <typename T>
inline bool streams_output(const T* out, int64_t n) {
  return n * static_cast<int64_t>(sizeof(T)) >= 16 << 20 && reinterpret_cast<uintptr_t>(out) % 64 == 0;
}

// put is stream where asked for and the vector is whole, else store.
template <typename T>
inline void put(T* p, Vector<T> v, Whole, bool streams) {
  streams ? stream(p, v) : store(p, v);
}

template <typename T>
inline void put(T* p, Vector<T> v, Part part, bool) {
  store(p, v, part);
}

template <typename T>
inline Vector<T> broadcast(T value) {
  return value - Vector<T>{};
}

// fma is a*b + c, in one rounding where the ISA has it.
template <typename V>
inline V fma(V a, V b, V c) {
  return a * b + c;
}

// rounded is the identity, and opaque to the compiler: a product in it is rounded before it is added to anything.
template <typename V>
inline V rounded(V v) {
#if defined(__x86_64__)
  asm("" : "+x"(v));
#elif defined(__aarch64__)
  asm("" : "+w"(v));
#endif
  return v;
}

// relu is max(v, 0), and NaN where v is NaN: a network that diverged must not look sound.
template <typename V>
inline V relu(V v) {
  return v < V{} ? V{} : v;
}

// where_positive is v in the lanes where by > 0, else 0.
template <typename V>
inline V where_positive(V by, V v) {
  return by > V{} ? v : V{};
}

// sum adds the lanes in a fixed order, pairwise.
template <typename T>
inline T sum(Vector<T> v) {
  T lane[lanes<T>];
  store(lane, v);
  for (int n = lanes<T> / 2; n > 0; n /= 2)
    for (int i = 0; i < n; i++) lane[i] += lane[i + n];
  return lane[0];
}

// for_vectors calls body(i, part) for i = 0, lanes, 2*lanes, ... below n; part is Whole but for the last, incomplete vector.
template <typename T, typename Body>
inline void for_vectors(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) body(i, Whole{});
  if (i < n) body(i, Part{static_cast<int>(n - i)});
}

template <int N>
struct Vectors {
  static constexpr int count = N;
};

// for_vector_blocks cuts n values into blocks of N vectors: body(i, Vectors<N>, Whole) for the whole blocks, then body(i, Vectors<1>, part) for the rest.
template <typename T, int N, typename Body>
inline void for_vector_blocks(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + N * lanes<T> <= n; i += N * lanes<T>) body(i, Vectors<N>{}, Whole{});
  for_vectors<T>(n - i, [&](int64_t j, auto part) { body(i + j, Vectors<1>{}, part); });
}

}  // namespace nct::NCT_ISA
#endif

// SPDX-License-Identifier: MIT
// The library's only door to xsimd: vectors of the compiler's widest instruction set.
#pragma once

#include <cstddef>
#include <type_traits>

#include <pixelrnn/core/shape.hpp>

PIXELRNN_BEGIN_OTHERS_HEADERS
#include <xsimd/xsimd.hpp>
PIXELRNN_END_OTHERS_HEADERS

#if XSIMD_VERSION_MAJOR < 8 || (XSIMD_VERSION_MAJOR == 8 && XSIMD_VERSION_MINOR < 1)
#error "pixelrnn needs xsimd 8.1 or newer"
#endif

namespace pixelrnn::inline PIXELRNN_ABI::simd {

/// A vector register of T, and how many T it holds.
template <class T>
using Batch = xsimd::batch<T>;
template <class T>
inline constexpr Index lanes = static_cast<Index>(Batch<T>::size);

/// Architectural vector registers: what bounds the size of a register tile.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int registers = 32;
#else
inline constexpr int registers = 16;
#endif

using xsimd::select;  ///< condition ? a : b, lane by lane

/// a·b + c, rounded once where the instruction set can (not on SSE2). xsimd 8.1 has no such
/// function for AVX-512: it multiplies, adds, and leaves the rest to the compiler, and clang leaves
/// it so.
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> fma(Batch<T> a, Batch<T> b, Batch<T> c) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<T, float>) {
    return Batch<T>(_mm512_fmadd_ps(a.data, b.data, c.data));
  } else {
    return Batch<T>(_mm512_fmadd_pd(a.data, b.data, c.data));
  }
#else
  return xsimd::fma(a, b, c);
#endif
}

/// a / b, rounded once. xsimd 8.1 multiplies by an approximate reciprocal on 64-bit Arm, in float.
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> divide(Batch<T> a, Batch<T> b) {
#if defined(__aarch64__)
  if constexpr (std::is_same_v<T, float>) return Batch<T>(vdivq_f32(a.data, b.data));
#endif
  return a / b;
}

/// The same bits as another type. xsimd names the type of a lane from version 11 on, that of the
/// vector before.
template <class To, class From>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<To> bit_cast(Batch<From> x) {
#if XSIMD_VERSION_MAJOR >= 11
  return xsimd::bitwise_cast<To>(x);
#else
  return xsimd::bitwise_cast<Batch<To> >(x);
#endif
}

/// The value itself, but the compiler no longer knows where it came from, and so leaves it in a
/// register. Without this g++, short of registers, reads a vector again from memory at each of its
/// uses, and works out addresses anew that it was given: see kernels/tile.hpp for what that costs.
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> opaque(Batch<T> x) {
#if defined(__GNUC__) && defined(__x86_64__)
  asm("" : "+v"(x.data));
#endif
  return x;
}
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE const T* opaque(const T* pointer) {
#if defined(__GNUC__)
  asm("" : "+r"(pointer));
#endif
  return pointer;
}

template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> load(const T* from) {
  return Batch<T>::load_unaligned(from);
}
template <class T>
PIXELRNN_ALWAYS_INLINE void store(T* to, Batch<T> value) {
  value.store_unaligned(to);
}
/// The first `count` < lanes elements, the rest 0: xsimd 8 has no masked load.
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> load_first(const T* from, Index count) {
  alignas(64) T buffer[static_cast<std::size_t>(lanes<T>)] = {};
  for (Index i = 0; i < count; ++i) buffer[i] = from[i];
  return Batch<T>::load_aligned(buffer);
}
template <class T>
PIXELRNN_ALWAYS_INLINE void store_first(T* to, Batch<T> value, Index count) {
  alignas(64) T buffer[static_cast<std::size_t>(lanes<T>)];
  value.store_aligned(buffer);
  for (Index i = 0; i < count; ++i) to[i] = buffer[i];
}
/// Full or partial, whichever `count` asks for.
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> load_up_to(const T* from, Index count) {
  return count >= lanes<T> ? load(from) : load_first(from, count);
}
template <class T>
PIXELRNN_ALWAYS_INLINE void store_up_to(T* to, Batch<T> value, Index count) {
  if (count >= lanes<T>) {
    store(to, value);
  } else {
    store_first(to, value, count);
  }
}

/// Sum of the lanes, in lane order: the same bits whatever version of xsimd.
template <class T>
[[nodiscard]] inline T sum_of_lanes(Batch<T> value) {
  alignas(64) T buffer[static_cast<std::size_t>(lanes<T>)];
  value.store_aligned(buffer);
  T sum = buffer[0];
  for (Index i = 1; i < lanes<T>; ++i) sum += buffer[i];
  return sum;
}

/// y[i] = f(x[i]) for a function of vectors. The tail goes through the vector path too, so a
/// value's bits do not depend on its position.
template <class T, class F>
void transform(Index count, const T* x, T* y, F f) {
  constexpr Index step = lanes<T>;
  Index i = 0;
  for (; i + step <= count; i += step) store(y + i, f(load(x + i)));
  if (i < count) store_first(y + i, f(load_first(x + i, count - i)), count - i);
}
/// y[i] = f(a[i], b[i]), likewise.
template <class T, class F>
void transform(Index count, const T* a, const T* b, T* y, F f) {
  constexpr Index step = lanes<T>;
  Index i = 0;
  for (; i + step <= count; i += step) store(y + i, f(load(a + i), load(b + i)));
  if (i < count) {
    const Index rest = count - i;
    store_first(y + i, f(load_first(a + i, rest), load_first(b + i, rest)), rest);
  }
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::simd

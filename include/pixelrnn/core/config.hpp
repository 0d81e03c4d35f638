// SPDX-License-Identifier: MIT
// Every preprocessor decision of the library: version, instruction set, OpenMP, ABI namespace.
#pragma once

#define PIXELRNN_VERSION_MAJOR 0
#define PIXELRNN_VERSION_MINOR 1
#define PIXELRNN_VERSION_PATCH 0

#if defined(__FAST_MATH__) && !defined(PIXELRNN_ALLOW_FAST_MATH)
#error \
    "pixelrnn needs NaN, infinity and a fixed order of summation: drop -ffast-math \
(or define PIXELRNN_ALLOW_FAST_MATH and lose the guarantees on both)."
#endif

/// OpenMP is used where the compiler was told to (-fopenmp); without it every policy is sequential.
#if defined(_OPENMP)
#define PIXELRNN_HAS_OPENMP 1
#define PIXELRNN_ABI_THREADS omp
#else
#define PIXELRNN_HAS_OPENMP 0
#define PIXELRNN_ABI_THREADS serial
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define PIXELRNN_ABI_ISA avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define PIXELRNN_ABI_ISA avx2_fma
#elif defined(__AVX2__)
#define PIXELRNN_ABI_ISA avx2
#elif defined(__AVX__)
#define PIXELRNN_ABI_ISA avx
#elif defined(__SSE4_2__)
#define PIXELRNN_ABI_ISA sse4_2
#elif defined(__SSE2__)
#define PIXELRNN_ABI_ISA sse2
#elif defined(__ARM_NEON) || defined(__ARM_NEON__)
#define PIXELRNN_ABI_ISA neon
#else
#define PIXELRNN_ABI_ISA generic
#endif

#define PIXELRNN_ABI_PASTE(major, minor, isa, threads) v##major##_##minor##_##isa##_##threads
#define PIXELRNN_ABI_NAME(major, minor, isa, threads) PIXELRNN_ABI_PASTE(major, minor, isa, threads)

/// The inline namespace of every name of the library. It spells what changes the meaning of the
/// code (version, instruction set, OpenMP), so that two objects of one program built with different
/// flags get two sets of symbols instead of one set that is wrong for one of them.
#define PIXELRNN_ABI                                                                  \
  PIXELRNN_ABI_NAME(PIXELRNN_VERSION_MAJOR, PIXELRNN_VERSION_MINOR, PIXELRNN_ABI_ISA, \
                    PIXELRNN_ABI_THREADS)

// Some system headers define these as macros; no C++ program can mean that.
#undef min
#undef max

/// Forces the register-tile bodies into their caller; accumulators must stay in registers.
#if defined(__GNUC__) || defined(__clang__)
#define PIXELRNN_ALWAYS_INLINE inline __attribute__((always_inline))
#define PIXELRNN_INLINE_LAMBDA __attribute__((always_inline))
#else
#define PIXELRNN_ALWAYS_INLINE inline
#define PIXELRNN_INLINE_LAMBDA
#endif

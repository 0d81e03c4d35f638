// SPDX-License-Identifier: MIT
// Every preprocessor decision of the library: version, instruction set, OpenMP, ABI namespace.
#pragma once

#define PIXELRNN_VERSION_MAJOR 0
#define PIXELRNN_VERSION_MINOR 1
#define PIXELRNN_VERSION_PATCH 0

// An older standard would give a thousand errors more after an #error. A header that does not exist
// ends the compilation: its name is the message, and the only one.
#if __cplusplus < 202002L && (!defined(_MSVC_LANG) || _MSVC_LANG < 202002L)
#include <pixelrnn needs C++20: compile with -std=c++20>
#endif

#if (defined(__FAST_MATH__) || __FINITE_MATH_ONLY__ > 0) && !defined(PIXELRNN_ALLOW_FAST_MATH)
#error \
    "pixelrnn needs NaN, infinity and a fixed order of summation: drop -ffast-math and \
-ffinite-math-only (or define PIXELRNN_ALLOW_FAST_MATH and lose the guarantees on both)."
#endif

/// OpenMP is used where the compiler was told to (-fopenmp); without it every policy is sequential.
#if defined(_OPENMP)
#define PIXELRNN_HAS_OPENMP 1
#define PIXELRNN_ABI_THREADS omp
#else
#define PIXELRNN_HAS_OPENMP 0
#define PIXELRNN_ABI_THREADS serial
#endif

// The widest vectors there are, ...
#if defined(__AVX512F__)
#define PIXELRNN_ABI_VECTORS avx512
#elif defined(__AVX2__)
#define PIXELRNN_ABI_VECTORS avx2
#elif defined(__AVX__)
#define PIXELRNN_ABI_VECTORS avx
#elif defined(__SSE4_2__)
#define PIXELRNN_ABI_VECTORS sse4_2
#elif defined(__SSE4_1__)
#define PIXELRNN_ABI_VECTORS sse4_1
#elif defined(__SSSE3__)
#define PIXELRNN_ABI_VECTORS ssse3
#elif defined(__SSE3__)
#define PIXELRNN_ABI_VECTORS sse3
#elif defined(__SSE2__)
#define PIXELRNN_ABI_VECTORS sse2
#elif defined(__ARM_FEATURE_SVE_BITS)
#define PIXELRNN_ABI_VECTORS PIXELRNN_ABI_JOIN(sve, __ARM_FEATURE_SVE_BITS, , , , , )
#elif defined(__ARM_NEON) || defined(__ARM_NEON__)
#define PIXELRNN_ABI_VECTORS neon
#else
#define PIXELRNN_ABI_VECTORS generic
#endif

// ... and a letter for each extension that compilers, xsimd or Eigen use where they may and that no
// step above implies: AVX2 has no FMA of its own, and a Xeon Phi has other parts of AVX-512 than a
// Xeon. What concerns single integers (BMI, POPCNT) changes neither results nor layout.
#define PIXELRNN_ABI_LETTERS                                                          \
  PIXELRNN_ABI_JOIN(PIXELRNN_ABI_X86, PIXELRNN_ABI_AVX512, PIXELRNN_ABI_AVX512_LATER, \
                    PIXELRNN_ABI_ARM, , , )
#define PIXELRNN_ABI_X86                                                       \
  PIXELRNN_ABI_JOIN(PIXELRNN_ABI_IF(__FMA__, f), PIXELRNN_ABI_IF(__F16C__, h), \
                    PIXELRNN_ABI_IF(__FMA4__, q), PIXELRNN_ABI_IF(__XOP__, x), \
                    PIXELRNN_ABI_IF(__AVXVNNI__, w), , )
#define PIXELRNN_ABI_AVX512                                                             \
  PIXELRNN_ABI_JOIN(PIXELRNN_ABI_IF(__AVX512CD__, c), PIXELRNN_ABI_IF(__AVX512DQ__, d), \
                    PIXELRNN_ABI_IF(__AVX512BW__, b), PIXELRNN_ABI_IF(__AVX512VL__, l), \
                    PIXELRNN_ABI_IF(__AVX512ER__, e), PIXELRNN_ABI_IF(__AVX512PF__, r), \
                    PIXELRNN_ABI_IF(__AVX512IFMA__, i))
#define PIXELRNN_ABI_AVX512_LATER                                                                \
  PIXELRNN_ABI_JOIN(PIXELRNN_ABI_IF(__AVX512VBMI__, m), PIXELRNN_ABI_IF(__AVX512VBMI2__, n),     \
                    PIXELRNN_ABI_IF(__AVX512VNNI__, v), PIXELRNN_ABI_IF(__AVX512BITALG__, a),    \
                    PIXELRNN_ABI_IF(__AVX512VPOPCNTDQ__, p), PIXELRNN_ABI_IF(__AVX512BF16__, g), \
                    PIXELRNN_ABI_IF(__AVX512FP16__, k))
#define PIXELRNN_ABI_ARM                                                      \
  PIXELRNN_ABI_JOIN(PIXELRNN_ABI_IF(__ARM_FEATURE_FMA, f),                    \
                    PIXELRNN_ABI_IF(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC, h), \
                    PIXELRNN_ABI_IF(__ARM_FEATURE_DOTPROD, d),                \
                    PIXELRNN_ABI_IF(__ARM_FEATURE_MATMUL_INT8, i),            \
                    PIXELRNN_ABI_IF(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC, b), \
                    PIXELRNN_ABI_IF(__ARM_FEATURE_SVE2, s), )

/// `word` if the compiler defined `macro`, which then is 1; else nothing. How: only
/// PIXELRNN_ABI_COMMA_1 is a macro, and its comma makes the word the second argument.
#define PIXELRNN_ABI_IF(macro, word) PIXELRNN_ABI_IF_VALUE(macro, word)
#define PIXELRNN_ABI_IF_VALUE(value, word) PIXELRNN_ABI_SECOND(PIXELRNN_ABI_COMMA_##value word, , )
#define PIXELRNN_ABI_COMMA_1 ,
#define PIXELRNN_ABI_SECOND(...) PIXELRNN_ABI_SECOND_OF(__VA_ARGS__)
#define PIXELRNN_ABI_SECOND_OF(first, second, ...) second

/// Its arguments, some of which may be empty, as one word.
#define PIXELRNN_ABI_JOIN(a, b, c, d, e, f, g) PIXELRNN_ABI_PASTE(a, b, c, d, e, f, g)
#define PIXELRNN_ABI_PASTE(a, b, c, d, e, f, g) a##b##c##d##e##f##g

/// The inline namespace of every name of the library, such as v0_1_avx2fh_omp. It spells what
/// changes the meaning of the code (version, instruction set, OpenMP, no NaN), so that two
/// objects of one program built with different flags get two sets of symbols instead of one set
/// that is wrong for one of them.
#define PIXELRNN_ABI                                                                        \
  PIXELRNN_ABI_JOIN(PIXELRNN_ABI_VERSION, _, PIXELRNN_ABI_VECTORS, PIXELRNN_ABI_LETTERS, _, \
                    PIXELRNN_ABI_THREADS, PIXELRNN_ABI_IF(__FINITE_MATH_ONLY__, _fast))
#define PIXELRNN_ABI_VERSION \
  PIXELRNN_ABI_JOIN(v, PIXELRNN_VERSION_MAJOR, _, PIXELRNN_VERSION_MINOR, , , )

// Some system headers define these as macros; no C++ program can mean that. Others' check(x) may be
// meant (Apple's AssertMacros, test frameworks). Such a macro expands only where a parenthesis
// follows its name, so our members of that name stand in parentheses: (rule.check)().
#undef min
#undef max

/// Around the headers of others that use AVX-512: g++ before 13 warns, wherever one of their
/// functions is inlined, that the intrinsics' own variables are not initialised (GCC bug 105593).
/// What users leave uninitialised is still warned of, unless nothing but an intrinsic reads it.
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13 && defined(__AVX512F__)
#define PIXELRNN_BEGIN_OTHERS_HEADERS                                                  \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wuninitialized\"") \
      _Pragma("GCC diagnostic ignored \"-Wmaybe-uninitialized\"")
#define PIXELRNN_END_OTHERS_HEADERS _Pragma("GCC diagnostic pop")
#else
#define PIXELRNN_BEGIN_OTHERS_HEADERS
#define PIXELRNN_END_OTHERS_HEADERS
#endif

/// Forces the register-tile bodies into their caller; accumulators must stay in registers. And
/// keeps what has several callers, or is called with several constants, from being compiled for
/// each.
#if defined(__GNUC__) || defined(__clang__)
#define PIXELRNN_ALWAYS_INLINE inline __attribute__((always_inline))
#define PIXELRNN_INLINE_LAMBDA __attribute__((always_inline))
#define PIXELRNN_NOINLINE_LAMBDA __attribute__((noinline))
#if defined(__clang__)
#define PIXELRNN_COMPILED_ONCE __attribute__((noinline))
#else
#define PIXELRNN_COMPILED_ONCE __attribute__((noinline, noclone))
#endif
#else
#define PIXELRNN_COMPILED_ONCE
#define PIXELRNN_ALWAYS_INLINE inline
#define PIXELRNN_INLINE_LAMBDA
#define PIXELRNN_NOINLINE_LAMBDA
#endif

// SPDX-License-Identifier: MIT
// What a program can ask of the processor it runs on, beyond what it was compiled for.
#pragma once

#include <pixelrnn/core/shape.hpp>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

namespace pixelrnn::inline PIXELRNN_ABI {

/// Bytes of a core's first-level data cache; 32 kB, the least of current cores, where the system
/// does not say. Results must not depend on it, only the order of work.
[[nodiscard]] inline Index first_level_cache() noexcept {
  static const Index bytes = [] {
#if defined(_SC_LEVEL1_DCACHE_SIZE)
    const long found = sysconf(_SC_LEVEL1_DCACHE_SIZE);
    if (found > 0) return static_cast<Index>(found);
#endif
    return Index{32} * 1024;
  }();
  return bytes;
}

/// Whether it is one of AMD's. Likewise.
[[nodiscard]] inline bool is_amd() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_cpu_is("amd") != 0;
#else
  return false;
#endif
}

}  // namespace pixelrnn::inline PIXELRNN_ABI

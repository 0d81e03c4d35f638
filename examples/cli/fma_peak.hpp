// SPDX-License-Identifier: MIT
// The fastest this machine multiplies and adds, for a benchmark to be held against.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <vector>

#include <pixelrnn/core/parallel.hpp>
#include <pixelrnn/simd/batch.hpp>

namespace cli {

/// How many sums run side by side: enough to keep two units of four or five cycles busy, few enough
/// to stay in registers.
inline constexpr int fma_chains = pixelrnn::simd::registers == 32 ? 16 : 12;

/// Chains of fused multiply-adds that wait for nothing but themselves. Returns a sum that depends
/// on all of them.
template <class T>
[[nodiscard]] inline T run_fma_chains(pixelrnn::Index rounds, T start) {
  using Batch = pixelrnn::simd::Batch<T>;
  std::array<Batch, fma_chains> sum;
  for (int i = 0; i < fma_chains; ++i)
    sum[static_cast<std::size_t>(i)] = Batch(start + static_cast<T>(i));
  const Batch factor(static_cast<T>(0.999)), term(static_cast<T>(0.001));
  for (pixelrnn::Index round = 0; round < rounds; ++round) {
    for (Batch& chain : sum) chain = fma(chain, factor, term);
  }
  T total{0};
  for (const Batch& chain : sum) total += pixelrnn::simd::sum_of_lanes<T>(chain);
  return total;
}

/// GFLOP/s of fused multiply-adds of T on so many threads (0: as many as OpenMP offers): the best
/// of some repeats, for it is a peak.
template <class T = float>
[[nodiscard]] double fma_peak_gflops(int threads, int repeats = 5) {
  using Clock = std::chrono::steady_clock;
  constexpr pixelrnn::Index rounds = 2'000'000;
  const pixelrnn::Index team =
      pixelrnn::execution::OpenMP::workers(threads, std::numeric_limits<int>::max());
  std::vector<T> sums(static_cast<std::size_t>(team));
  double best = 0;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const Clock::time_point start = Clock::now();
    pixelrnn::execution::OpenMP::for_each(
        threads, team, [&](pixelrnn::Index task, pixelrnn::Index) {
          T& sum = sums[static_cast<std::size_t>(task)];
          sum = run_fma_chains<T>(rounds, sum);  // each repeat goes on from the last
        });
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const double flop = 2.0 * fma_chains * static_cast<double>(pixelrnn::simd::lanes<T>) *
                        static_cast<double>(rounds) * static_cast<double>(team);
    best = std::max(best, flop / seconds * 1e-9);
  }
  return best;
}

}  // namespace cli

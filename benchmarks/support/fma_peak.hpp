// SPDX-License-Identifier: MIT
// The machine's limit: how many floating-point operations its multiply-add units do in a second.
#pragma once

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <vector>

#include <pixelrnn/core/parallel.hpp>
#include <pixelrnn/kernels/tile.hpp>

namespace pixelrnn::bench {

/// Independent sums under way: more than latency times ports (4 · 2 on current x86), and with two
/// constants no more than there are registers.
inline constexpr int fma_chains = simd::registers >= 32 ? 24 : 12;

/// `steps` fused multiply-adds on each chain, a = a·m + c. All numbers come from `start`, which is
/// new in every call, so that the compiler can neither compute the result nor move it out of a
/// loop.
[[gnu::noinline]] inline float fma_run(Index steps, float start) {
  using B = simd::Batch<float>;
  B chain[fma_chains];
  for (int i = 0; i < fma_chains; ++i) chain[i] = B(start + static_cast<float>(i));
  const B factor(1 - start), summand(start);
  for (Index step = 0; step < steps; ++step) {
    kernels::detail::unrolled<fma_chains>(
        [&](auto i) PIXELRNN_INLINE_LAMBDA { chain[i] = simd::fma(chain[i], factor, summand); });
  }
  B sum = chain[0];
  for (int i = 1; i < fma_chains; ++i) sum = sum + chain[i];
  return simd::sum_of_lanes(sum);
}

/// Floating-point operations of one fma_run, a multiply-add being two.
[[nodiscard]] constexpr double fma_flop(Index steps) {
  return 2.0 * static_cast<double>(steps * fma_chains * simd::lanes<float>);
}

/// FLOP/s (float) that `threads` threads (0: as many as OpenMP offers) reach together: the best of
/// ten runs of about a millisecond and of all earlier calls, since what disturbs a run can only
/// make it slower.
[[nodiscard]] inline double fma_peak(int threads) {
  using Clock = std::chrono::steady_clock;
  constexpr Index steps = 200'000;
  const Index team = execution::OpenMP::workers(threads, std::numeric_limits<int>::max());
  static std::map<Index, double> best;  // by team
  static volatile float sink = 0;
  double& peak = best[team];
  std::vector<float> sums(static_cast<std::size_t>(team));
  for (int run = 0; run < 10; ++run) {
    const auto begin = Clock::now();
    execution::OpenMP::for_each(threads, team, [&](Index thread, Index) {
      const float start = 1e-3f * static_cast<float>(1 + run + 16 * thread);
      sums[static_cast<std::size_t>(thread)] = fma_run(steps, start);
    });
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    for (const float sum : sums) sink = sink + sum;
    peak = std::max(peak, static_cast<double>(team) * fma_flop(steps) / seconds);
  }
  return peak;
}

}  // namespace pixelrnn::bench

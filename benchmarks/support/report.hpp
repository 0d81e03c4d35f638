// SPDX-License-Identifier: MIT
// How a benchmark is registered and what it reports.
#pragma once

#include <benchmark/benchmark.h>

#include <string>

#include "support/fma_peak.hpp"

namespace pixelrnn::bench {

/// What one iteration does. What is 0 is not reported.
struct Work {
  double flop = 0;    ///< useful ones: allowed taps of real pixels
  double images = 0;  ///< whole images
  double pixels = 0;
  double bytes = 0;  ///< read and written, for what does no arithmetic to speak of
};

/// Rates by wall time, and FLOP/s as a share of the FMA peak of as many threads, probed just now.
inline void report(benchmark::State& state, const Work& work, int threads) {
  constexpr auto rate = benchmark::Counter::kIsIterationInvariantRate;
  const auto count = [&](const char* name, double amount) {
    if (amount > 0) state.counters[name] = benchmark::Counter(amount, rate);
  };
  count("FLOP/s", work.flop);
  if (work.flop > 0) count("peak_percent", 100 * work.flop / fma_peak(threads));
  count("images/s", work.images);
  count("pixel/s", work.pixels);
  count("bytes/s", work.bytes);
}

/// Registers body(state) under a name, by wall time, because of OpenMP.
template <class Body>
benchmark::internal::Benchmark* add(const std::string& name, Body body) {
  return benchmark::RegisterBenchmark(name.c_str(), body)->UseRealTime();
}
/// The parts with slashes between them: "<what>/<case>/<kernels>/<threads>t".
template <class... Parts>
[[nodiscard]] std::string join(const Parts&... parts) {
  std::string name;
  const auto append = [&name](const auto& part) {
    if (!name.empty()) name += '/';
    name += part;
  };
  (append(parts), ...);
  return name;
}
/// "m16" for ("m", 16).
[[nodiscard]] inline std::string numbered(const char* letter, Index number) {
  std::string name(letter);
  name += std::to_string(number);
  return name;
}
[[nodiscard]] inline std::string threads_name(int threads) { return std::to_string(threads) + 't'; }

}  // namespace pixelrnn::bench

// SPDX-License-Identifier: MIT
// The probe that every other benchmark's peak_percent refers to.
#include "support/report.hpp"

namespace {

using namespace pixelrnn::bench;

void peak(benchmark::State& state, int threads) {
  double best = 0;
  for (auto _ : state) best = fma_peak(threads);
  state.counters["FLOP/s"] = best;
}

const bool registered = [] {
  for (const int threads : {1, 2}) {
    add(join("fma_peak", threads_name(threads)), [=](auto& state) { peak(state, threads); });
  }
  return true;
}();

}  // namespace

// SPDX-License-Identifier: MIT
// Both halves must compute what is right, and agree.
#include <cmath>
#include <cstdio>

#include "work.hpp"

namespace {

/// 16 pixels of one bit each: what a model that has learnt nothing needs.
const double untrained = 16 * std::log(2.0);

bool check(const char* abi, double random_sum, double nats) {
  std::printf("%s: random numbers %.12g, trained model %.6g nats\n", abi, random_sum, nats);
  // The sum comes from another Philox, written in Python.
  return std::abs(random_sum - 408.3984306533089) < 1e-9 && nats < 0.6 * untrained;
}

}  // namespace

int main() {
  const double baseline_nats = baseline::work();
  const double native_nats = native::work();
  const bool right = check(baseline::abi(), baseline::random_sum(), baseline_nats) &&
                     check(native::abi(), native::random_sum(), native_nats);
  // Rounding differs between instruction sets, and training spreads the difference.
  const bool agree = std::abs(baseline_nats - native_nats) < 0.05 * baseline_nats;
  std::puts(right && agree ? "right" : "wrong");
  return right && agree ? 0 : 1;
}

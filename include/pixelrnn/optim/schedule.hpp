// SPDX-License-Identifier: MIT
// Learning-rate schedules: the factor on the learning rate at each step.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include <pixelrnn/core/shape.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Factor on the learning rate at a step, counted from 0; any function of the step will do.
using Schedule = std::function<double(Index step)>;

/// 1 throughout.
[[nodiscard]] inline Schedule constant_rate() {
  return [](Index) { return 1.0; };
}

/// From 1 to `last` along half a cosine over `steps` steps, then `last` (Loshchilov & Hutter 2017),
/// after a linear rise over the first `warmup` steps. Throws ConfigError unless
/// 0 <= warmup < steps and 0 <= last <= 1.
[[nodiscard]] inline Schedule cosine_rate(Index steps, Index warmup = 0, double last = 0) {
  if (steps < 1 || warmup < 0 || warmup >= steps || !(last >= 0 && last <= 1)) {
    detail::fail<ConfigError>("cosine_rate: steps is ", steps, ", warmup ", warmup, ", last ", last,
                              ", expected 0 <= warmup < steps and 0 <= last <= 1");
  }
  return [=](Index step) {
    if (step < warmup) return static_cast<double>(step + 1) / static_cast<double>(warmup);
    const double done =
        std::min(1.0, static_cast<double>(step - warmup) / static_cast<double>(steps - warmup));
    return last + (1 - last) * 0.5 * (1 + std::cos(std::numbers::pi * done));
  };
}

/// factor^(step / every), in jumps. Throws ConfigError unless every > 0 and factor > 0.
[[nodiscard]] inline Schedule step_rate(Index every, double factor) {
  if (every < 1 || !(factor > 0)) {
    detail::fail<ConfigError>("step_rate: every is ", every, " and factor ", factor,
                              ", expected both positive");
  }
  return [=](Index step) { return std::pow(factor, static_cast<double>(step / every)); };
}

}  // namespace pixelrnn::inline PIXELRNN_ABI

// SPDX-License-Identifier: MIT
// Initial weights.
#pragma once

#include <cmath>

#include <pixelrnn/autodiff/parameter.hpp>
#include <pixelrnn/core/random.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Uniform in ±gain·√(6 / (fan_in + fan_out)) (Glorot & Bengio 2010). The paper gives no
/// initialisation; fans count unmasked weights only, since masked ones carry no signal. Throws
/// ConfigError unless gain is 0 or more, and finite.
template <class T>
void glorot_uniform(TensorView<T, 4> weights, Index fan_in, Index fan_out, Rng& rng,
                    double gain = 1) {
  if (!(gain >= 0 && std::isfinite(gain))) {
    detail::fail<ConfigError>("glorot_uniform: gain (MaskedConv2d's Config::gain) is ", gain,
                              ", expected a finite number from 0 on");
  }
  const double bound =
      gain * std::sqrt(6.0 / static_cast<double>(std::max<Index>(1, fan_in + fan_out)));
  for (T& w : weights) w = static_cast<T>(rng.uniform(-bound, bound));
}

}  // namespace pixelrnn::inline PIXELRNN_ABI

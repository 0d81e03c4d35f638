// SPDX-License-Identifier: MIT
// Initial weights.
#pragma once

#include <cmath>

#include <pixelrnn/autodiff/parameter.hpp>
#include <pixelrnn/core/random.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Uniform in ±√(6 / (fan_in + fan_out)) (Glorot & Bengio 2010). The paper gives no initialisation;
/// fans count unmasked weights only, since masked ones carry no signal.
template <class T>
void glorot_uniform(TensorView<T, 4> weights, Index fan_in, Index fan_out, Rng& rng) {
  const double bound = std::sqrt(6.0 / static_cast<double>(std::max<Index>(1, fan_in + fan_out)));
  for (T& w : weights) w = static_cast<T>(rng.uniform(-bound, bound));
}

}  // namespace pixelrnn::inline PIXELRNN_ABI

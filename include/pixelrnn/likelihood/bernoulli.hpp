// SPDX-License-Identifier: MIT
// Bernoulli: one logit for a binary sub-pixel.
#pragma once

#include <pixelrnn/likelihood/likelihood.hpp>
#include <pixelrnn/simd/math.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// p(1) = 1 / (1 + e^-z): the sigmoid output for binary images (van den Oord et al. 2016,
/// sec. 5.5).
struct Bernoulli {
  static constexpr int levels = 2;
  static constexpr Index outputs = 1;
  static std::string name() { return "bernoulli"; }

  /// -ln p(0) = ln(1 + e^z) and -ln p(1) = ln(1 + e^-z).
  template <class T>
  static T nats(const T* logits, int level) {
    return simd::softplus(level == 0 ? logits[0] : -logits[0]);
  }
  template <class T>
  static void add_gradient(const T* logits, int level, T scale, T* d) {
    d[0] += scale * (simd::logistic(logits[0]) - static_cast<T>(level));
  }
  template <class T>
  static void log_probabilities(const T* logits, T* out) {
    out[0] = -nats(logits, 0);
    out[1] = -nats(logits, 1);
  }
};

static_assert(Likelihood<Bernoulli, float> && Likelihood<Bernoulli, double>);

}  // namespace pixelrnn::inline PIXELRNN_ABI

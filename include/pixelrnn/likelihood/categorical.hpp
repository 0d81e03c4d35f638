// SPDX-License-Identifier: MIT
// Categorical<V>: a softmax over the V levels of a sub-pixel.
#pragma once

#include <algorithm>

#include <pixelrnn/likelihood/likelihood.hpp>
#include <pixelrnn/simd/math.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// p(v) = e^z_v / Σ_u e^z_u: the 256-way softmax of van den Oord et al. 2016, sec. 5.1, for any
/// number of levels from 2 to 256.
template <int Levels = 256>
requires(Levels >= 2 && Levels <= 256) struct Categorical {
  static constexpr int levels = Levels;
  static constexpr Index outputs = Levels;
  static std::string name() { return "categorical" + std::to_string(Levels); }

  template <class T>
  static T nats(const T* logits, int level) {
    return log_sum_exp(logits) - logits[level];
  }
  template <class T>
  static void add_gradient(const T* logits, int level, T scale, T* d) {
    const simd::Batch<T> norm(log_sum_exp(logits)), factor(scale);
    simd::transform(Index{Levels}, logits, d, d, [=](simd::Batch<T> z, simd::Batch<T> sum) {
      return sum + factor * simd::exp(z - norm);
    });
    d[level] -= scale;
  }
  template <class T>
  static void log_probabilities(const T* logits, T* out) {
    const T norm = log_sum_exp(logits);
    for (int v = 0; v < Levels; ++v) out[v] = logits[v] - norm;
  }

 private:
  /// ln Σ e^z, shifted by the largest z so that nothing overflows; NaN stays NaN.
  template <class T>
  static T log_sum_exp(const T* z) {
    const T top = *std::max_element(z, z + Levels);
    alignas(64) T e[static_cast<std::size_t>(Levels)];
    const simd::Batch<T> shift(top);
    simd::transform(Index{Levels}, z, e, [=](simd::Batch<T> v) { return simd::exp(v - shift); });
    T sum{0};
    for (const T v : e) sum += v;
    return top + simd::log(sum);
  }
};

static_assert(Likelihood<Categorical<256>, float> && Likelihood<Categorical<3>, double>);

}  // namespace pixelrnn::inline PIXELRNN_ABI

// SPDX-License-Identifier: MIT
// WeightAverage: an exponential moving average of the weights, for evaluation and sampling.
#pragma once

#include <algorithm>
#include <vector>

#include <pixelrnn/autodiff/parameter.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// a = δ'·a + (1-δ')·w after every step, from the w it is made with: Polyak averaging, as
/// PixelCNN++ has it (Salimans et al. 2017). Departure: after t steps δ' = min(δ, (1 + t)/(10 +
/// t)), TensorFlow's rule. Early on the average looks back over a tenth of the steps taken; by δ =
/// 0.999 it would hold the worthless weights of the start for thousands of steps. Throws
/// ConfigError unless 0 <= δ < 1.
template <class T>
class WeightAverage {
 public:
  WeightAverage(double decay, std::vector<NamedParameter<T>> parameters)
      : decay_(decay), parameters_(std::move(parameters)) {
    if (!(decay >= 0 && decay < 1)) {
      detail::fail<ConfigError>("WeightAverage: decay is ", decay, ", expected 0 <= decay < 1");
    }
    for (const auto& [name, parameter] : parameters_) {
      average_.emplace_back(FeatureView<const T>(parameter->value()));
    }
  }

  /// After step number `step`, counted from 1.
  void update(Index step) {
    const auto t = static_cast<double>(step);
    const double decay = std::min(decay_, (1 + t) / (10 + t));
    const T keep = static_cast<T>(decay), take = static_cast<T>(1 - decay);
    for (std::size_t p = 0; p < parameters_.size(); ++p) {
      const FeatureView<const T> w = parameters_[p].parameter->value();
      std::transform(average_[p].begin(), average_[p].end(), w.begin(), average_[p].begin(),
                     [=](T a, T v) { return keep * a + take * v; });
    }
  }
  /// Exchanges weights and averages: once before evaluating, once after.
  void swap() {
    for (std::size_t p = 0; p < parameters_.size(); ++p) {
      const FeatureView<T> w = parameters_[p].parameter->value();
      std::swap_ranges(w.begin(), w.end(), average_[p].begin());
    }
  }
  [[nodiscard]] FeatureView<T> average(std::size_t p) { return average_[p]; }

 private:
  double decay_;
  std::vector<NamedParameter<T>> parameters_;
  std::vector<FeatureMap<T>> average_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI

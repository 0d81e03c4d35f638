// SPDX-License-Identifier: MIT
// BestWeights: a copy of a model's weights, to be taken when they are the best so far.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <pixelrnn/training/state.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A copy of all weights of a model, which must outlive it and stay where it is.
template <class T>
class BestWeights {
 public:
  /// Begins with the weights there are.
  template <class M>
  explicit BestWeights(M& model) : weights_(weights_of(model)) {
    for (const auto& [name, values] : weights_) {
      copies_.emplace_back(FeatureView<const T>(values));
    }
  }

  void copy_from_model() {
    for (std::size_t p = 0; p < copies_.size(); ++p) {
      std::copy(weights_[p].values.begin(), weights_[p].values.end(), copies_[p].begin());
    }
  }
  void copy_to_model() const {
    for (std::size_t p = 0; p < copies_.size(); ++p) {
      std::copy(copies_[p].begin(), copies_[p].end(), weights_[p].values.begin());
    }
  }
  /// Exchanges the copy and the model's weights: once before evaluating, once after.
  void swap() {
    for (std::size_t p = 0; p < copies_.size(); ++p) {
      std::swap_ranges(weights_[p].values.begin(), weights_[p].values.end(), copies_[p].begin());
    }
  }
  /// The copy of parameter p.
  [[nodiscard]] FeatureView<T> values(std::size_t p) { return copies_[p]; }

 private:
  std::vector<NamedTensor<T>> weights_;
  std::vector<FeatureMap<T>> copies_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI

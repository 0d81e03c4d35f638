// SPDX-License-Identifier: MIT
// Gradients: dL/dθ for the parameters of a layer or model, in memory apart from them.
#pragma once

#include <algorithm>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include <pixelrnn/autodiff/parameter.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// What Tape::backward adds to and Optimizer::step goes along: a tensor of each parameter's shape,
/// zero at first. Parameters are only read while a model is differentiated, so any number of
/// threads may do so at once, each with a tape and Gradients of its own.
template <class T>
class Gradients {
 public:
  using Scalar = T;

  /// For all parameters of `owner`, which must stay where they are.
  template <class Owner>
  explicit Gradients(const Owner& owner) {
    constexpr Index line = 64 / static_cast<Index>(sizeof(T));
    Index size = 0;
    for (const auto& [name, parameter] : parameters(owner)) {
      places_.push_back({parameter, size});
      size += (parameter->size() + line - 1) / line * line;
    }
    std::ranges::sort(places_, std::less<>(), &Place::parameter);
    values_ = Tensor<T, 1>(Shape<1>{size});
  }

  /// dL/dθ of one parameter. Throws ConfigError if it is none of the owner's.
  [[nodiscard]] FeatureView<T> operator[](const Parameter<T>& parameter) {
    return {values_.data() + required(parameter), parameter.shape()};
  }
  [[nodiscard]] FeatureView<const T> operator[](const Parameter<T>& parameter) const {
    return {values_.data() + required(parameter), parameter.shape()};
  }
  [[nodiscard]] bool contains(const Parameter<T>& parameter) const { return find(parameter) >= 0; }
  /// Those of all parameters, with zeros between some.
  [[nodiscard]] std::span<T> values() { return values_.view().flat(); }
  [[nodiscard]] std::span<const T> values() const { return values_.view().flat(); }
  void clear() { values_.fill(T{0}); }

 private:
  struct Place {
    const Parameter<T>* parameter;
    Index offset;
  };
  /// Where its values begin; -1: nowhere.
  [[nodiscard]] Index find(const Parameter<T>& parameter) const {
    const auto place =
        std::ranges::lower_bound(places_, &parameter, std::less<>(), &Place::parameter);
    const bool is_here = place != places_.end() && place->parameter == &parameter;
    return is_here ? place->offset : -1;
  }
  [[nodiscard]] Index required(const Parameter<T>& parameter) const {
    const Index offset = find(parameter);
    if (offset < 0) {
      detail::fail<ConfigError>("Gradients: a parameter ", parameter.shape(),
                                " is none of those that these are for");
    }
    return offset;
  }

  std::vector<Place> places_;  // by address
  Tensor<T, 1> values_;
};
template <class Owner>
explicit Gradients(const Owner&) -> Gradients<typename Owner::Scalar>;

}  // namespace pixelrnn::inline PIXELRNN_ABI

// SPDX-License-Identifier: MIT
// Parameter: a trained tensor; visiting the parameters of a layer or model by name.
#pragma once

#include <algorithm>
#include <concepts>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <pixelrnn/core/tensor.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A trained tensor of rank 4: weights are [kernel height][kernel width][C_in][C_out], a bias is
/// (1, 1, 1, C). Elements that a mask forbids are zero and stay so. Its gradient is whoever
/// differentiates it to keep: see Gradients.
template <class T>
class Parameter {
 public:
  using Scalar = T;
  /// Whether the element at four indices may be other than zero.
  using Allowed = std::function<bool(Index, Index, Index, Index)>;

  Parameter() = default;
  /// Without a rule everything is allowed.
  explicit Parameter(Shape<4> shape, Allowed allowed = {})
      : value_(shape), allowed_(std::move(allowed)), trained_(value_.size()) {
    for_each_forbidden([this](Index) { --trained_; });
  }

  [[nodiscard]] const Shape<4>& shape() const { return value_.shape(); }
  [[nodiscard]] Index size() const { return value_.size(); }
  /// Elements that are trained: those that are allowed.
  [[nodiscard]] Index trained() const { return trained_; }
  /// Zeroes what is forbidden: for values that come from elsewhere.
  void apply_mask() {
    for_each_forbidden([this](Index i) { value_.data()[i] = T{0}; });
  }
  [[nodiscard]] FeatureView<T> value() { return value_; }
  [[nodiscard]] FeatureView<const T> value() const { return value_; }

 private:
  template <class Use>
  void for_each_forbidden(Use use) const {
    if (!allowed_) return;
    const Shape<4>& s = shape();
    Index i = 0;
    for (Index a = 0; a < s[0]; ++a) {
      for (Index b = 0; b < s[1]; ++b) {
        for (Index c = 0; c < s[2]; ++c) {
          for (Index d = 0; d < s[3]; ++d, ++i) {
            if (!allowed_(a, b, c, d)) use(i);
          }
        }
      }
    }
  }

  FeatureMap<T> value_;
  Allowed allowed_;
  Index trained_ = 0;
};

/// A parameter with its full name ("blocks.3.left.input_weights").
template <class T>
struct NamedParameter {
  std::string name;
  Parameter<T>* parameter;
};
template <class T>
struct NamedConstParameter {
  std::string name;
  const Parameter<T>* parameter;
};

namespace detail {

/// Collects parameters; recurses into whatever has for_each_parameter itself.
template <class T>
class ParameterCollector {
 public:
  void operator()(const std::string& name, Parameter<T>& parameter) {
    found.push_back({prefix_ + name, &parameter});
  }
  template <class Owner>
  void operator()(const std::string& name, Owner& owner) {
    const std::size_t length = prefix_.size();
    prefix_ += name;
    prefix_ += '.';
    owner.for_each_parameter(*this);
    prefix_.resize(length);
  }
  void require_distinct() const {
    std::vector<const NamedParameter<T>*> sorted;
    for (const NamedParameter<T>& named : found) sorted.push_back(&named);
    std::ranges::stable_sort(sorted, std::less<>(), &NamedParameter<T>::parameter);
    const auto twice = std::ranges::adjacent_find(sorted, {}, &NamedParameter<T>::parameter);
    if (twice != sorted.end()) {
      fail<ConfigError>("parameters: ", (*twice)->name, " and ", (*std::next(twice))->name,
                        " are one parameter; for_each_parameter must visit it once");
    }
  }
  std::vector<NamedParameter<T>> found;

 private:
  std::string prefix_;
};

}  // namespace detail

/// All parameters of a layer or model in the order it visits them. The owner offers
///   void for_each_parameter(auto&& visit) { visit("weights", weights_); visit("inner", inner_); }
/// where each thing visited is a Parameter or another owner. Throws ConfigError if a parameter is
/// visited twice: tied weights are one parameter with one name, or an update would count twice.
template <class Owner>
[[nodiscard]] auto parameters(Owner& owner) {
  detail::ParameterCollector<typename Owner::Scalar> collector;
  owner.for_each_parameter(collector);
  collector.require_distinct();
  return std::move(collector.found);
}
template <class Owner>
[[nodiscard]] auto parameters(const Owner& owner) {
  // One visiting method serves both: nothing is modified before the pointers are const again.
  std::vector<NamedConstParameter<typename Owner::Scalar>> found;
  for (auto& [name, parameter] : parameters(const_cast<Owner&>(owner))) {
    found.push_back({std::move(name), parameter});
  }
  return found;
}

/// Number of trained values: what a mask forbids is none.
template <class Owner>
[[nodiscard]] Index parameter_count(const Owner& owner) {
  Index count = 0;
  for (const auto& [name, parameter] : parameters(owner)) count += parameter->trained();
  return count;
}

/// Zeroes what masks forbid, in all parameters: for weights that come from elsewhere.
template <class Owner>
void apply_masks(Owner& owner) {
  for (const auto& [name, parameter] : parameters(owner)) parameter->apply_mask();
}

}  // namespace pixelrnn::inline PIXELRNN_ABI

// SPDX-License-Identifier: MIT
// What PyTorch computed (tests/fixtures), and how close is the same.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <filesystem>
#include <set>
#include <string>

#include <pixelrnn/autodiff/gradients.hpp>
#include <pixelrnn/io/safetensors.hpp>

#include "support/catch.hpp"
#include "support/compare.hpp"

namespace pixelrnn::test {

/// One file of tests/fixtures. Remembers which of its tensors were asked for.
class Fixture {
 public:
  explicit Fixture(const std::string& name)
      : file_(read_safetensors(std::filesystem::path(PIXELRNN_TEST_FIXTURES) /
                               (name + ".safetensors"))) {}

  /// A tensor of rank 4; throws FileError if there is none of that name.
  template <class T>
  [[nodiscard]] Tensor<T, 4> map(const std::string& name) {
    const StoredTensor& tensor = file_.at(name);
    if (tensor.shape.size() != 4) pixelrnn::detail::fail<FileError>(name, " is not of rank 4");
    Tensor<T, 4> values(
        Shape<4>(tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3]));
    copy_values(tensor, values.view().flat());
    read_.insert(name);
    return values;
  }
  [[nodiscard]] bool has(const std::string& name) const { return file_.find(name) != nullptr; }
  [[nodiscard]] double number(const std::string& name) { return map<double>(name)(0, 0, 0, 0); }

  /// The tensors that nobody asked for.
  [[nodiscard]] std::string unread() const {
    std::string names;
    for (const StoredTensor& tensor : file_.tensors()) {
      if (!read_.contains(tensor.name)) names += tensor.name + '\n';
    }
    return names;
  }

 private:
  SafetensorsFile file_;
  std::set<std::string> read_;
};

/// Gives every parameter of a layer or model the values of `<prefix><name>`.
template <class Owner>
void load_parameters(Owner& owner, Fixture& fixture, const std::string& prefix = "parameters.") {
  using T = typename Owner::Scalar;
  for (const auto& [name, parameter] : parameters(owner)) {
    const FeatureMap<T> values = fixture.map<T>(prefix + name);
    REQUIRE(values.shape() == parameter->shape());
    std::copy(values.begin(), values.end(), parameter->value().begin());
  }
}

/// What rounding may change: a share of each value, and for what cancels in sums a little of the
/// largest value of its tensor. In double only what cancels to almost nothing is excused.
enum class Kind { output, gradient };
template <class T>
[[nodiscard]] std::string disagreement(const FeatureMap<T>& found,
                                       const FeatureMap<double>& expected, Kind kind) {
  double largest = 0;
  for (const double v : expected) largest = std::max(largest, std::abs(v));
  if constexpr (std::same_as<T, double>) {
    return difference(found, expected, 1e-13 * largest, 1e-9);
  } else {
    return kind == Kind::output ? difference(found, expected, 1e-5, 1e-5)
                                : difference(found, expected, 1e-6 * largest, 1e-4);
  }
}
/// The same for the tensor `name` of a fixture.
template <class T>
[[nodiscard]] std::string disagreement(const FeatureMap<T>& found, Fixture& fixture,
                                       const std::string& name, Kind kind) {
  const std::string where = disagreement(found, fixture.map<double>(name), kind);
  return where.empty() ? where : name + ' ' + where;
}

/// The gradients of all parameters against `gradients.<name>`: where the first ones disagree.
template <class Owner>
[[nodiscard]] std::string gradient_disagreement(const Owner& owner,
                                                const Gradients<typename Owner::Scalar>& gradients,
                                                Fixture& fixture) {
  using T = typename Owner::Scalar;
  for (const auto& [name, parameter] : parameters(owner)) {
    const FeatureMap<T> gradient(gradients[*parameter]);
    const std::string where = disagreement(gradient, fixture, "gradients." + name, Kind::gradient);
    if (!where.empty()) return where;
  }
  return {};
}

}  // namespace pixelrnn::test

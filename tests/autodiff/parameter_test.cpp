// SPDX-License-Identifier: MIT
#include <string>
#include <type_traits>
#include <vector>

#include <pixelrnn/autodiff/parameter.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

struct Inner {
  using Scalar = float;
  Parameter<float> weights{Shape<4>{1, 2, 3, 4}}, bias{Shape<4>{1, 1, 1, 4}};
  void for_each_parameter(auto&& visit) { visit("weights", weights), visit("bias", bias); }
};
struct Outer {
  using Scalar = float;
  Inner left, right;
  Parameter<float> scale{Shape<4>{1, 1, 1, 1}};
  void for_each_parameter(auto&& visit) {
    visit("left", left), visit("scale", scale), visit("right", right);
  }
};
struct Net {
  using Scalar = float;
  std::vector<Outer> blocks = std::vector<Outer>(2);
  void for_each_parameter(auto&& visit) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      visit("blocks." + std::to_string(i), blocks[i]);
    }
  }
};
struct Nothing {
  using Scalar = float;
  void for_each_parameter(auto&&) {}
};

/// Visits one of its parameters twice.
struct Tied {
  using Scalar = float;
  bool second_too;
  Parameter<float> first{Shape<4>{1, 1, 1, 2}}, second{Shape<4>{1, 1, 1, 2}};
  void for_each_parameter(auto&& visit) {
    visit("decode", second), visit("encode", first), visit("again", second_too ? second : first);
  }
};

/// Of two rows the first, of the second what stands before the diagonal.
struct Masked {
  using Scalar = double;
  Parameter<double> weights{
      {1, 2, 3, 4}, [](Index, Index row, Index from, Index to) { return row == 0 || from < to; }};
  Parameter<double> bias{Shape<4>{1, 1, 1, 4}};
  void for_each_parameter(auto&& visit) { visit("weights", weights), visit("bias", bias); }
};

}  // namespace

TEST_CASE("A parameter is zero at birth", "[autodiff][parameter]") {
  const Parameter<float> parameter({1, 2, 3, 4});
  CHECK(parameter.shape() == Shape<4>{1, 2, 3, 4});
  CHECK(parameter.size() == 24);
  for (const float v : parameter.value()) CHECK(v == 0);
  STATIC_REQUIRE(std::is_same_v<decltype(parameter.value()), FeatureView<const float>>);
}

TEST_CASE("A copied parameter is another parameter", "[autodiff][parameter]") {
  Parameter<float> first({1, 1, 1, 1});
  Parameter<float> second = first;
  second.value().data()[0] = 5;
  CHECK(first.value().data()[0] == 0);
}

TEST_CASE("Parameters are listed in visiting order under their full names",
          "[autodiff][parameter]") {
  Net net;
  const std::vector<std::string> expected{"blocks.0.left.weights",  "blocks.0.left.bias",
                                          "blocks.0.scale",         "blocks.0.right.weights",
                                          "blocks.0.right.bias",    "blocks.1.left.weights",
                                          "blocks.1.left.bias",     "blocks.1.scale",
                                          "blocks.1.right.weights", "blocks.1.right.bias"};
  std::vector<std::string> names;
  for (const auto& [name, parameter] : parameters(net)) names.push_back(name);
  CHECK(names == expected);
  CHECK(parameters(net)[5].parameter == &net.blocks[1].left.weights);

  const Net& constant = net;
  names.clear();
  for (const auto& [name, parameter] : parameters(constant)) names.push_back(name);
  CHECK(names == expected);
  STATIC_REQUIRE(
      std::is_same_v<decltype(parameters(constant)), std::vector<NamedConstParameter<float>>>);
}

TEST_CASE("A parameter visited twice is refused by both its names", "[autodiff][parameter]") {
  Tied last{.second_too = true}, middle{.second_too = false};
  CHECK_THROWS_ERROR(parameters(last), ConfigError,
                     "parameters: decode and again are one parameter");
  CHECK_THROWS_ERROR(parameters(middle), ConfigError,
                     "parameters: encode and again are one parameter");
}

TEST_CASE("Trained values are counted over all parameters", "[autodiff][parameter]") {
  CHECK(parameter_count(Net()) == 2 * (2 * 28 + 1));
  CHECK(parameter_count(Nothing()) == 0);
}

TEST_CASE("What a mask forbids is not counted, and zeroed on demand", "[autodiff][parameter]") {
  Masked owner;
  CHECK(owner.weights.size() == 24);
  CHECK(owner.weights.trained() == 12 + 6);
  CHECK(parameter_count(owner) == 12 + 6 + 4);
  for (const auto& [name, parameter] : parameters(owner)) {
    std::fill(parameter->value().begin(), parameter->value().end(), 7.0);
  }
  apply_masks(owner);
  const auto w = std::as_const(owner.weights).value();
  for (Index from = 0; from < 3; ++from) {
    for (Index to = 0; to < 4; ++to) {
      CHECK(w(0, 0, from, to) == 7);
      CHECK(w(0, 1, from, to) == (from < to ? 7 : 0));
    }
  }
  CHECK(owner.bias.value()(0, 0, 0, 3) == 7);
  // Copies keep the rule.
  Parameter<double> copy = owner.weights;
  std::fill(copy.value().begin(), copy.value().end(), 7.0);
  copy.apply_mask();
  CHECK(copy.trained() == 18);
  CHECK(copy.value()(0, 1, 2, 1) == 0);
}

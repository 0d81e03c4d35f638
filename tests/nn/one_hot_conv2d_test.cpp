// SPDX-License-Identifier: MIT
#include <limits>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/convolution/one_hot_conv2d.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/layers.hpp"
#include "support/random.hpp"

using namespace pixelrnn;

namespace {

template <class M, class B = test::ReferenceBackend>
struct Pair {
  OneHotConv2d<M, B> looks_up;
  MaskedConv2d<M, B> multiplies;
};
/// The same random weights in both layers.
template <class M, class B = test::ReferenceBackend>
Pair<M, B> pair_of(const OneHotConfig& c) {
  Rng rng(1);
  Pair<M, B> pair{OneHotConv2d<M, B>(c, rng),
                  MaskedConv2d<M, B>({.in_channels = c.channels * c.levels,
                                      .out_channels = c.out_channels,
                                      .kernel_height = c.kernel_height,
                                      .kernel_width = c.kernel_width,
                                      .colours = c.colours},
                                     rng)};
  test::randomise(pair.looks_up, 2, 1);
  pair.looks_up.apply_mask();
  const auto from = parameters(pair.looks_up), to = parameters(pair.multiplies);
  for (std::size_t p = 0; p < from.size(); ++p) {
    REQUIRE(from[p].name == to[p].name);
    REQUIRE(from[p].parameter->shape() == to[p].parameter->shape());
    std::copy(from[p].parameter->value().begin(), from[p].parameter->value().end(),
              to[p].parameter->value().begin());
  }
  return pair;
}

FeatureMap<double> levels_of(Shape<4> shape, int levels) {
  FeatureMap<double> x(shape);
  Rng rng(3);
  for (double& v : x) v = static_cast<double>(rng.below(static_cast<std::uint64_t>(levels)));
  return x;
}
FeatureMap<double> one_hot(const FeatureMap<double>& x, int levels) {
  FeatureMap<double> y(x.shape().with_channels(x.shape().c() * levels));
  for (Index i = 0; i < x.size(); ++i) y.data()[i * levels + static_cast<Index>(x.data()[i])] = 1;
  return y;
}

const std::vector<OneHotConfig> one_hot_cases{
    {.channels = 1, .levels = 4, .out_channels = 5, .kernel_height = 3, .kernel_width = 5},
    {.channels = 1, .levels = 2, .out_channels = 1},
    {.channels = 2, .levels = 3, .out_channels = 4, .kernel_height = 1, .kernel_width = 3},
    {.channels = 3,
     .levels = 3,
     .out_channels = 7,
     .kernel_height = 3,
     .kernel_width = 3,
     .colours = 3},
    {.channels = 3,
     .levels = 2,
     .out_channels = 6,
     .kernel_height = 5,
     .kernel_width = 1,
     .colours = 3},
};
constexpr Shape<4> one_hot_shapes[]{{2, 4, 5, 1}, {1, 1, 1, 1}, {1, 1, 6, 1}, {3, 5, 1, 1}};

template <class M>
std::string disagreement(const OneHotConfig& c, const Shape<4>& shape) {
  auto pair = pair_of<M>(c);
  const FeatureMap<double> x = levels_of(shape.with_channels(c.channels), c.levels);
  const FeatureMap<double> hot = one_hot(x, c.levels);
  const FeatureMap<double> y = test::output(pair.looks_up, x);
  std::string found = test::difference(y, test::output(pair.multiplies, hot), 1e-13);
  if (!found.empty()) return "outputs: " + found;
  found = test::bit_difference(test::walk(pair.looks_up, x), y);
  if (!found.empty()) return "walk: " + found;

  const FeatureMap<double> dy = test::random_map<double>(y.shape(), 4, -1, 1);
  const auto sweep = [&](const auto& layer, const FeatureMap<double>& in) {
    Gradients gradients(layer);
    Tape<double> tape({.threads = 2});
    tape.backward(layer.forward(tape.input(in)), dy, gradients);
    return gradients;
  };
  const Gradients by_look_up = sweep(pair.looks_up, x), by_product = sweep(pair.multiplies, hot);
  const auto a = parameters(pair.looks_up), b = parameters(pair.multiplies);
  for (std::size_t p = 0; p < a.size(); ++p) {
    found = test::difference(FeatureMap<double>(by_look_up[*a[p].parameter]),
                             FeatureMap<double>(by_product[*b[p].parameter]), 1e-12);
    if (!found.empty()) return "gradient of " + a[p].name + ": " + found;
  }
  return "";
}

}  // namespace

TEST_CASE("A convolution that looks up is that of the one-hot map: values, walk, gradients",
          "[nn][one_hot]") {
  for (std::size_t i = 0; i < one_hot_cases.size(); ++i) {
    for (const Shape<4>& shape : one_hot_shapes) {
      CAPTURE(i, shape);
      CHECK(disagreement<MaskA>(one_hot_cases[i], shape) == "");
      CHECK(disagreement<MaskB>(one_hot_cases[i], shape) == "");
    }
  }
}

TEST_CASE("The comparison sees another weight", "[nn][one_hot]") {
  auto pair = pair_of<MaskB>(one_hot_cases[0]);
  const FeatureMap<double> x = levels_of({2, 4, 5, 1}, 4);
  parameters(pair.multiplies)[0].parameter->value()(0, 0, 2, 1) += 0.1;
  CHECK(test::difference(test::output(pair.looks_up, x),
                         test::output(pair.multiplies, one_hot(x, 4)), 1e-13) != "");
}

TEST_CASE("A one-hot convolution describes itself and refuses what it cannot be", "[nn][one_hot]") {
  Rng rng(1);
  using Layer = OneHotConv2d<MaskA, test::ReferenceBackend>;
  const Layer layer(one_hot_cases[3], rng);
  CHECK(layer.describe() == "OneHotConv2d<A>(3 of 3 levels->7, 3x3, colours 3)");
  CHECK(layer.output_shape({2, 4, 5, 3}) == Shape<4>{2, 4, 5, 7});
  CHECK_THROWS_ERROR(static_cast<void>(layer.output_shape({2, 4, 5, 1})), ShapeError,
                     "OneHotConv2d: x is (N=2, H=4, W=5, C=1)");
  FeatureMap<double> x({1, 2, 2, 3});
  for (const double bad : {-1.0, 0.5, 3.0, std::numeric_limits<double>::quiet_NaN()}) {
    x(0, 1, 1, 2) = bad;
    CHECK_THROWS_ERROR(static_cast<void>(test::output(layer, x)), ValueError,
                       "OneHotConv2d: a value is");
    CHECK_THROWS_AS(static_cast<void>(test::walk(layer, x)), ValueError);
  }
  CHECK_THROWS_AS(Layer({.kernel_width = 2}, rng), ConfigError);
  CHECK_THROWS_AS(Layer({.levels = 1}, rng), ConfigError);
  CHECK_THROWS_AS(Layer({.out_channels = 0}, rng), ConfigError);
  CHECK_THROWS_ERROR(Layer({.channels = 3, .colours = 2}, rng), ConfigError,
                     "colours=2}, expected odd kernel sizes, 1 or more of the others, and colours "
                     "1 or channels");
}

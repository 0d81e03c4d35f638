// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <limits>

#include <pixelrnn/nn/convolution/masked_conv2d.hpp>

#include "support/conv_cases.hpp"

using namespace pixelrnn;
using test::ConvCase, test::random_map;
namespace naive = test::naive;

TEMPLATE_TEST_CASE("Masked convolution is the masked sum of the paper", "[nn][masked_conv2d]",
                   test::ReferenceBackend, test::EigenBackend, test::XsimdBackend,
                   test::PairBackend) {
  using T = typename TestType::Scalar;
  test::for_each_conv<TestType>([](const auto& layer, const ConvCase& c) {
    for (const Shape<3>& map : test::maps) {
      CAPTURE(c, map);
      const FeatureMap<T> x = random_map<T>(test::with_channels(map, c.config.in_channels), 2);
      CHECK(test::difference(test::output(layer, x), test::naive_conv(layer, x, c),
                             test::rounding<T>, test::rounding<T>) == "");
    }
  });
}

TEMPLATE_TEST_CASE("Masked convolution walks to the bits of the whole map", "[nn][masked_conv2d]",
                   test::ReferenceBackend, test::EigenBackend, test::XsimdBackend,
                   test::PairBackend) {
  using T = typename TestType::Scalar;
  test::for_each_conv<TestType>([](const auto& layer, const ConvCase& c) {
    for (const Shape<3>& map : test::maps) {
      CAPTURE(c, map);
      const FeatureMap<T> x = random_map<T>(test::with_channels(map, c.config.in_channels), 3);
      test::check_walk_is_forward<TestType>(layer, x);
    }
  });
}

TEMPLATE_TEST_CASE("Masked convolution: an image's bits do not depend on its batch",
                   "[nn][masked_conv2d]", test::ReferenceBackend, test::XsimdBackend,
                   test::PairBackend) {
  using T = typename TestType::Scalar;
  test::for_each_conv<TestType>([](const auto& layer, const ConvCase& c) {
    test::check_images_do_not_depend_on_each_other(
        layer, random_map<T>({7, 5, 4, c.config.in_channels}, 3));
  });
}

TEMPLATE_TEST_CASE("Masked convolution can be added to a residual", "[nn][masked_conv2d]",
                   test::ReferenceBackend, test::EigenBackend, test::XsimdBackend,
                   test::PairBackend) {
  test::for_each_conv<TestType>([](const auto& layer, const ConvCase& c) {
    for (const Index width : {4, 5}) {
      CAPTURE(c, width);
      const FeatureMap<double> x = random_map<double>({2, 6, width, c.config.in_channels}, 2);
      const FeatureMap<double> residual = random_map<double>(layer.output_shape(x.shape()), 3);
      Tape<double> tape;
      const FeatureMap<double> y(layer.forward_add(tape.input(x), tape.input(residual)).value());
      CHECK(test::difference(y, naive::add(residual, test::output(layer, x)),
                             test::rounding<double>) == "");
    }
  });
}

TEST_CASE("A pixel that was stepped before its value was known can be told it",
          "[nn][masked_conv2d]") {
  Rng rng(1);
  MaskedConv2d<MaskA, test::XsimdBackend> layer(
      {.in_channels = 1, .out_channels = 3, .kernel_height = 5, .kernel_width = 5}, rng);
  const FeatureMap<double> x = random_map<double>({2, 6, 4, 1}, 4);
  FeatureMap<double> y(layer.output_shape(x.shape()));
  auto cache = layer.make_cache({2, 6, 4});
  for (Index r = 0; r < 6; ++r) {
    for (Index j = 0; j < 4; ++j) {
      const FeatureMap<double> unknown({2, 1, 1, 1}, 1e9);
      const Index pixel = r * 4 + j;
      layer.step(cache, r, j, as_rows(unknown.view()),
                 MatrixView<double>{y.data() + pixel * 3, 2, 3, 24 * 3});
      layer.observe(cache, r, j, MatrixView<const double>{x.data() + pixel, 2, 1, 24});
    }
    layer.end_row(cache, r);
  }
  CHECK(test::bit_difference(y, test::output(layer, x)) == "");
}

TEST_CASE("A masked convolution without taps is its bias", "[nn][masked_conv2d]") {
  Rng rng(1);
  MaskedConv2d<MaskA, test::XsimdBackend> layer({.in_channels = 2, .out_channels = 3}, rng);
  test::randomise(layer, 1);
  const FeatureMap<double> bias(FeatureView<const double>(parameters(layer)[1].parameter->value()));
  for (const double v : test::output(layer, random_map<double>({2, 2, 2, 2}, 1))) {
    CHECK(std::find(bias.begin(), bias.end(), v) != bias.end());
  }
  CHECK(layer.flops(5, 5) == 0);
}

TEST_CASE("NaN in a pixel reaches exactly the pixels that see it", "[nn][masked_conv2d]") {
  Rng rng(1);
  const MaskedConv2d<MaskB, test::XsimdBackend> layer(
      {.in_channels = 2, .out_channels = 3, .kernel_height = 3, .kernel_width = 3}, rng);
  FeatureMap<double> x = random_map<double>({1, 5, 6, 2}, 1);
  x(0, 2, 3, 1) = std::numeric_limits<double>::quiet_NaN();
  const FeatureMap<double> y = test::output(layer, x);
  for (Index r = 0; r < 5; ++r) {
    for (Index j = 0; j < 6; ++j) {
      const bool sees = (r == 3 && j >= 2 && j <= 4) || (r == 2 && (j == 3 || j == 4));
      CHECK(std::isnan(y(0, r, j, 0)) == sees);
    }
  }
}

TEST_CASE("Masked convolution starts with masked weights within the Glorot bound and no bias",
          "[nn][masked_conv2d]") {
  Rng rng(1);
  const MaskedConv2d<MaskA, test::XsimdBackend> layer(
      {.in_channels = 3, .out_channels = 5, .kernel_height = 7, .kernel_width = 7, .colours = 3},
      rng);
  const auto found = parameters(layer);
  REQUIRE(found.size() == 2);
  CHECK(found[0].name == "weights");
  CHECK(found[0].parameter->shape() == Shape<4>{7, 7, 3, 5});
  CHECK(found[1].name == "bias");
  CHECK(found[1].parameter->shape() == Shape<4>{1, 1, 1, 5});
  const double bound = std::sqrt(6.0 / (25 * (3 + 5)));  // 24 taps and the centre
  double largest = 0;
  for (const double w : found[0].parameter->value()) largest = std::max(largest, std::abs(w));
  CHECK(largest <= bound);
  CHECK(largest > 0.9 * bound);
  CHECK(found[0].parameter->value()(3, 3, 0, 0) == 0);
  CHECK(found[0].parameter->value()(4, 0, 0, 0) == 0);
  for (const double b : found[1].parameter->value()) CHECK(b == 0);
}

TEST_CASE("Masked convolution counts the products of taps inside the map", "[nn][masked_conv2d]") {
  Rng rng(1);
  using Conv = MaskedConv2d<MaskB, test::XsimdBackend>;
  // 3 × 3 mask B on 2 × 2: (0, 0) has 4 products, (-1, 0) and (0, -1) 2, (-1, ±1) 1 each.
  const Conv conv({.in_channels = 3, .out_channels = 5, .kernel_height = 3, .kernel_width = 3},
                  rng);
  CHECK(conv.flops(2, 2) == 2 * (4 + 2 + 2 + 1 + 1) * 15);
  CHECK(Conv({.in_channels = 3, .out_channels = 5}, rng).flops(7, 9) == 2 * 63 * 15);
}

TEST_CASE("Masked convolution names what it cannot be made of", "[nn][masked_conv2d]") {
  Rng rng(1);
  using Conv = MaskedConv2d<MaskB, test::XsimdBackend>;
  CHECK_THROWS_ERROR(Conv({.in_channels = 0}, rng), ConfigError,
                     "MaskedConv2d: Config is {in_channels=0, out_channels=1, kernel_height=1, "
                     "kernel_width=1, dilation=1, colours=1}, expected odd kernel sizes and 1 or "
                     "more of the others");
  CHECK_THROWS_ERROR(Conv({.out_channels = -1}, rng), ConfigError, "out_channels=-1");
  CHECK_THROWS_ERROR(Conv({.kernel_height = 2}, rng), ConfigError, "kernel_height=2");
  CHECK_THROWS_ERROR(Conv({.kernel_width = 4}, rng), ConfigError, "kernel_width=4");
  CHECK_THROWS_ERROR(Conv({.dilation = 0}, rng), ConfigError, "dilation=0");
  CHECK_THROWS_ERROR(Conv({.colours = 0}, rng), ConfigError, "colours=0");
}

TEST_CASE("Masked convolution names the channels it expected", "[nn][masked_conv2d]") {
  Rng rng(1);
  const MaskedConv2d<MaskB, test::XsimdBackend> layer({.in_channels = 3, .out_channels = 5}, rng);
  CHECK(layer.output_shape({2, 4, 6, 3}) == Shape<4>{2, 4, 6, 5});
  CHECK_THROWS_ERROR(layer.output_shape({2, 4, 6, 2}), ShapeError,
                     "MaskedConv2d: x is (N=2, H=4, W=6, C=2), expected (N, H, W, C=3); C is "
                     "Config::in_channels");
  const FeatureMap<double> x({2, 4, 6, 2});
  Tape<double> tape;
  CHECK_THROWS_ERROR(layer.forward(tape.input(x)), ShapeError, "expected (N, H, W, C=3)");
  const FeatureMap<double> fits({2, 4, 6, 3});
  CHECK_THROWS_ERROR(layer.forward_add(tape.input(fits), tape.input(fits)), ShapeError,
                     "MaskedConv2d::forward_add: residual is (N=2, H=4, W=6, C=3), expected (N=2, "
                     "H=4, W=6, C=5)");
}

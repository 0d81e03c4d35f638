// SPDX-License-Identifier: MIT
#include <concepts>
#include <string>
#include <type_traits>
#include <vector>

#include <pixelrnn/autodiff/gradcheck.hpp>
#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/diagonal_lstm/diagonal_lstm.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/row_lstm/row_lstm.hpp>
#include <pixelrnn/nn/sequential.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/layers.hpp"

using namespace pixelrnn;
using test::random_map;

namespace {

using B = test::ReferenceBackend;
using First = MaskedConv2d<MaskA, B>;
using Pointwise = MaskedConv2d<MaskB, B>;
using Net = Sequential<First, ReLU<B>, RowLSTM<LearnedState, B>, DiagonalBiLSTM<LearnedState, B>,
                       Pointwise>;

Net make_net(Index channels = 2, Index colours = 1) {
  Rng rng(1);
  Net net(First({.in_channels = channels,
                 .out_channels = 4,
                 .kernel_height = 3,
                 .kernel_width = 5,
                 .colours = colours},
                rng),
          ReLU<B>(),
          RowLSTM<LearnedState, B>({.in_channels = 4, .hidden = 5, .colours = colours}, rng),
          DiagonalBiLSTM<LearnedState, B>({.in_channels = 5, .hidden = 3, .colours = colours}, rng),
          Pointwise({.in_channels = 3, .out_channels = 2, .colours = colours}, rng));
  test::randomise(net, 7, 0.7);
  return net;
}

/// y = x²: a layer without a walk.
struct Square {
  using Scalar = double;
  [[nodiscard]] Variable<double> forward(Variable<double> x) const { return mul(x, x); }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  void for_each_parameter(auto&&) {}
};

}  // namespace

TEST_CASE("Sequential is its layers, one after the other", "[nn][sequential]") {
  const Net net = make_net();
  const auto x = random_map<double>({2, 4, 3, 2}, 1);
  auto y = test::output(net.layer<0>(), x);
  y = test::output(net.layer<1>(), y);
  y = test::output(net.layer<2>(), y);
  y = test::output(net.layer<3>(), y);
  y = test::output(net.layer<4>(), y);
  CHECK(test::bit_difference(test::output(net, x), y) == "");
  CHECK(net.output_shape(x.shape()) == y.shape());
  STATIC_REQUIRE(Net::size == 5);
}

TEST_CASE("Sequential passes the gradient check", "[nn][sequential]") {
  Net net = make_net();
  const GradcheckReport report = gradcheck(net, random_map<double>({2, 3, 4, 2}, 2));
  INFO(report.where);
  CHECK(report);
  CHECK(report.checked == 2 * 3 * 4 * 2 + test::value_count(net));
}

TEST_CASE("A sequence walks to the bits it gives for a whole map", "[nn][sequential]") {
  for (const Index colours : {Index{1}, Index{3}}) {
    const Net net = make_net(3, colours);
    for (const Shape<4>& s :
         {Shape<4>{1, 1, 1, 3}, Shape<4>{3, 1, 6, 3}, Shape<4>{2, 6, 1, 3}, Shape<4>{7, 5, 4, 3}}) {
      CAPTURE(colours, s);
      const auto x = random_map<double>(s, 3);
      const auto y = test::output(net, x);
      CHECK(test::bit_difference(test::walk(net, x), y) == "");
      CHECK(test::bit_difference(test::walk(net, x, test::Visits::thrice), y) == "");
    }
  }
}

TEST_CASE("Comparing with a walk finds a row that was not ended", "[nn][sequential]") {
  /// The first layer sees the past, the second was never told that rows end.
  struct Forgetful : DiagonalBiLSTM<LearnedState, B> {
    using DiagonalBiLSTM<LearnedState, B>::DiagonalBiLSTM;
    void end_row(Cache&, Index) const {}
  };
  Rng rng(3);
  Sequential<Forgetful> net(Forgetful({.in_channels = 2, .hidden = 3}, rng));
  test::randomise(net, 7);
  const auto x = random_map<double>({1, 4, 3, 2}, 3);
  CHECK(test::bit_difference(test::walk(net, x), test::output(net, x)) != "");
}

TEST_CASE("The first layer of a sequence can be told a pixel it has not seen", "[nn][sequential]") {
  STATIC_REQUIRE(ObservingLayer<Net>);
  const Net net = make_net();
  const auto x = random_map<double>({2, 4, 3, 2}, 4), nothing = FeatureMap<double>({2, 1, 1, 2});
  FeatureMap<double> walked({2, 4, 3, 2}), y({2, 1, 1, 2}), pixel({2, 1, 1, 2});
  auto cache = net.make_cache({.batch = 2, .height = 4, .width = 3, .channels = 2});
  for (Index r = 0; r < 4; ++r) {
    for (Index j = 0; j < 3; ++j) {
      net.step(cache, r, j, as_rows(nothing.view()), as_rows(y.view()));
      for (Index n = 0; n < 2; ++n) {
        for (Index c = 0; c < 2; ++c) {
          walked(n, r, j, c) = y(n, 0, 0, c);
          pixel(n, 0, 0, c) = x(n, r, j, c);
        }
      }
      net.observe(cache, r, j, as_rows(pixel.view()));
    }
    net.end_row(cache, r);
  }
  CHECK(test::bit_difference(walked, test::output(net, x)) == "");
}

TEST_CASE("A sequence observes wherever its first layer is that does", "[nn][sequential]") {
  STATIC_REQUIRE(ObservingLayer<Sequential<First>>);
  STATIC_REQUIRE(ObservingLayer<Sequential<Pointwise, First>>);
  STATIC_REQUIRE(ObservingLayer<Sequential<ReLU<B>, Sequential<Pointwise, First>, First>>);
  STATIC_REQUIRE_FALSE(ObservingLayer<Sequential<Square, First>>);
  STATIC_REQUIRE_FALSE(ObservingLayer<Sequential<First, Square>>);
  // Also as the very first thing a cache is told.
  Rng rng(1);
  Sequential net(Pointwise({.in_channels = 2, .out_channels = 3}, rng),
                 First({.in_channels = 3, .out_channels = 1, .kernel_width = 3}, rng));
  test::randomise(net, 7);
  const auto x = random_map<double>({2, 1, 2, 2}, 4);
  FeatureMap<double> y({2, 1, 1, 1});
  auto cache = net.make_cache({.batch = 2, .height = 1, .width = 2, .channels = 2});
  net.observe(cache, 0, 0, {x.data(), 2, 2, 4});
  net.step(cache, 0, 1, {x.data() + 2, 2, 2, 4}, as_rows(y.view()));
  const auto whole = test::output(net, x);
  CHECK(y(0, 0, 0, 0) == whole(0, 0, 1, 0));
  CHECK(y(1, 0, 0, 0) == whole(1, 0, 1, 0));
}

TEST_CASE("A sequence walks only if every layer does", "[nn][sequential]") {
  STATIC_REQUIRE(IncrementalLayer<Sequential<First, Pointwise>>);
  STATIC_REQUIRE(Layer<Sequential<First, Square>>);
  STATIC_REQUIRE_FALSE(IncrementalLayer<Sequential<First, Square>>);
  STATIC_REQUIRE_FALSE(IncrementalLayer<Sequential<Square, Pointwise>>);
}

TEST_CASE("Parameters of a sequence are named by their position", "[nn][sequential]") {
  const Net net = make_net();
  std::vector<std::string> names;
  for (const auto& [name, parameter] : parameters(net)) names.push_back(name);
  CHECK(names == std::vector<std::string>{
                     "0.weights", "0.bias", "2.input_weights", "2.state_weights", "2.bias", "2.h0",
                     "2.c0", "3.left.input_weights", "3.left.state_weights", "3.left.bias",
                     "3.left.h0", "3.left.c0", "3.right.input_weights", "3.right.state_weights",
                     "3.right.bias", "3.right.h0", "3.right.c0", "4.weights", "4.bias"});
}

TEST_CASE("A sequence of a sequence has that for its layer", "[nn][sequential]") {
  Net net = make_net();
  const auto x = random_map<double>({2, 4, 3, 2}, 1);
  const auto y = test::output(net, x);
  Sequential around(net);
  STATIC_REQUIRE(std::same_as<decltype(around), Sequential<Net>>);
  STATIC_REQUIRE(std::same_as<decltype(Sequential(std::move(net))), Sequential<Net>>);
  STATIC_REQUIRE(std::same_as<decltype(Sequential(net, net)), Sequential<Net, Net>>);
  CHECK(test::bit_difference(test::output(around, x), y) == "");
  CHECK(test::bit_difference(test::output(around.layer<0>(), x), y) == "");
  CHECK(parameters(around)[0].name == "0.0.weights");

  const Sequential copy = net;
  STATIC_REQUIRE(std::same_as<decltype(copy), const Net>);
  Net other(net);
  const Net moved(std::move(other));
  CHECK(test::bit_difference(test::output(copy, x), y) == "");
  CHECK(test::bit_difference(test::output(moved, x), y) == "");
  STATIC_REQUIRE(std::is_copy_assignable_v<Sequential<Net>> &&
                 std::is_move_assignable_v<Sequential<Net>>);
}

TEST_CASE("The FLOP of a sequence are its layers'", "[nn][sequential]") {
  const Net net = make_net();
  CHECK(flops(net, 5, 7) == flops(net.layer<0>(), 5, 7) + flops(net.layer<2>(), 5, 7) +
                                flops(net.layer<3>(), 5, 7) + flops(net.layer<4>(), 5, 7));
  CHECK(flops(net.layer<4>(), 5, 7) == 2 * 5 * 7 * 3 * 2);
  CHECK(flops(Sequential<Square>(Square{}), 5, 7) == 0);
}

TEST_CASE("A sequence names the layer that does not take its input", "[nn][sequential]") {
  const Net net = make_net();
  CHECK_THROWS_ERROR(net.output_shape({1, 4, 4, 3}), ShapeError,
                     "MaskedConv2d: x is (N=1, H=4, W=4, C=3), expected (N, H, W, C=2)");
  const FeatureMap<double> x({1, 4, 4, 3});
  CHECK_THROWS_ERROR(test::output(net, x), ShapeError, "expected (N, H, W, C=2)");
  Rng rng(1);
  const Sequential<First, Pointwise> misfit(First({.in_channels = 2, .out_channels = 4}, rng),
                                            Pointwise({.in_channels = 3, .out_channels = 1}, rng));
  CHECK_THROWS_ERROR(misfit.output_shape({1, 4, 4, 2}), ShapeError, "expected (N, H, W, C=3)");
}

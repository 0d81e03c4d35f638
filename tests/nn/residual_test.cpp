// SPDX-License-Identifier: MIT
#include <concepts>
#include <string>
#include <type_traits>
#include <vector>

#include <pixelrnn/autodiff/gradcheck.hpp>
#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/diagonal_lstm/diagonal_lstm.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/residual.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/layers.hpp"
#include "support/naive.hpp"

using namespace pixelrnn;
using test::random_map;

namespace {

using B = test::ReferenceBackend;
using Conv = MaskedConv2d<MaskB, B>;
using Block = Residual<ReLU<B>, DiagonalBiLSTM<LearnedState, B>, Conv>;

Block make_block(Index colours = 1) {
  Rng rng(1);
  Block block(
      ReLU<B>(),
      DiagonalBiLSTM<LearnedState, B>({.in_channels = 6, .hidden = 3, .colours = colours}, rng),
      Conv({.in_channels = 3, .out_channels = 6, .colours = colours}, rng));
  test::randomise(block, 5, 0.8);
  return block;
}

/// y = x²: a layer without a walk.
struct Unwalked {
  using Scalar = double;
  [[nodiscard]] Variable<double> forward(Variable<double> x) const { return mul(x, x); }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  void for_each_parameter(auto&&) {}
};

}  // namespace

TEST_CASE("A residual block adds its input once", "[nn][residual]") {
  const Block block = make_block();
  for (const Shape<4>& s : {Shape<4>{1, 1, 1, 6}, Shape<4>{2, 3, 5, 6}, Shape<4>{0, 3, 5, 6}}) {
    const auto x = random_map<double>(s, 1);
    const auto expected = test::naive::add(x, test::output(block.inner(), x));
    CHECK(test::difference(test::output(block, x), expected, 1e-12) == "");
    CHECK(block.output_shape(s) == s);
  }
}

TEST_CASE("A residual block whose layers give 0 is the identity", "[nn][residual]") {
  Block block = make_block();
  test::randomise(block, 1, 0);
  const auto x = random_map<double>({2, 3, 4, 6}, 2);
  CHECK(test::bit_difference(test::output(block, x), x) == "");
  const auto gradients = test::gradients(block, x);
  CHECK(test::bit_difference(gradients.x, random_map<double>(x.shape(), 77)) == "");
}

TEST_CASE("A residual block passes the gradient check", "[nn][residual]") {
  Block block = make_block();
  const GradcheckReport report = gradcheck(block, random_map<double>({2, 3, 2, 6}, 3));
  INFO(report.where);
  CHECK(report);
}

TEST_CASE("A residual block walks to the bits it gives for a whole map", "[nn][residual]") {
  for (const Index colours : {Index{1}, Index{3}}) {
    const Block block = make_block(colours);
    for (const Shape<4>& s :
         {Shape<4>{1, 1, 1, 6}, Shape<4>{3, 1, 5, 6}, Shape<4>{2, 5, 1, 6}, Shape<4>{7, 4, 5, 6}}) {
      CAPTURE(colours, s);
      const auto x = random_map<double>(s, 4);
      const auto y = test::output(block, x);
      CHECK(test::bit_difference(test::walk(block, x), y) == "");
      CHECK(test::bit_difference(test::walk(block, x, test::Visits::thrice), y) == "");
    }
  }
}

TEST_CASE("A residual block must return to the channels it got", "[nn][residual]") {
  Rng rng(1);
  const Residual<Conv> wide(Conv({.in_channels = 2, .out_channels = 3}, rng));
  const char* const message =
      "Residual: the layers turn (N=1, H=4, W=5, C=2) into (N=1, H=4, W=5, C=3), expected the same "
      "shape; end with a 1x1 MaskedConv2d back to C=2";
  CHECK_THROWS_ERROR(wide.output_shape({1, 4, 5, 2}), ShapeError, message);
  CHECK_THROWS_ERROR(test::output(wide, FeatureMap<double>({1, 4, 5, 2})), ShapeError, message);
}

TEST_CASE("Parameters of a residual block keep the names of its layers", "[nn][residual]") {
  Rng rng(1);
  const Residual<Conv, ReLU<B>, Conv> block(Conv({.in_channels = 2, .out_channels = 3}, rng),
                                            ReLU<B>(),
                                            Conv({.in_channels = 3, .out_channels = 2}, rng));
  std::vector<std::string> names;
  for (const auto& [name, parameter] : parameters(block)) names.push_back(name);
  CHECK(names == std::vector<std::string>{"0.weights", "0.bias", "2.weights", "2.bias"});
  CHECK(flops(block, 3, 4) == 2 * 3 * 4 * (2 * 3 + 3 * 2));
}

TEST_CASE("A residual block without a walk is a layer all the same", "[nn][residual]") {
  using Plain = Residual<Unwalked>;
  STATIC_REQUIRE(Layer<Plain>);
  STATIC_REQUIRE_FALSE(IncrementalLayer<Plain>);
  STATIC_REQUIRE_FALSE(IncrementalLayer<Residual<ReLU<B>, Sequential<Plain>>>);
  const Residual<ReLU<B>, Sequential<Plain>> block(ReLU<B>(), Sequential<Plain>(Plain{Unwalked{}}));
  const FeatureMap<double> x({1, 1, 1, 1}, 3.0);
  CHECK(test::output(block, x).data()[0] == 3 + (3 + 9));
}

TEST_CASE("A residual block around a residual block is one more", "[nn][residual]") {
  Block block = make_block();
  const auto x = random_map<double>({2, 3, 4, 6}, 5);
  const auto y = test::output(block, x);
  const Residual around(block);
  STATIC_REQUIRE(std::same_as<decltype(around), const Residual<Block>>);
  STATIC_REQUIRE(std::same_as<decltype(Residual(std::move(block))), Residual<Block>>);
  STATIC_REQUIRE(std::same_as<decltype(Residual{block}), Residual<Block>>);
  STATIC_REQUIRE(std::same_as<decltype(Residual(block, ReLU<B>())), Residual<Block, ReLU<B>>>);
  CHECK(test::difference(test::output(around, x), test::naive::add(x, y), 1e-12) == "");
  CHECK(test::bit_difference(test::walk(around, x), test::output(around, x)) == "");
  const Residual twice(around);
  CHECK(test::difference(test::output(twice, x), test::naive::add(x, test::naive::add(x, y)),
                         1e-12) == "");
}

TEST_CASE("A residual block is copied and moved like any other value", "[nn][residual]") {
  const Block block = make_block();
  const auto x = random_map<double>({2, 3, 4, 6}, 5);
  const auto y = test::output(block, x);
  const Residual copy = block;
  STATIC_REQUIRE(std::same_as<decltype(copy), const Block>);
  Block other(block);
  const Block moved(std::move(other));
  const std::vector<Block> many(2, moved);
  for (const Block* same : {&copy, &moved, &many[1]}) {
    CHECK(test::bit_difference(test::output(*same, x), y) == "");
  }
  using Nested = Residual<Block>;
  STATIC_REQUIRE(std::is_copy_constructible_v<Nested> && std::is_copy_assignable_v<Nested>);
  STATIC_REQUIRE(std::is_nothrow_move_constructible_v<Nested> ==
                 std::is_nothrow_move_constructible_v<Block>);
  STATIC_REQUIRE(std::is_move_assignable_v<Nested>);
}

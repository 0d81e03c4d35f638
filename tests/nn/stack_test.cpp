// SPDX-License-Identifier: MIT
#include <concepts>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/gradcheck.hpp>
#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/residual.hpp>
#include <pixelrnn/nn/row_lstm/row_lstm.hpp>
#include <pixelrnn/nn/stack.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/layers.hpp"
#include "support/naive.hpp"

using namespace pixelrnn;
using test::random_map;

namespace {

using B = test::ReferenceBackend;
using Conv = MaskedConv2d<MaskB, B>;
using RowBlock = Residual<RowLSTM<LearnedState, B>, Conv>;
using Blocks = Stack<RowBlock, Conv>;

/// y = x²: a block without a walk.
struct Squared {
  using Scalar = double;
  [[nodiscard]] Variable<double> forward(Variable<double> x) const { return mul(x, x); }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  void for_each_parameter(auto&&) {}
};

enum class Skips { none, one_a_block };

Blocks make_stack(int depth, Skips skips, Index colours = 1) {
  Rng rng(1);
  std::vector<RowBlock> blocks;
  std::vector<Conv> skip_layers;
  for (int l = 0; l < depth; ++l) {
    RowLSTM<LearnedState, B> recurrence({.in_channels = 4, .hidden = 3, .colours = colours}, rng);
    blocks.emplace_back(std::move(recurrence),
                        Conv({.in_channels = 3, .out_channels = 4, .colours = colours}, rng));
    if (skips == Skips::one_a_block) {
      skip_layers.emplace_back(
          Conv({.in_channels = 4, .out_channels = 4, .colours = colours}, rng));
    }
  }
  Blocks stack(std::move(blocks), std::move(skip_layers));
  test::randomise(stack, 5, 0.7);
  return stack;
}

}  // namespace

TEST_CASE("A stack is its blocks, one after the other", "[nn][stack]") {
  for (const int depth : {0, 1, 2, 5}) {
    const Blocks stack = make_stack(depth, Skips::none);
    auto y = random_map<double>({2, 3, 5, 4}, 1);
    const auto x = y;
    for (const RowBlock& block : stack.blocks()) y = test::output(block, y);
    CHECK(test::bit_difference(test::output(stack, x), y) == "");
    CHECK(stack.output_shape(x.shape()) == x.shape());
    CHECK(stack.blocks().size() == static_cast<std::size_t>(depth));
  }
}

TEST_CASE("Skip layers add what they make of each block's output", "[nn][stack]") {
  const Blocks stack = make_stack(3, Skips::one_a_block);
  const auto weights = test::naive::weights_of(stack);
  const auto x = random_map<double>({2, 3, 5, 4}, 1);
  auto stream = x;
  test::naive::Map skipped(x.shape());
  for (std::size_t l = 0; l < 3; ++l) {
    stream = test::output(stack.blocks()[l], stream);
    const auto skip = test::naive::part(weights, "skip" + std::to_string(l));
    skipped = test::naive::add(
        skipped, test::naive::convolve(stream, skip.at("weights"), &skip.at("bias"), {}));
  }
  CHECK(test::difference(test::output(stack, x), test::naive::add(stream, skipped), 1e-12) == "");
  CHECK(test::difference(test::output(stack, x), stream, 1e-12) != "");
  CHECK(test::bit_difference(test::output(stack, x), test::output(stack, x, TapeOptions{})) == "");
}

TEST_CASE("A stack passes the gradient check, with skips and without", "[nn][stack]") {
  for (const Skips skips : {Skips::none, Skips::one_a_block}) {
    Blocks stack = make_stack(2, skips);
    const GradcheckReport report = gradcheck(stack, random_map<double>({2, 3, 2, 4}, 3));
    INFO(report.where);
    CHECK(report);
    CHECK(report.checked == 2 * 3 * 2 * 4 + test::value_count(stack));
  }
}

TEST_CASE("A stack walks to the bits it gives for a whole map", "[nn][stack]") {
  for (const Skips skips : {Skips::none, Skips::one_a_block}) {
    for (const int depth : {0, 1, 2, 3}) {
      for (const Index colours : {Index{1}, Index{3}}) {
        const Blocks stack = make_stack(depth, skips, colours);
        for (const Shape<4>& s : {Shape<4>{1, 1, 1, 4}, Shape<4>{2, 1, 5, 4}, Shape<4>{3, 5, 1, 4},
                                  Shape<4>{7, 4, 5, 4}}) {
          CAPTURE(depth, colours, s);
          const auto x = random_map<double>(s, 4);
          const auto y = test::output(stack, x);
          CHECK(test::bit_difference(test::walk(stack, x), y) == "");
          CHECK(test::bit_difference(test::walk(stack, x, test::Visits::thrice), y) == "");
        }
      }
    }
  }
}

TEST_CASE("A stack without a walk is a layer all the same", "[nn][stack]") {
  using Plain = Stack<Squared, Conv>;
  STATIC_REQUIRE(Layer<Plain>);
  STATIC_REQUIRE_FALSE(IncrementalLayer<Plain>);
  STATIC_REQUIRE_FALSE(IncrementalLayer<Stack<Conv, Squared>>);
  STATIC_REQUIRE_FALSE(IncrementalLayer<Stack<Residual<Plain>, Plain>>);
  const Stack<Residual<Plain>, Plain> stack({Residual<Plain>(Plain({Squared{}}))});
  const FeatureMap<double> x({1, 1, 1, 1}, 3.0);
  CHECK(test::output(stack, x).data()[0] == 3 + 9);
}

TEST_CASE("Parameters of a stack are named by block, then by skip", "[nn][stack]") {
  const Stack<Conv, Conv> stack = [] {
    Rng rng(1);
    std::vector<Conv> blocks, skips;
    for (int l = 0; l < 2; ++l) {
      blocks.emplace_back(Conv({.in_channels = 2, .out_channels = 2}, rng));
      skips.emplace_back(Conv({.in_channels = 2, .out_channels = 2}, rng));
    }
    return Stack<Conv, Conv>(std::move(blocks), std::move(skips));
  }();
  std::vector<std::string> names;
  for (const auto& [name, parameter] : parameters(stack)) names.push_back(name);
  CHECK(names == std::vector<std::string>{"0.weights", "0.bias", "1.weights", "1.bias",
                                          "skip0.weights", "skip0.bias", "skip1.weights",
                                          "skip1.bias"});
  CHECK(flops(stack, 3, 5) == 4 * 2 * 3 * 5 * 2 * 2);
}

TEST_CASE("A stack takes its blocks in vectors, so a stack of a stack is a copy", "[nn][stack]") {
  const Blocks stack = make_stack(2, Skips::one_a_block);
  const Stack copy(stack);
  STATIC_REQUIRE(std::same_as<decltype(copy), const Blocks>);
  const auto x = random_map<double>({2, 3, 5, 4}, 1);
  const auto y = test::output(stack, x);
  CHECK(test::bit_difference(test::output(copy, x), y) == "");
  const Stack<Blocks, Conv> nested(std::vector{stack, stack});
  CHECK(test::bit_difference(test::output(nested, x), test::output(stack, y)) == "");
}

TEST_CASE("A stack wants one skip a block or none", "[nn][stack]") {
  Rng rng(1);
  const auto convs = [&rng](std::size_t count) {
    return std::vector<Conv>(count, Conv({.in_channels = 2, .out_channels = 2}, rng));
  };
  CHECK_NOTHROW(Stack<Conv, Conv>(convs(3), convs(3)));
  CHECK_THROWS_ERROR((Stack<Conv, Conv>(convs(3), convs(2))), ConfigError,
                     "Stack: 2 skips for 3 blocks, expected none or one a block");
}

TEST_CASE("Blocks and skips of a stack must keep the channels", "[nn][stack]") {
  Rng rng(1);
  const Conv same({.in_channels = 2, .out_channels = 2}, rng),
      wide({.in_channels = 2, .out_channels = 3}, rng);
  const Stack<Conv, Conv> wrong_block({same, wide}), wrong_skip({same, same}, {same, wide});
  const FeatureMap<double> x({1, 2, 2, 2});
  const char* const block =
      "Stack: block 1 turns (N=1, H=2, W=2, C=2) into (N=1, H=2, W=2, C=3), expected the same "
      "shape";
  CHECK_THROWS_ERROR(wrong_block.output_shape(x.shape()), ShapeError, block);
  CHECK_THROWS_ERROR(test::output(wrong_block, x), ShapeError, block);
  CHECK_THROWS_ERROR(test::output(wrong_skip, x), ShapeError, "Stack: skip 1 turns");
  CHECK_THROWS_ERROR(wrong_skip.make_cache({1, 2, 2, 2}), ShapeError, "Stack: skip 1 turns");
}

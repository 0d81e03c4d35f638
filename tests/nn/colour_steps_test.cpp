// SPDX-License-Identifier: MIT
// Steps that are asked for one colour group: one after the other they are the whole step.
#include <string>
#include <utility>
#include <vector>

#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/diagonal_lstm/diagonal_lstm.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/residual.hpp>
#include <pixelrnn/nn/row_lstm/row_lstm.hpp>
#include <pixelrnn/nn/stack.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/layers.hpp"

using namespace pixelrnn;
using test::random_map;

namespace {

constexpr Index step_colours = 3;

/// Calls f(name, layer) for layers of three colours, from so many channels to as many.
template <class B, class F>
void for_each_colour_layer(Index step_channels, F f) {
  Rng rng(1);
  const auto call = [&](const char* name, auto layer) {
    test::randomise(layer, 1, test::calm);
    apply_masks(layer);
    CAPTURE(name);
    f(layer);
  };
  using Conv = MaskedConv2d<MaskB, B>;
  const auto conv = [&](Index kernel) {
    return Conv({.in_channels = step_channels,
                 .out_channels = step_channels,
                 .kernel_height = kernel,
                 .kernel_width = kernel,
                 .colours = step_colours},
                rng);
  };
  const auto recurrence = [&]<class R>(std::in_place_type_t<R>) {
    return R({.in_channels = step_channels, .hidden = step_channels, .colours = step_colours}, rng);
  };
  using Row = RowLSTM<LearnedState, B>;
  using BiLSTM = DiagonalBiLSTM<PaddedScanState, B>;
  call("3x3", conv(3));
  call("1x1", conv(1));
  call("RowLSTM", recurrence(std::in_place_type<Row>));
  call("BiLSTM", recurrence(std::in_place_type<BiLSTM>));
  call("Sequential", Sequential(conv(3), recurrence(std::in_place_type<BiLSTM>), conv(1)));
  call("Residual", Residual(recurrence(std::in_place_type<Row>), conv(1)));
  call("Residual without step_add", Residual(conv(1), recurrence(std::in_place_type<Row>)));
  call("Residual of what knows no colours", Residual(conv(1), ReLU<B>()));
  call("in a Residual", Residual(Residual(conv(1), ReLU<B>())));
  call("in a Sequential in a Residual", Residual(Sequential(conv(1), Sequential(ReLU<B>()))));
  call("a layer that knows them after one that does not", Sequential(conv(1), ReLU<B>(), conv(1)));
  call("Stack", Stack<Conv, Conv>(std::vector(3, conv(3)), std::vector(3, conv(1))));
}

/// Steps each pixel of a walk once for each colour, channels of later colours unknown. After each
/// of them what the groups so far give must be there, the bits of `whole`; and nothing else must be
/// written, if the layer computes groups apart.
template <class L>
void check_walk_by_colours(const L& layer, const FeatureMap<double>& x,
                           const FeatureMap<double>& whole, bool is_apart) {
  const Shape<4> s = x.shape();
  const Index step_channels = s.c();
  auto cache = layer.make_cache({s.n(), s.h(), s.w(), s.c()});
  FeatureMap<double> in({s.n(), 1, 1, s.c()}), out({s.n(), 1, 1, step_channels});
  for (Index r = 0; r < s.h(); ++r) {
    for (Index j = 0; j < s.w(); ++j) {
      out.fill(-1);
      for (Index g = 0; g < step_colours; ++g) {
        const ColourGroup colour{g, step_colours};
        const Index first = colour.first(step_channels), count = colour.count(step_channels);
        // Features of this colour's group and of earlier ones are there, others are anything.
        for (Index n = 0; n < s.n(); ++n) {
          for (Index c = 0; c < s.c(); ++c) {
            in(n, 0, 0, c) = c < first + count ? x(n, r, j, c) : 1e3 + static_cast<double>(g);
          }
        }
        layer.step(cache, r, j, as_rows(std::as_const(in).view()), as_rows(out.view()), colour);
        for (Index n = 0; n < s.n(); ++n) {
          for (Index c = 0; c < step_channels; ++c) {
            if (c < first + count) {
              CHECK(test::same_bits(out(n, 0, 0, c), whole(n, r, j, c)));
            } else if (is_apart && detail::TakesColour<L>) {
              CHECK(out(n, 0, 0, c) == -1);
            }
          }
        }
      }
    }
    layer.end_row(cache, r);
  }
}

}  // namespace

TEMPLATE_TEST_CASE(
    "Steps of one colour after the other give the bits of whole steps, and write "
    "nothing else",
    "[nn][colour_steps]", test::ReferenceBackend, test::XsimdBackend) {
  // No multiples of the colours, so that groups differ in size; few units and many.
  for (const Index channels : {7, 70}) {
    for_each_colour_layer<TestType>(channels, [channels](const auto& layer) {
      using K = typename TestType::Kernels;
      const bool is_apart = colour_groups<K, double>(3, channels, 1) == 3 &&
                            colour_groups<K, double>(3, channels, kernels::gate_count) == 3;
      CHECK(is_apart == (channels == 70));
      for (const Shape<4>& shape : {Shape<4>{1, 2, 3, channels}, Shape<4>{9, 2, 2, channels},
                                    Shape<4>{2, 1, 1, channels}}) {
        CAPTURE(shape);
        const auto x = random_map<double>(shape, 2);
        const auto whole = test::walk(layer, x);
        check_walk_by_colours(layer, x, whole, is_apart);
        CHECK(test::bit_difference(
                  test::output(layer, x, {.threads = 2, .record = false, .walk_bits = true}),
                  whole) == "");
      }
    });
  }
}

TEST_CASE(
    "ColourGroup groups of outputs cover them, and a layer that knows no colours is stepped "
    "whole",
    "[nn][colour_steps]") {
  for (Index channels = 1; channels < 20; ++channels) {
    Index next = 0;
    for (Index g = 0; g < 3; ++g) {
      CHECK(ColourGroup{g, 3}.first(channels) == next);
      next += ColourGroup{g, 3}.count(channels);
    }
    CHECK(next == channels);
    CHECK((ColourGroup{}.first(channels) == 0 && ColourGroup{}.count(channels) == channels));
  }
  STATIC_REQUIRE(detail::TakesColour<MaskedConv2d<MaskB>>);
  STATIC_REQUIRE_FALSE(detail::TakesColour<ReLU<>>);
  // A grey convolution within a colour net: every step is whole.
  Rng rng(1);
  const MaskedConv2d<MaskB, test::XsimdBackend> grey({.in_channels = 2, .out_channels = 4}, rng);
  auto cache = grey.make_cache({1, 1, 1});
  const auto x = random_map<double>({1, 1, 1, 2}, 2);
  FeatureMap<double> y({1, 1, 1, 4}, -1), part = y;
  grey.step(cache, 0, 0, as_rows(x.view()), as_rows(y.view()));
  grey.step(cache, 0, 0, as_rows(x.view()), as_rows(part.view()), {1, 3});
  CHECK(test::bit_difference(part, y) == "");
}

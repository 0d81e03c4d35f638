// SPDX-License-Identifier: MIT
// Convolutions under masks other than the paper's: unmasked ones, of the rows above, a user's own.
#include <vector>

#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/convolution/one_hot_conv2d.hpp>

#include "support/dependency.hpp"
#include "support/layer_checks.hpp"

using namespace pixelrnn;
using test::Cell, test::random_map;
namespace naive = test::naive;

namespace {

struct OwnMask {
  static constexpr std::string_view name = "own";
  static bool allowed(Index dy, Index dx, Index from, Index to) {
    if (dy == -1) return from <= to;
    return dx != 0 ? dy < -1 || (dy == 0 && dx < 0) : dy < -2;
  }
};

struct MaskCase {
  Mask mask;
  naive::Mask naive;
  bool walks;
};
const std::vector<MaskCase>& mask_cases() {
  static const std::vector<MaskCase> cases{{MaskAbove{}, naive::Mask::above, true},
                                           {MaskAboveAndRow{}, naive::Mask::above_and_row, false},
                                           {NoMask{}, naive::Mask::none, false},
                                           {OwnMask{}, naive::Mask::own, true}};
  return cases;
}
struct KernelCase {
  Index in, out, height, width, colours;
};
// Runs of three taps allowed in part, a hole in a run, two taps beside none.
constexpr KernelCase mask_kernels[]{{2, 3, 3, 3, 1}, {3, 4, 3, 3, 3}, {1, 2, 5, 3, 1},
                                    {3, 3, 5, 5, 3}, {2, 2, 1, 3, 1}, {2, 2, 3, 1, 1}};

template <class B>
MaskedConv2d<Mask, B> conv_of(const Mask& mask, const KernelCase& k) {
  Rng rng(1);
  MaskedConv2d<Mask, B> layer(mask,
                              {.in_channels = k.in,
                               .out_channels = k.out,
                               .kernel_height = k.height,
                               .kernel_width = k.width,
                               .colours = k.colours},
                              rng);
  test::randomise(layer, 1);
  return layer;
}
/// Calls f(layer, mask, kernel) for all of them.
template <class B, class F>
void for_each_mask(F f) {
  for (const MaskCase& m : mask_cases()) {
    for (const KernelCase& k : mask_kernels) {
      CAPTURE(m.mask.name, k.height, k.width, k.colours);
      auto layer = conv_of<B>(m.mask, k);
      f(layer, m, k);
    }
  }
}
constexpr Shape<3> mask_maps[]{{1, 1, 1}, {2, 5, 4}, {1, 3, 7}, {2, 6, 1}};

}  // namespace

TEMPLATE_TEST_CASE("A convolution under any mask is the sum over what the mask allows",
                   "[nn][masked_conv2d]", test::ReferenceBackend, test::EigenBackend,
                   test::XsimdBackend, test::PairBackend) {
  for_each_mask<TestType>([](const auto& layer, const MaskCase& m, const KernelCase& k) {
    for (const Shape<3>& map : mask_maps) {
      CAPTURE(map);
      const auto x = random_map<double>(test::with_channels(map, k.in), 2);
      const naive::Weights w = naive::weights_of(layer);
      const auto y = test::output(layer, x);
      CHECK(test::difference(y,
                             naive::convolve(x, w.at("weights"), &w.at("bias"),
                                             {.mask = m.naive, .colours = k.colours}),
                             test::rounding<double>) == "");
      if (m.walks) test::check_walk_is_forward<TestType>(layer, x);
    }
  });
}

TEMPLATE_TEST_CASE(
    "The gradient of a convolution under any mask is right, and none depends on "
    "threads or forbidden weights",
    "[nn][masked_conv2d]", test::ReferenceBackend, test::XsimdBackend, test::PairBackend) {
  for_each_mask<TestType>([](auto& layer, const MaskCase& m, const KernelCase& k) {
    if (k.height * k.width * k.in * k.out > 40) {
      const auto x = random_map<double>({3, 6, 4, k.in}, 2);
      test::check_same_bits_for_all_threads(layer, x);
      if (m.naive != naive::Mask::none) {
        test::check_masked_weights_are_never_used(layer, "weights", x, m.naive, k.colours, 1);
      }
      return;
    }
    test::check_gradients(layer, k.in);
  });
}

TEMPLATE_TEST_CASE("What a convolution sees is what its mask allows, to the bit",
                   "[nn][masked_conv2d]", test::XsimdBackend, test::PairBackend) {
  for_each_mask<TestType>([](const auto& layer, const MaskCase& m, const KernelCase& k) {
    const auto sees = [&](naive::Mask mask) {
      return [&k, mask](const Cell& out, const Cell& in) {
        const Index y = in.row - out.row + k.height / 2, x = in.column - out.column + k.width / 2;
        return y >= 0 && y < k.height && x >= 0 && x < k.width &&
               naive::mask_value(mask, y, x, k.height, k.width,
                                 naive::group(in.channel, k.in, k.colours),
                                 naive::group(out.channel, k.out, k.colours)) == 1;
      };
    };
    const auto report = [&](naive::Mask mask) {
      return test::check_dependencies(
          [&](const FeatureMap<double>& x) { return test::output(layer, x); },
          random_map<double>({1, 5, 6, k.in}, 6), sees(mask));
    };
    CHECK(report(m.naive).leak == "");
    CHECK(report(m.naive).blind == "");
    // The control: another mask is found out. A column of taps can have that of A or of B.
    const bool hides_self = m.naive == naive::Mask::above || m.naive == naive::Mask::own;
    const auto other = report(hides_self ? naive::Mask::B : naive::Mask::A);
    CHECK(other.leak + other.blind != "");
  });
}

TEST_CASE("A mask that reads pixels to come has no walk, and says so", "[nn][masked_conv2d]") {
  CHECK_THROWS_ERROR(
      conv_of<test::XsimdBackend>(MaskAboveAndRow{}, {2, 3, 3, 3, 1}).make_cache({1, 4, 4}),
      ConfigError,
      "MaskedConv2d: mask \"above_and_row\" reads row +0, column +1 from a pixel, which a walk "
      "does not know yet; sample with FullForward, or use a mask of rows above and columns to the "
      "left");
  CHECK_THROWS_ERROR(conv_of<test::XsimdBackend>(NoMask{}, {2, 3, 3, 1, 1}).make_cache({1, 4, 4}),
                     ConfigError, "mask \"none\" reads row +1, column +0");
  Rng rng(1);
  CHECK_THROWS_ERROR(
      (OneHotConv2d<NoMask, test::XsimdBackend>({.kernel_width = 3}, rng).make_cache({1, 4, 4})),
      ConfigError, "OneHotConv2d: mask \"none\" reads row +0, column +1");
  // A 1×1 kernel reads its own pixel only.
  const auto pointwise = conv_of<test::XsimdBackend>(NoMask{}, {3, 4, 1, 1, 3});
  test::check_walk_is_forward<test::XsimdBackend>(pointwise, random_map<double>({2, 3, 4, 3}, 2));
}

TEST_CASE("Convolutions of one type may have different masks", "[nn][masked_conv2d]") {
  std::vector<MaskedConv2d<>> layers;
  Rng rng(1);
  const MaskedConv2d<>::Config config{.in_channels = 1, .kernel_height = 3, .kernel_width = 3};
  for (const Mask& mask : {Mask(MaskA{}), Mask(MaskB{}), Mask(MaskAbove{})}) {
    layers.emplace_back(mask, config, rng);
  }
  CHECK(layers[0].describe() == "MaskedConv2d<A>(1->1, 3x3)");
  CHECK(layers[2].describe() == "MaskedConv2d<above>(1->1, 3x3)");
  CHECK(parameter_count(layers[0]) == 4 + 1);
  CHECK(parameter_count(layers[1]) == 5 + 1);
  CHECK(parameter_count(layers[2]) == 3 + 1);
  CHECK(layers[2].flops(2, 2) == 2 * 4);
}

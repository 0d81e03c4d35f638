// SPDX-License-Identifier: MIT
// Sec. 3.4 and fig. 2 of van den Oord et al. 2016: which weights the masks let live, counted by
// hand.
#include <algorithm>
#include <string>
#include <vector>

#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/diagonal_lstm/diagonal_lstm.hpp>
#include <pixelrnn/nn/row_lstm/row_lstm.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

using B = test::ReferenceBackend;

Index ones(FeatureView<const double> weights) {
  return static_cast<Index>(
      std::count_if(weights.begin(), weights.end(), [](double w) { return w != 0; }));
}

/// All ones of [height][width][in][out], masked.
template <class Mask>
FeatureMap<double> mask_of(Shape<4> kernel, Index colours, Index gates = 1) {
  FeatureMap<double> weights(kernel);
  weights.fill(1);
  KernelMask(Mask{}, kernel[0], kernel[1], 1, colours).apply(weights.view(), gates);
  return weights;
}

/// One row of text for each kernel row of the map from channel `in` to `out`.
std::vector<std::string> picture(const FeatureMap<double>& mask, Index in, Index out) {
  std::vector<std::string> rows;
  for (Index y = 0; y < mask.shape()[0]; ++y) {
    rows.emplace_back();
    for (Index x = 0; x < mask.shape()[1]; ++x) rows.back() += mask(y, x, in, out) != 0 ? '1' : '0';
  }
  return rows;
}

/// The weights of a new layer under a name that ends so.
template <class Layer>
FeatureView<const double> weights_of(const Layer& layer, const std::string& ending) {
  for (const auto& [name, parameter] : parameters(layer)) {
    if (name.ends_with(ending)) return parameter->value();
  }
  FAIL("no parameter " << ending);
  return {};
}

template <class Mask>
Index weights_of_convolution(Index in, Index out, Index kernel, Index colours) {
  Rng rng(1);
  const MaskedConv2d<Mask, B> layer({.in_channels = in,
                                     .out_channels = out,
                                     .kernel_height = kernel,
                                     .kernel_width = kernel,
                                     .colours = colours},
                                    rng);
  return ones(weights_of(layer, "weights"));
}

}  // namespace

TEST_CASE("Masks of a 7 x 7 kernel have as many ones as counted by hand", "[paper][masks]") {
  // Grey: three rows of 7 above and 3 to the left; mask B also the centre.
  CHECK(ones(mask_of<MaskA>({7, 7, 1, 1}, 1)) == 24);
  CHECK(ones(mask_of<MaskB>({7, 7, 1, 1}, 1)) == 25);
  // RGB to RGB: 24 · 9 around, and at the centre R->G, R->B, G->B; mask B also each to itself.
  CHECK(ones(mask_of<MaskA>({7, 7, 3, 3}, 3)) == 24 * 9 + 3);
  CHECK(ones(mask_of<MaskB>({7, 7, 3, 3}, 3)) == 24 * 9 + 6);
}

TEST_CASE("A 1 x 1 kernel lets nothing through under mask A and everything under B",
          "[paper][masks]") {
  CHECK(ones(mask_of<MaskA>({1, 1, 1, 1}, 1)) == 0);
  CHECK(ones(mask_of<MaskB>({1, 1, 1, 1}, 1)) == 1);
  CHECK(ones(mask_of<MaskA>({1, 1, 5, 4}, 1)) == 0);
  CHECK(ones(mask_of<MaskB>({1, 1, 5, 4}, 1)) == 20);
}

TEST_CASE("Fig. 2: the mask is ones above and to the left of the centre", "[paper][masks]") {
  const auto a = mask_of<MaskA>({5, 5, 1, 1}, 1), b = mask_of<MaskB>({5, 5, 1, 1}, 1);
  CHECK(picture(a, 0, 0) == std::vector<std::string>{"11111", "11111", "11000", "00000", "00000"});
  CHECK(picture(b, 0, 0) == std::vector<std::string>{"11111", "11111", "11100", "00000", "00000"});
}

TEST_CASE("Fig. 2: R sees the context, G also R, B also R and G; mask B adds the colour itself",
          "[paper][masks]") {
  const auto a = mask_of<MaskA>({1, 1, 3, 3}, 3), b = mask_of<MaskB>({1, 1, 3, 3}, 3);
  const auto sees = [](const FeatureMap<double>& mask, Index out) {
    std::string from;
    for (Index in = 0; in < 3; ++in) {
      if (mask(0, 0, in, out) != 0) from += "RGB"[in];
    }
    return from;
  };
  CHECK(sees(a, 0) == "");
  CHECK(sees(a, 1) == "R");
  CHECK(sees(a, 2) == "RG");
  CHECK(sees(b, 0) == "R");
  CHECK(sees(b, 1) == "RG");
  CHECK(sees(b, 2) == "RGB");
}

TEST_CASE("Features are split into three parts, as even as they come", "[paper][masks]") {
  const auto groups = [](Index n) {
    std::string text;
    for (Index c = 0; c < n; ++c) text += "RGB"[colour_group(c, n, 3)];
    return text;
  };
  CHECK(groups(3) == "RGB");
  CHECK(groups(6) == "RRGGBB");
  CHECK(groups(7) == "RRRGGBB");
  CHECK(groups(8) == "RRRGGGBB");
  CHECK(groups(1) == "R");
}

TEST_CASE("New convolutions hold exactly the weights their mask allows", "[paper][masks]") {
  CHECK(weights_of_convolution<MaskA>(1, 1, 7, 1) == 24);
  CHECK(weights_of_convolution<MaskB>(1, 1, 7, 1) == 25);
  CHECK(weights_of_convolution<MaskA>(3, 3, 7, 3) == 219);
  CHECK(weights_of_convolution<MaskB>(3, 3, 7, 3) == 222);
  CHECK(weights_of_convolution<MaskA>(1, 1, 1, 1) == 0);
  CHECK(weights_of_convolution<MaskB>(1, 1, 1, 1) == 1);
}

TEST_CASE("Row LSTM's input-to-state kernel is masked, its state-to-state kernel is not",
          "[paper][masks]") {
  const auto mask = mask_of<MaskB>({1, 3, 1, 4}, 1, 4);
  for (Index o = 0; o < 4; ++o) CHECK(picture(mask, 0, o) == std::vector<std::string>{"110"});
  Rng rng(1);
  const RowLSTM<LearnedState, B> layer({.in_channels = 1, .hidden = 1, .kernel = 3}, rng);
  CHECK(picture(FeatureMap<double>(weights_of(layer, "input_weights")), 0, 0) ==
        std::vector<std::string>{"110"});
  CHECK(picture(FeatureMap<double>(weights_of(layer, "state_weights")), 0, 0) ==
        std::vector<std::string>{"111"});
}

TEST_CASE("The colours of an LSTM's units are taken inside each gate", "[paper][masks]") {
  // 3 maps to 4 gates of 3 units: at the centre 6 pairs a gate.
  const auto inside = mask_of<MaskB>({1, 1, 3, 12}, 3, 4);
  CHECK(ones(inside) == 4 * 6);
  for (Index gate = 0; gate < 4; ++gate) {
    for (Index in = 0; in < 3; ++in) {
      for (Index unit = 0; unit < 3; ++unit) {
        CHECK((inside(0, 0, in, gate * 3 + unit) != 0) == (in <= unit));
      }
    }
  }
  // The control: grouped over all twelve, the first unit's last gate sees B.
  const auto over_all = mask_of<MaskB>({1, 1, 3, 12}, 3, 1);
  CHECK(over_all(0, 0, 2, 9) == 1);
  CHECK(inside(0, 0, 2, 9) == 0);

  Rng rng(1);
  const RowLSTM<LearnedState, B> row({.in_channels = 3, .hidden = 3, .kernel = 3, .colours = 3},
                                     rng);
  CHECK(ones(weights_of(row, "input_weights")) == 3 * 12 + 24);
  CHECK(ones(weights_of(row, "state_weights")) == 3 * 3 * 12);
  const DiagonalBiLSTM<LearnedState, B> diagonal({.in_channels = 3, .hidden = 3, .colours = 3},
                                                 rng);
  for (const std::string side : {"left", "right"}) {
    CHECK(ones(weights_of(diagonal, side + ".input_weights")) == 24);
    CHECK(ones(weights_of(diagonal, side + ".state_weights")) == 2 * 3 * 12);
  }
}

// SPDX-License-Identifier: MIT
// The masked convolutions that are tested: both masks, all kinds of kernels, one colour and three.
#pragma once

#include <algorithm>
#include <ostream>
#include <vector>

#include <pixelrnn/nn/convolution/masked_conv2d.hpp>

#include "support/layer_checks.hpp"

namespace pixelrnn::test {

/// The sizes of a convolution whatever its mask and backend.
struct ConvConfig {
  Index in_channels = 1, out_channels = 1, kernel_height = 1, kernel_width = 1, dilation = 1,
        colours = 1;
  bool relu_input = false;
};
struct ConvCase {
  naive::Mask mask;
  ConvConfig config;
};
inline std::ostream& operator<<(std::ostream& out, const ConvCase& c) {
  return out << (c.mask == naive::Mask::A ? 'A' : 'B') << ' ' << c.config.kernel_height << 'x'
             << c.config.kernel_width << ' ' << c.config.in_channels << "->"
             << c.config.out_channels << ", dilation " << c.config.dilation << ", colours "
             << c.config.colours << (c.config.relu_input ? ", of max(x, 0)" : "");
}

inline const std::vector<ConvConfig> conv_configs{
    {1, 5, 7, 7, 1, 1},       {3, 7, 7, 7, 1, 3},       {4, 3, 3, 3, 1, 1},
    {4, 5, 3, 3, 1, 3},       {2, 3, 1, 1, 1, 1},       {5, 4, 1, 1, 1, 3},
    {2, 3, 1, 3, 1, 1},       {3, 4, 1, 5, 1, 3},       {2, 3, 3, 1, 1, 1},
    {2, 2, 3, 3, 2, 1},       {3, 4, 5, 3, 3, 3},       {2, 1, 1, 3, 2, 1},
    {1, 1, 3, 3, 1, 3},       {16, 20, 3, 3, 1, 1},     {9, 33, 1, 1, 1, 3},
    {4, 3, 3, 3, 1, 1, true}, {5, 4, 1, 1, 1, 3, true}, {16, 20, 1, 1, 1, 1, true},
};
/// Convolutions on maps of the paper's and of odd sizes, whose gradients are Reference's.
struct LargeConv {
  ConvConfig config;
  Shape<3> map;
};
inline const std::vector<LargeConv> large_convs{
    {{16, 64, 3, 3, 1, 1}, {1, 28, 28}},      {{9, 16, 3, 3, 1, 1}, {4, 28, 28}},
    {{64, 65, 3, 3, 1, 1, true}, {2, 6, 8}},  {{3, 4, 7, 7, 1, 3}, {16, 28, 28}},
    {{5, 20, 3, 3, 1, 1, true}, {2, 33, 17}}, {{64, 16, 1, 1, 1, 1}, {16, 5, 3}}};
/// Those of few weights, for gradcheck.
inline const std::vector<ConvConfig> small_conv_configs{
    {1, 2, 5, 5, 1, 1},       {3, 3, 3, 3, 1, 3},       {2, 2, 1, 1, 1, 1}, {3, 4, 1, 1, 1, 3},
    {2, 3, 1, 3, 1, 1},       {2, 2, 3, 1, 1, 1},       {2, 1, 3, 3, 2, 1}, {1, 1, 3, 3, 1, 3},
    {2, 2, 3, 3, 1, 1, true}, {3, 2, 1, 1, 1, 1, true},
};

/// Calls f(layer, case) for layers of both masks with random weights.
template <class B, class F>
void for_each_conv(F f, const std::vector<ConvConfig>& configs = conv_configs) {
  const auto with_mask = [&]<class M>(M, naive::Mask mask) {
    for (const ConvConfig& c : configs) {
      Rng rng(1);
      MaskedConv2d<M, B> layer({.in_channels = c.in_channels,
                                .out_channels = c.out_channels,
                                .kernel_height = c.kernel_height,
                                .kernel_width = c.kernel_width,
                                .dilation = c.dilation,
                                .colours = c.colours,
                                .relu_input = c.relu_input},
                               rng);
      randomise(layer, 1);
      f(layer, ConvCase{mask, c});
    }
  };
  with_mask(MaskA{}, naive::Mask::A);
  with_mask(MaskB{}, naive::Mask::B);
}

/// What the layer must compute.
template <class L>
[[nodiscard]] naive::Map naive_conv(const L& layer, const FeatureMap<typename L::Scalar>& x,
                                    const ConvCase& c) {
  const naive::Weights w = naive::weights_of(layer);
  naive::Map in = naive::in_double(x);
  if (c.config.relu_input) {
    for (double& v : in) v = std::max(v, 0.0);
  }
  return naive::convolve(
      in, w.at("weights"), &w.at("bias"),
      {.mask = c.mask, .colours = c.config.colours, .dilation = c.config.dilation});
}

}  // namespace pixelrnn::test

// SPDX-License-Identifier: MIT
// MaskedConv2d where the models use it, and the ReLU between.
#include <pixelrnn/nn/relu.hpp>

#include "support/layers.hpp"

namespace {

using namespace pixelrnn;
using namespace pixelrnn::bench;

template <class Mask>
auto convolution(Index in, Index out, Index kernel) {
  return [=]<class K>(K) {
    Rng rng(1);
    return MaskedConv2d<Mask, BackendOf<K>>(
        {.in_channels = in, .out_channels = out, .kernel_height = kernel, .kernel_width = kernel},
        rng);
  };
}

const bool registered = [] {
  for (const Case& c : layer_cases) {
    const Index h = c.hidden;
    add_layer("conv7x7_A", c, 1, convolution<MaskA>(1, 2 * h, 7));
    add_layer("conv3x3_B", c, h, convolution<MaskB>(h, h, 3));
    add_layer("conv1x1_down", c, 2 * h, convolution<MaskB>(2 * h, h, 1));
    add_layer("conv1x1_up", c, h, convolution<MaskB>(h, 2 * h, 1));
    add_layer("relu_layer", c, 2 * h, []<class K>(K) { return ReLU<BackendOf<K>>(); });
  }
  return true;
}();

}  // namespace

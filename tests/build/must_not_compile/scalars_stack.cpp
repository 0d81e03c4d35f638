// SPDX-License-Identifier: MIT
// Skips of double beside blocks of float are refused in one sentence.
// expect: Layers of one net have one Scalar: give blocks and skips the same Backend
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/stack.hpp>

using Block = pixelrnn::ReLU<>;
#ifdef RIGHT
using Skip = Block;
#else
using Skip = pixelrnn::ReLU<pixelrnn::Backend<double> >;
#endif
pixelrnn::Variable<float> run(pixelrnn::Variable<float> x) {
  const pixelrnn::Stack<Block, Skip> net({});
  return net.forward(x);
}

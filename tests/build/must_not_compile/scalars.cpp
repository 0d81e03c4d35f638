// SPDX-License-Identifier: MIT
// Layers of float and of double in one net are refused in one sentence.
// expect: Layers of one net have one Scalar: give all of them the same Backend
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/sequential.hpp>

using Float = pixelrnn::ReLU<>;
#ifdef RIGHT
using Other = Float;
#else
using Other = pixelrnn::ReLU<pixelrnn::Backend<double> >;
#endif
pixelrnn::Variable<float> run(pixelrnn::Variable<float> x) {
  const pixelrnn::Sequential net(Float{}, Other{}, Float{});
  return net.forward(x);
}

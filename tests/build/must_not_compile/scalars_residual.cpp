// SPDX-License-Identifier: MIT
// A residual block of float and double layers is refused in one sentence.
// expect: Layers of one net have one Scalar: give all of them the same Backend
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/residual.hpp>

using Float = pixelrnn::ReLU<>;
#ifdef RIGHT
using Other = Float;
#else
using Other = pixelrnn::ReLU<pixelrnn::Backend<double> >;
#endif
pixelrnn::Variable<float> run(pixelrnn::Variable<float> x) {
  const pixelrnn::Residual net(Float{}, Other{}, Float{});
  return net.forward(x);
}

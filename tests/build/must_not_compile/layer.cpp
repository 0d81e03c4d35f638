// SPDX-License-Identifier: MIT
// Sequential takes layers, and says where to read what a layer is.
// expect: Sequential takes layers: see concept Layer in pixelrnn/nn/layer.hpp
// expect: examples/custom_layer.cpp
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/sequential.hpp>

struct Twice {
  using Scalar = float;
  pixelrnn::Variable<float> forward(pixelrnn::Variable<float> x) const { return add(x, x); }
#ifdef RIGHT
  pixelrnn::Shape<4> output_shape(pixelrnn::Shape<4> x) const { return x; }
#endif
  void for_each_parameter(auto&&) {}
};
template class pixelrnn::Sequential<pixelrnn::ReLU<>, Twice>;

// SPDX-License-Identifier: MIT
// A walk whose step is not const is no walk: the message names the layer and its step.
// expect: Doubled
// expect: A layer with a Cache has a walk, which needs: void step(Cache&, Index row, Index column,
// expect: MatrixView<const Scalar> x, MatrixView<Scalar> y) const
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/sequential.hpp>

struct Doubled {
  using Scalar = float;
  pixelrnn::Variable<float> forward(pixelrnn::Variable<float> x) const { return add(x, x); }
  pixelrnn::Shape<4> output_shape(pixelrnn::Shape<4> x) const { return x; }
  void for_each_parameter(auto&&) {}

  struct Cache {};
  Cache make_cache(pixelrnn::Walk) const { return {}; }
  void step(Cache&, pixelrnn::Index, pixelrnn::Index, pixelrnn::MatrixView<const float> x,
            pixelrnn::MatrixView<float> y)
#ifdef RIGHT
      const
#endif
  {
    for (pixelrnn::Index b = 0; b < x.rows; ++b) {
      for (pixelrnn::Index c = 0; c < x.columns; ++c) y(b, c) = 2 * x(b, c);
    }
  }
  void end_row(Cache&, pixelrnn::Index) const {}
};
static_assert(pixelrnn::IncrementalLayer<pixelrnn::Sequential<pixelrnn::ReLU<>, Doubled>>);

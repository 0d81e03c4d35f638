// SPDX-License-Identifier: MIT
// A walk without end_row is no walk, in Stack too.
// expect: Forgetful
// expect: A layer with a Cache has a walk, which needs: void end_row(Cache&, Index row) const
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/stack.hpp>

struct Forgetful {
  using Scalar = float;
  pixelrnn::Variable<float> forward(pixelrnn::Variable<float> x) const { return x; }
  pixelrnn::Shape<4> output_shape(pixelrnn::Shape<4> x) const { return x; }
  void for_each_parameter(auto&&) {}

  struct Cache {};
  Cache make_cache(pixelrnn::Walk) const { return {}; }
  void step(Cache&, pixelrnn::Index, pixelrnn::Index, pixelrnn::MatrixView<const float> x,
            pixelrnn::MatrixView<float> y) const {
    for (pixelrnn::Index b = 0; b < x.rows; ++b) std::copy_n(x.row(b), x.columns, y.row(b));
  }
#ifdef RIGHT
  void end_row(Cache&, pixelrnn::Index) const {}
#endif
};
static_assert(pixelrnn::IncrementalLayer<pixelrnn::Stack<pixelrnn::ReLU<>, Forgetful>>);
